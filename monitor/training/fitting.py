"""The training loop: benign records in, the network that reproduces the held-out ones best out.

Tensors stay on the device and batches are drawn by shuffled row numbers, without a DataLoader. The same data,
configuration and number of threads give the same weights, bit for bit on a CPU, also when a training was killed and
went on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32
from monitor.core.errors import DataError
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import Autoencoder, check_reach, initialise
from monitor.model.history import Epoch, History
from monitor.model.networks import network_for
from monitor.model.windows import Windows
from monitor.training.bottleneck import with_bottleneck
from monitor.training.corruption import Corruption
from monitor.training.halfway import Halfway, Snapshot, fingerprint
from monitor.training.losses import LOSSES
from monitor.training.steps import steps_for

VALIDATION_ROWS = 8192
"""Rows of one validation pass; bounds the memory its activations take."""

EPOCH_VALUES = 2**16
"""Steps of windows in one epoch: neighbouring windows share all values but one, so each epoch draws some of them."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network on the CPU, in evaluation mode, and how it came about."""

    module: Autoencoder
    history: History

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights ``module`` has."""
        return self.history.best_epoch


def fit(
    values: F32,
    validation: F32,
    config: ModelConfig,
    device: torch.device,
    on_epoch: Callable[[Epoch], bool | None],
    layout: Layout | None = None,
    windows: Windows | None = None,
    *,
    halfway: Halfway | None = None,
) -> Fitted:
    """Train an autoencoder on benign records.

    Every column counts the same in the loss, as in the published reference systems.

    Args:
        values: network columns of the training split, [n, width], n > 0, finite. Width 0 gives the null network.
        validation: network columns of the early-stop split, [m, width]; m = 0 trains every epoch.
        config: network and training.
        device: where to compute.
        on_epoch: called after each epoch; True says that the time is up: the best weights until then are kept.
        layout: names the features in messages and keeps the columns of one feature together when masking.
        windows: the columns that a network other than ``dense`` reads step by step.
        halfway: where the training is written down, and goes on from if it was killed; None: nowhere.

    Raises:
        DataError: no record, a value that is not finite, an output activation that cannot reach the values, or
            training diverged. The message names the option to change.
    """
    _check(values, validation, config, layout)
    config, candidates = with_bottleneck(values, validation, config)
    module = network_for(values.shape[1], config, windows)
    shuffling = torch.Generator().manual_seed(config.seed)
    initialise(module, config, shuffling)
    module.to(device)
    history = History()
    if module.width:
        training = _Training(module, config, Corruption(config, module.width, layout, device), shuffling)
        log = _Log(training, halfway, "" if halfway is None else fingerprint(values, validation, config, device))
        history = _train(training, log, _on(device, values), _on(device, validation), config, on_epoch)
    return Fitted(module.cpu().eval(), replace(history, candidates=candidates))


class _Training:
    """One network with its optimiser, and the weights worth keeping so far."""

    def __init__(
        self, module: Autoencoder, config: ModelConfig, corruption: Corruption, shuffling: torch.Generator
    ) -> None:
        self._module, self._corruption, self._shuffling = module, corruption, shuffling
        self._batch_size, self._most = config.batch_size, most_rows(module)
        self._loss = LOSSES[config.loss]
        self._steps = steps_for(module, config)
        self._parameters = list(module.parameters())
        self._kept = [parameter.detach().clone() for parameter in self._parameters]

    def epoch(self, x: Tensor) -> float:
        """One pass over the records in a new random order; the mean loss of its batches, weighted by their rows."""
        order = torch.randperm(len(x), generator=self._shuffling)[: self._most].to(x.device)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for start in range(0, len(order), self._batch_size):
            batch = x.index_select(0, order[start : start + self._batch_size])  # much faster than x[...]
            total += self._steps.step(self._corruption.apply(batch), batch) * len(batch)
        return float(total) / len(order)

    @torch.inference_mode()
    def validate(self, x: Tensor) -> float | None:
        """The mean loss over clean records; None without any."""
        if len(x) == 0:
            return None
        total = 0.0
        for start in range(0, len(x), VALIDATION_ROWS):
            rows = x[start : start + VALIDATION_ROWS]
            total += float(self._loss(self._module(rows)[0] - rows)) * len(rows)
        return total / len(x)

    def keep(self) -> None:
        """Remember the weights as they are."""
        with torch.no_grad():
            for kept, parameter in zip(self._kept, self._parameters, strict=True):
                kept.copy_(parameter)

    def restore(self) -> None:
        """Go back to the weights remembered last."""
        with torch.no_grad():
            for kept, parameter in zip(self._kept, self._parameters, strict=True):
                parameter.copy_(kept)

    def state(self) -> dict[str, Tensor]:
        """All that the next epoch depends on, by name."""
        generators = {"shuffling": self._shuffling, "corruption": self._corruption.generator}
        return {
            **{f"weight.{place}": weight for place, weight in enumerate(self._parameters)},
            **{f"kept.{place}": weight for place, weight in enumerate(self._kept)},
            **{f"step.{name}": value for name, value in self._steps.state().items()},
            **{name: generator.get_state() for name, generator in generators.items()},
        }

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave."""
        for place, (weight, kept) in enumerate(zip(self._parameters, self._kept, strict=True)):
            weight.copy_(state[f"weight.{place}"])
            kept.copy_(state[f"kept.{place}"])
        self._steps.load({name[5:]: value for name, value in state.items() if name.startswith("step.")})
        self._shuffling.set_state(state["shuffling"])
        self._corruption.generator.set_state(state["corruption"])

    def finite(self) -> bool:
        """Whether every weight is a number."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self._parameters)


def most_rows(module: Autoencoder) -> int | None:
    """How many records an epoch takes; None for all."""
    return None if module.windows is None else max(1, EPOCH_VALUES // module.windows.steps)


@dataclass(frozen=True, slots=True)
class _Log:
    """One training and where it is written down, if anywhere."""

    training: _Training
    halfway: Halfway | None
    fingerprint: str

    def resumed(self) -> tuple[list[Epoch], int]:
        """The epochs that are behind it, and the best of them; 0 is none."""
        last = None if self.halfway is None else self.halfway.last(self.fingerprint)
        if last is None:
            return [], 0
        self.training.load(last.tensors)
        return list(last.epochs), last.best

    def write(self, epochs: list[Epoch], best: int) -> None:
        """After an epoch."""
        if self.halfway is not None:
            self.halfway.offer(self.fingerprint, lambda: Snapshot(tuple(epochs), best, self.training.state()))


def _train(
    training: _Training,
    log: _Log,
    x: Tensor,
    held_out: Tensor,
    config: ModelConfig,
    on_epoch: Callable[[Epoch], bool | None],
) -> History:
    epochs, best = log.resumed()
    stopping = config.patience > 0 and len(held_out) > 0
    best_loss = (epochs[best - 1].validation_loss or 0.0) if best else math.inf
    late = False
    for number in range(len(epochs) + 1, config.epochs + 1):
        epoch = Epoch(number, training.epoch(x), training.validate(held_out))
        _check_converging(epoch, training, config)
        epochs.append(epoch)
        late = bool(on_epoch(epoch)) and number < config.epochs
        loss = epoch.validation_loss if stopping else None
        if loss is None or loss < best_loss:
            best, best_loss = number, loss or 0.0
            training.keep()
        elif number - best >= config.patience:
            break
        if late:
            break
        log.write(epochs, best)
    training.restore()
    return History(tuple(epochs), best, stopped_early=len(epochs) < config.epochs and not late, out_of_time=late)


def _check(values: F32, validation: F32, config: ModelConfig, layout: Layout | None) -> None:
    if len(values) == 0:
        raise DataError("training: there is no benign record to learn from")
    if values.shape[1] != validation.shape[1]:
        raise DataError(
            f"training: {values.shape[1]} columns to train with, {validation.shape[1]} to stop by; encode both alike"
        )
    if not (np.isfinite(values).all() and np.isfinite(validation).all()):
        raise DataError("training: an encoded value is not finite; an encoder let it through")
    names = [b.feature for b in layout.blocks for _ in range(b.start, b.stop)] if layout else []
    check_reach(values, config.output_activation, names)


def _check_converging(epoch: Epoch, training: _Training, config: ModelConfig) -> None:
    losses = (epoch.loss, epoch.validation_loss or 0.0)
    if not all(map(math.isfinite, losses)) or not training.finite():
        raise DataError(
            f"training diverged in epoch {epoch.number} (loss {epoch.loss:g}): lower model.learning_rate "
            f"(now {config.learning_rate:g}) or scale the features that reach large values"
        )


def _on(device: torch.device, values: F32) -> Tensor:
    """A copy on the device, row by row; the caller's array may be read-only, in any order, and is never touched."""
    return torch.tensor(values, dtype=torch.float32, device=device).contiguous()
