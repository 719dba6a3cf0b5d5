"""A bounded sample of records, even over time, that depends on the records alone: batches and replays leave no trace.

Time is cut into hours. Each hour keeps the records with the smallest hashes, as many as its share allows: the share is
the limit divided by the hours there are, 24 at least, so it shrinks as hours come, and hours shrink with it. Of an hour
the sample holds exactly the records below its *bound*, the smallest hash that had to go; so the number of records that
there were can be told from it (Bar-Yossef et al., "Counting distinct elements in a data stream", 2002).

A sample of stretches is the same with quarters of a day instead of hours and ranks instead of hashes; see ``turns``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.arrow import pa
from monitor.core.strings import U64
from monitor.reservoir.columns import HASH, OFFSET, RANK, SIZE, SPAN, numbers

SPAN_SECONDS = 3600
NO_BOUND = np.iinfo(np.uint64).max
"""The bound of an hour of which nothing was left out yet."""

SPANS_PER_DAY = 24
FEWEST_SHARES = SPANS_PER_DAY
"""An hour never takes more than this part of the sample: to fill it with the first hour is work for nothing, since nine
in ten of those records have to go before the day is over."""

FEWEST_PENDING = 1024
"""Records that wait to be merged in: a merge sorts the whole sample."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The sample keeps at most so much; at least one record of an hour is kept whatever its size."""

    max_records: int
    max_bytes: int
    max_age_days: int

    @property
    def max_spans(self) -> int:
        """Hours in view."""
        return self.max_age_days * SPANS_PER_DAY


@dataclass
class Sample:
    """The records (``columns`` says which columns they have) and the bound of each hour that has one.

    Exact in any order of records until hours grow too old; from then on for records in the order of time.
    """

    limits: Limits
    table: pa.Table
    bounds: dict[int, int] = field(default_factory=dict[int, int])
    newest: int | None = None
    fewest_shares: int = FEWEST_SHARES
    oldest: int = 0
    """The oldest hour in view."""
    _pending: list[pa.Table] = field(default_factory=list["pa.Table"])
    _waiting: int = 0

    @property
    def bound(self) -> int:
        """Records of the newest hour are of use below it alone."""
        return NO_BOUND if self.newest is None else self.bounds.get(self.newest, NO_BOUND)

    def add(self, records: pa.Table) -> None:
        """Offer some records; those that are there already, by their hash, are passed over."""
        if not len(records):
            return
        self._pending.append(records)
        self._waiting += len(records)
        self.newest = max(int(numbers(records, SPAN).max()), -1 if self.newest is None else self.newest)
        if self._waiting > max(FEWEST_PENDING, len(self.table) // 4):
            self.settle()

    def settle(self) -> None:
        """Merge in what waits."""
        if not self._pending:
            return
        offered = pa.concat_tables([self.table, *self._pending])
        self._pending, self._waiting = [], 0
        self._hold(offered)

    def hold_to(self, limits: Limits) -> None:
        """Go on within other limits; hours that were cut down do not grow again."""
        self.settle()
        self.limits = limits
        self._hold(self.table)

    def _hold(self, offered: pa.Table) -> None:
        """Keep what the limits allow of ``offered``."""
        ranks, spans, sizes = numbers(offered, self._ranked_by), numbers(offered, SPAN), numbers(offered, SIZE)
        order = _distinct(offered, ranks, np.flatnonzero(self.wants(spans, ranks)))
        present, starts = np.unique(spans[order], return_index=True)
        present, starts = present.astype(np.int64), starts.astype(np.int64)
        self.oldest = oldest = int(present[-1]) - self.limits.max_spans + 1 if len(present) else 0
        kept: list[I64] = []
        for span, quota, rows in zip(present.tolist(), self._quotas(present), np.split(order, starts)[1:], strict=True):
            if span >= oldest:
                room = self._room(sizes[rows], int(quota))
                if room < len(rows):
                    room, self.bounds[span] = _cut(ranks[rows], room)
                kept.append(rows[:room])
        self.bounds = {span: bound for span, bound in self.bounds.items() if span >= oldest}
        self.table = offered.take(pa.array(np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)))

    def wants(self, spans: I64, ranks: U64) -> Bools:
        """Which records are below the bound of their hour, [n]."""
        if not self.bounds:
            return np.ones(len(spans), dtype=np.bool_)
        known = np.array(sorted(self.bounds), dtype=np.int64)
        bounds = np.array([self.bounds[span] for span in known.tolist()], dtype=np.uint64)
        at = np.minimum(np.searchsorted(known, spans), len(known) - 1)
        wanted: Bools = (known[at] != spans) | (ranks < bounds[at])
        return wanted

    @property
    def _ranked_by(self) -> str:
        """The column that says who is kept before whom."""
        return RANK if RANK in self.table.column_names else HASH

    def _quotas(self, present: I64) -> I64:
        """How many records each of the hours, [s] rising, may keep.

        That is the least that it was allowed when it, or any later one, was the newest: so a merge of many hours comes
        to what as many merges of one come to.
        """
        in_view = np.arange(1, len(present) + 1) - np.searchsorted(present, present - self.limits.max_spans, "right")
        allowed = np.maximum(1, self.limits.max_records // np.maximum(in_view, self.fewest_shares))
        return np.minimum.accumulate(allowed[::-1])[::-1].astype(np.int64)

    def _room(self, sizes: I64, quota: int) -> int:
        """How many of the records of an hour, in the order of their hashes, fit; one at least."""
        most = quota * self.limits.max_bytes // self.limits.max_records
        return max(1, int(np.searchsorted(np.cumsum(sizes[:quota]), most, side="right")))


def _distinct(offered: pa.Table, ranks: U64, rows: I64) -> I64:
    """These rows by hour, rank and place; of records that are there twice the one that came first."""
    first = rows[np.unique(numbers(offered, HASH)[rows], return_index=True)[1]]
    return first[np.lexsort((numbers(offered, OFFSET)[first], ranks[first], numbers(offered, SPAN)[first]))]


def _cut(ranks: U64, room: int) -> tuple[int, int]:
    """How many of the records with these ranks, [n] rising, stay where there is ``room`` for fewer, and their bound.

    Those of one rank stay or go together; but if then none stayed, the first of them do.
    """
    bound = int(ranks[room])
    below = int(np.searchsorted(ranks, ranks[room]))
    return (below, bound) if below else (room, min(bound + 1, int(NO_BOUND)))


def came(spans: I64, bounds: Mapping[int, int]) -> float:
    """About how many different records there were in these hours, [n] of those kept; exact where none has a bound."""
    hours, counts = np.unique(spans, return_counts=True)
    shares = np.array([bounds.get(hour, NO_BOUND) / NO_BOUND for hour in hours.tolist()])
    return float((counts / shares).sum())
