"""What the past of each key says of its next number: how far it is from its averages, how fast it came, how late."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.groups import Groups, elapsed, known_by_key
from monitor.core.keyed_memory import KeyedMemory, Visit
from monitor.core.records import RecordBatch
from monitor.encoders._averages import LARGEST, Averages
from monitor.encoders._scaling import LIMIT, Scaling

COUNT, UNIT, FAST, SLOW, VALUE, TIME = range(6)
"""What is remembered of a key: how many values it had, the unit of their logarithm, the running sums of the averages;
and where rates or times are asked for, the last value that had a time, and that time."""

LONG_AGO = -LIMIT
"""Stands for the time of a key that had none yet: plain JSON has no NaN."""

BLANK = (0.0, 0.0, 0.0, 0.0, 0.0, LONG_AGO)
"""What is remembered of a key before its first value."""

NOISE = 1e-13
"""What rounding may leave of a difference between equal numbers, as a share of them: some hundred steps of a double."""


class Past:
    """Compares values with what ``memory`` has of their keys; the scale decides what is averaged.

    The average of less than ``settled`` values is none: it errs more than benign data showed.

    Averages are kept in the field's own units, or as logarithms together with their unit, not in columns: so they stay
    what they are when the next model scales the field differently.
    """

    def __init__(
        self, memory: KeyedMemory, scaling: Scaling, *, fast: float, slow: float, timed: bool, settled: int = 1
    ) -> None:
        self._memory = memory
        self._scaling = scaling
        self._averages = Averages(fast, slow)
        self._settled = settled
        self._timed = timed

    def steps(self, batch: RecordBatch, values: F64) -> dict[str, F64]:
        """Compare each value with what was before it, and remember it.

        Args:
            batch: the records; their keys, and their times with ``timed``, are read.
            values: [n], NaN where there is none; these records are passed over.

        Returns:
            ``change``: value less fast average, ``trend``: fast average less slow one, both as ``bent`` has them; with
            ``timed`` also ``rate``: change a second since the record before, in original units, and ``since``: seconds
            since then. Each [n], NaN where there is no such thing: for a key's first record, say, and where an average
            would be of so few values that it errs more than benign ones did.
        """
        visit = self._memory.visit(known_by_key(batch, values))
        groups, counts = visit.groups, visit.before[:, COUNT].astype(np.int64)
        x = self.bent(values[groups.rows])
        (fast, slow), sums = self._averages.before(x, groups, counts, self._sums(visit, counts))
        fast[counts[groups.ids] + groups.ranks < self._settled] = np.nan
        steps = {"change": _difference(x, fast), "trend": _difference(fast, slow)}
        after = [counts + groups.lengths, np.full(len(counts), self._scaling.unit), *sums]
        if self._timed:
            times = np.full(len(values), np.nan) if batch.times is None else batch.times
            found, last = _timed(visit, values[groups.rows], times[groups.rows])
            steps |= found
            after += last
        self._memory.leave(visit, np.column_stack(after))
        return {name: _by_row(step, groups, len(values)) for name, step in steps.items()}

    def bent(self, values: Any) -> F64:
        """Values as they are averaged: cut off as the column is, and where it is logarithmic, their logarithm."""
        bent: F64 = self.level(np.asarray(self._scaling.apply(values), dtype=np.float64))
        return bent

    def level(self, columns: Any) -> Any:
        """What the columns of values stand for, as they are averaged."""
        return np.clip(columns * self._scaling.half + self._scaling.centre, -LARGEST, LARGEST)

    def straight(self, bent: F64) -> F64:
        """The values, in original units, that ``bent`` stands for."""
        return self._scaling.inverse((bent - self._scaling.centre) / self._scaling.half)

    def cut_off(self, value: float) -> bool:
        """Whether a value that ``straight`` gave out may have been farther out."""
        return not self._scaling.low < value < self._scaling.high

    def _sums(self, visit: Visit, counts: I64) -> F64:
        """The running sums before a batch, [2, g]; those of another model are carried over to this one's scale."""
        sums = visit.before[:, [FAST, SLOW]].T
        foreign = np.flatnonzero(visit.known & (visit.before[:, UNIT] != self._scaling.unit))
        if len(foreign):
            averages = self._averages.straight(sums[:, foreign], counts[foreign])
            original = _unbent(averages, visit.before[foreign, UNIT])
            sums[:, foreign] = self._averages.sums(self.bent(original), counts[foreign])
        return sums


def empty_memory(max_keys: int, *, timed: bool) -> KeyedMemory:
    """What ``Past`` remembers of each key; ``timed``: with its last value and the time of it."""
    return KeyedMemory(max_keys, BLANK if timed else BLANK[:VALUE])


def _unbent(averages: F64, units: F64) -> F64:
    """Averages [2, g] of logarithms in original units; a unit of 0 says that they were no logarithms."""
    sizes = units * np.expm1(np.minimum(np.abs(averages), 600.0))
    return np.where(units > 0.0, np.copysign(sizes, averages), averages)


def _difference(values: F64, averages: F64) -> F64:
    """``values`` less ``averages``, [m]; 0 where only rounding tells them apart."""
    differences = values - averages
    differences[np.abs(differences) <= NOISE * np.abs(values)] = 0.0
    return differences


def _timed(visit: Visit, values: F64, times: F64) -> tuple[dict[str, F64], list[F64]]:
    """Rate and time since the previous record of the key that has a time, [m] each; and what to remember, [g] each."""
    groups, values = visit.groups, np.clip(values, -LIMIT, LIMIT)
    latest: I64 = np.maximum.accumulate(np.where(np.isfinite(times), np.arange(len(times)), -1))
    earlier = groups.previous(latest, np.array([-1], dtype=np.int64))

    def at(places: I64, ids: I64, of: F64, remembered: int) -> F64:
        """What stands at the given places; what was remembered where these are not in their group."""
        return np.where(places >= groups.starts[ids], of[places], visit.before[ids, remembered])

    before = at(earlier, groups.ids, times, TIME)
    since = elapsed(np.where(before == LONG_AGO, np.nan, before), times)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        rate = (values - at(earlier, groups.ids, values, VALUE)) / np.where(since > 0.0, since, np.nan)
    every, last = np.arange(len(groups.starts)), latest[groups.ends]
    return {"rate": rate, "since": since}, [at(last, every, values, VALUE), at(last, every, times, TIME)]


def _by_row(step: F64, groups: Groups, count: int) -> F64:
    """What was worked out group by group, [m], in the order of the records, [n]; NaN elsewhere."""
    rows = np.full(count, np.nan)
    rows[groups.rows] = step
    return rows
