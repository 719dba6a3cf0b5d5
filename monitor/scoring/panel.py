"""A few small autoencoders that look at the same record, computed as one batched product.

Each member is given the detector's columns and a flag for every feature that is hidden from it (its columns are then
0), so that it can also say what a feature should be, judged by the others. Their mean reconstruction errs less than
that of any one of them, since their mistakes differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from monitor.scoring.lens import LANES

WIDEST = 512
"""Units of the widest layer."""


def panel_widths(seen: int, features: int) -> tuple[int, ...]:
    """Layer widths for ``seen`` columns: twice and once the next power of two, half of it as the hidden state.

    >>> panel_widths(40, 40)
    (80, 128, 64, 32, 64, 128, 40)
    """
    power = min(WIDEST // 2, max(LANES, 1 << (seen - 1).bit_length()))
    return (seen + padded(features), 2 * power, power, power // 2, power, 2 * power, seen)


def padded(features: int) -> int:
    """Columns of flags: a multiple of 8."""
    return -(-features // LANES) * LANES


@dataclass(frozen=True, slots=True)
class Panel:
    """``weights[k]`` is [members, in, out], ``biases[k]`` [members, 1, out]; gelu between the layers."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def drawn(cls, widths: Sequence[int], members: int, generator: torch.Generator, device: torch.device) -> Panel:
        """Glorot uniform weights and zero biases, other ones for every member."""
        weights: list[Tensor] = []
        for before, after in pairwise(widths):
            bound = (6 / (before + after)) ** 0.5
            draws = torch.rand(members, before, after, generator=generator)
            weights.append(((draws * 2 - 1) * bound).to(device))
        biases = [torch.zeros(members, 1, after, device=device) for after in widths[1:]]
        return cls(tuple(weights), tuple(biases))

    @property
    def members(self) -> int:
        return len(self.weights[0])

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def reconstruct(self, x: Tensor) -> Tensor:
        """What every member makes of its input: [members, n, seen] of [members, n, seen + flags], or without flags."""
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight[:, : x.shape[2]])
            x = x if index == last else torch.nn.functional.gelu(x)
        return x

    def mean(self, z: Tensor, flags: Tensor | None = None) -> Tensor:
        """The mean reconstruction [n, seen] of ``z`` [n, seen] with ``flags`` [n, padded features] hidden, or nothing.

        Where nothing is hidden the weights of the flags are left out, as what they multiply is 0.
        """
        x = z if flags is None else torch.cat([z, flags], 1)
        return self.reconstruct(x.expand(self.members, -1, -1)).mean(0)

    def to(self, device: torch.device) -> Panel:
        """The same on another device."""
        return Panel(tuple(w.to(device) for w in self.weights), tuple(b.to(device) for b in self.biases))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        named = {f"weights.{k}": weight for k, weight in enumerate(self.weights)}
        return named | {f"biases.{k}": bias for k, bias in enumerate(self.biases)}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Panel:
        layers = sum(name.startswith("weights.") for name in state)
        weights = tuple(state[f"weights.{k}"] for k in range(layers))
        return cls(weights, tuple(state[f"biases.{k}"] for k in range(layers)))
