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
class Candidate:
    """A bottleneck that was tried; ``loss`` is the share of the variation of held-out records that it leaves."""

    bottleneck: int
    loss: float


COLLAPSED = 0.01
"""A network that reproduces less of the variation than this learned the mean record and hardly anything else."""


@dataclass(frozen=True, slots=True)
class History:
    """All epochs of a training; ``best_epoch`` is the one whose weights were kept, 0 when nothing was trained.

    ``out_of_time``: it would have gone on, but the time given was up. ``explained`` is the share of the variation of
    the calibration records that the network reproduces, at most 1; at 0 or below it answers every record alike. None
    when it is not known, or the records do not vary. ``candidates`` are the bottlenecks that were tried, where the
    width was left to the program.
    """

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    stopped_early: bool = False
    out_of_time: bool = False
    explained: float | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def collapsed(self) -> bool:
        """Whether the network learned next to nothing but the mean record."""
        return self.explained is not None and self.explained < COLLAPSED
