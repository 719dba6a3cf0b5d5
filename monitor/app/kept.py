"""What the daemon kept of a stream: single records, or stretches of records that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.app.compose import learned_fields
from monitor.app.sampling import warm_ups
from monitor.app.streams import reservoirs_root
from monitor.core.arrays import F64, I64, Bools
from monitor.core.arrow import pa
from monitor.core.clock import DAY_SECONDS
from monitor.core.config import Config, StreamConfig
from monitor.core.warm_up import WarmUp
from monitor.reservoir.columns import LEFT_OUT, TIME, numbers
from monitor.reservoir.files import Day, read_days
from monitor.reservoir.sample import came
from monitor.reservoir.stretches import recovering, stretches, warming
from monitor.reservoir.turns import per_day


@dataclass(frozen=True, slots=True)
class Kept:
    """The days of a stream's sample, oldest first, each with its file; ``unused`` says why others are left out.

    ``needed`` is what features remember; where there are such, the sample is of stretches.
    """

    days: Sequence[tuple[Path, Day]]
    unused: Sequence[str]
    needed: Sequence[WarmUp] = ()

    @classmethod
    def of(cls, config: Config, name: str, stream: StreamConfig) -> Kept:
        """What there is to learn from."""
        needed = tuple(warm_ups(stream).values())
        found = list(read_days(reservoirs_root(config) / name, learned_fields(stream), stretches=bool(needed)))
        days = [(path, day) for path, day in found if isinstance(day, Day)]
        return cls(days, [f"{path}: {reason}" for path, reason in found if isinstance(reason, str)], needed)

    def __len__(self) -> int:
        return sum(len(day.table) for _, day in self.days)

    @property
    def times(self) -> F64:
        """When the records happened, [n]."""
        return np.concatenate([numbers(day.table, TIME) for _, day in self.days])

    @property
    def period(self) -> tuple[float, float]:
        """The first and the last time, in seconds since 1970; there is a record at least."""
        times = self.times
        return float(times.min()), float(times.max())

    @property
    def records_per_day(self) -> float:
        """How many records came in a day, not only those that were kept."""
        if self.needed:
            return per_day({span: tally for _, day in self.days for span, tally in day.tallies.items()})
        first, last = self.period
        return sum(came(day.spans, day.bounds) for _, day in self.days) * DAY_SECONDS / max(last - first, 1.0)

    def left_out(self) -> Bools:
        """Which records alerted, or came near some that did, when they were kept, [n]; of a sample of stretches."""
        return np.concatenate([numbers(day.table, LEFT_OUT) for _, day in self.days])

    def stretches(self, left_out: Bools) -> tuple[I64, Bools, Bools]:
        """Of each record, [n], the number of its stretch, whether it only warms up memories, and whether it is apart.

        Apart are those ``left_out``, [n], and what comes close behind them.
        """
        table = pa.concat_tables([day.table for _, day in self.days])
        bounds = {span: bound for _, day in self.days for span, bound in day.bounds.items()}
        tallies = {span: tally for _, day in self.days for span, tally in day.tallies.items()}
        found, times = stretches(table, bounds, tallies), self.times
        apart = left_out | recovering(found, times, left_out, self.needed)
        return found, warming(found, times, self.needed), apart

    def learnable(self) -> int:
        """Records that are learned, as far as the sample knows."""
        if not self.needed or not len(self):
            return len(self)
        _, cold, apart = self.stretches(self.left_out())
        return int((~(cold | apart)).sum())
