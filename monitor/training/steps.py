"""One training step: a batch and its clean target in, the loss out, and the weights a little better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import Autoencoder
from monitor.training.losses import LOSSES
from monitor.training.plain_sgd import PlainSgd, serves

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


class Steps(Protocol):
    """Moves the weights of one network."""

    def step(self, x: Tensor, target: Tensor) -> Tensor:
        """Learn to make ``target`` [n, width] of ``x`` [n, width]; the loss before the step, a scalar on the device."""
        ...


class AutogradSteps:
    """Any network, any optimiser."""

    def __init__(self, module: Autoencoder, config: ModelConfig) -> None:
        self._module = module
        self._loss = LOSSES[config.loss]
        self._optimizer = OPTIMIZERS[config.optimizer](
            module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )

    def step(self, x: Tensor, target: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        loss = self._loss(self._module(x)[0] - target)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach()


def steps_for(module: Autoencoder, config: ModelConfig) -> Steps:
    """The fastest way to train this network that gives the same weights."""
    plain = module.windows is None and serves(config)
    return PlainSgd(module, config) if plain else AutogradSteps(module, config)
