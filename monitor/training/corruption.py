"""What a network in training is shown instead of the clean record, so that it learns structure and not copying."""

from __future__ import annotations

import torch
from torch import Tensor

from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig


class Corruption:
    """Hides whole features (as zeros) and adds Gaussian noise; the target of training stays the clean record."""

    def __init__(self, config: ModelConfig, width: int, layout: Layout | None, device: torch.device) -> None:
        self._noise, self._masking = config.noise, config.masking
        self.generator = torch.Generator(device=device).manual_seed(config.seed)
        owners = range(width) if layout is None else _owners(layout)
        self._owners = torch.tensor(list(owners), dtype=torch.int64, device=device)  # feature of each column, [width]
        self._features = int(self._owners.max()) + 1 if width else 0

    def apply(self, x: Tensor) -> Tensor:
        """A corrupted copy of ``x`` [n, width], or ``x`` itself when neither noise nor masking is asked for."""
        if self._noise:
            x = x + self._noise * torch.randn(x.shape, generator=self.generator, device=x.device)
        if self._masking:
            draws = torch.rand((len(x), self._features), generator=self.generator, device=x.device)
            x = x * (draws >= self._masking)[:, self._owners]
        return x


def _owners(layout: Layout) -> list[int]:
    return [index for index, block in enumerate(layout.blocks) for _ in range(block.start, block.stop)]
