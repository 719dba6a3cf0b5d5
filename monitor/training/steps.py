"""One training step: a batch and its clean target in, the loss out, and the weights a little better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on beside the weights."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
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

    def state(self) -> dict[str, Tensor]:
        moments = self._optimizer.state_dict()["state"]
        return {
            f"{index}.{name}": value
            for index, values in moments.items()
            for name, value in values.items()
            if isinstance(value, Tensor)  # plain SGD remembers that it has no momentum
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for place, value in state.items():
            index, _, name = place.partition(".")
            moments.setdefault(int(index), {})[name] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})


def steps_for(module: Autoencoder, config: ModelConfig) -> Steps:
    """The fastest way to train this network that gives the same weights."""
    plain = module.windows is None and serves(config)
    return PlainSgd(module, config) if plain else AutogradSteps(module, config)
