"""What training did, epoch by epoch, for reports and model cards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training data; ``number`` counts from 1.

    ``loss`` is the mean training loss while the weights moved, ``validation_loss`` that of the held-out records
    after the pass (None without any). Both in the unit of the configured loss per encoded column.
    """

    number: int
    loss: float
    validation_loss: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All epochs of a training; ``best_epoch`` is the one whose weights were kept, 0 when nothing was trained."""

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    stopped_early: bool = False
