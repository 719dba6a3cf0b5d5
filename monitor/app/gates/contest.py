"""What every gate looks at: the new model, the one in use and the records both are tried with, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.app.gates.contender import Contender
from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.core.config import StreamConfig
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.deciding.told import ToldRecords
from monitor.training.splits import Split, split

MOST_REPLAYED = 20_000
"""Records of the newest day that are scored again, the newest: enough to tell a rate, a second's work."""

REMEMBERED = 2_000
"""Records before those are scored, too, and not counted: what features remember of keys is then as in the daemon."""

STRETCH_RECORDS = 1_000
"""The newest held-out records, in which faults are planted."""

Labelled = Sequence[tuple[str, bool]]
"""Records that a person labelled, as text, each with whether it must alert."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The records of a replay as one model scores them, [n] each."""

    scores: F64
    alerts: Bools


@dataclass(frozen=True)
class Contest:
    """One new model against the one in use; ``champion`` is None where there is none that can be compared.

    ``records`` are all benign records that were given, ``unparsed`` the share of lines that were none. ``told`` are of
    the episodes told of meanwhile, which ``records`` leave out. ``firing`` tells why a person would say that something
    is going on in the stream just now; None where nothing is.
    """

    stream: StreamConfig
    candidate: Contender
    champion: Contender | None
    records: RecordBatch
    told: ToldRecords | None
    unparsed: float
    labelled: Labelled
    firing: Callable[[], str | None]

    @cached_property
    def parts(self) -> Split:
        """How the records were divided."""
        return split(len(self.records), self.records.times, self.stream.model.split)

    @cached_property
    def held_out(self) -> RecordBatch:
        """The newest records that set the benign range."""
        return take(self.records, self.parts.order[self.parts.calibration][-STRETCH_RECORDS:])

    @cached_property
    def calibrating(self) -> RecordBatch:
        """All records that set the benign range; of a thousand none may alert, whichever the limit."""
        return take(self.records, self.parts.order[self.parts.calibration])

    @cached_property
    def newest(self) -> I64:
        """The rows of ``records`` that are replayed, in the order of time: the held-out ones of the newest day.

        All held-out ones where event times are not known. Of learned ones nothing is promised: the oldest of them may
        be like none of those that set the limit.
        """
        rows = self.parts.order[self.parts.calibration]
        if self.records.warming is not None:
            rows = rows[~self.records.warming[rows]]
        if self.records.times is not None and np.isfinite(self.records.times[rows]).any():
            rows = rows[self.records.times[rows] > np.nanmax(self.records.times[rows]) - DAY_SECONDS]
        return rows[-MOST_REPLAYED:]

    @cached_property
    def day(self) -> RecordBatch:
        """The records that are replayed."""
        return take(self.records, self.newest)

    @cached_property
    def replay(self) -> Replay:
        """What the new model makes of them."""
        return self._replayed(self.candidate)

    @cached_property
    def champions_replay(self) -> Replay | None:
        """What the one in use makes of them."""
        return None if self.champion is None else self._replayed(self.champion)

    def _replayed(self, contender: Contender) -> Replay:
        order = self.parts.order
        rows = order[max(0, int(np.flatnonzero(order == self.newest[0])[0]) - REMEMBERED) :]
        records = take(self.records, rows)
        scores = contender.scores(records, contender.encode(records))[np.isin(rows, self.newest)]
        return Replay(scores, scores > contender.threshold)
