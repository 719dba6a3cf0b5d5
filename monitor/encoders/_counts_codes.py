"""Which events, and which successions of two, are counted one by one: the most frequent ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import I64
from monitor.core.spans import mix
from monitor.core.strings import U64
from monitor.encoders._counts_events import Found

EVENTS, DISTINCT = "events", "distinct events"


@dataclass(frozen=True)
class Counted:
    """A *tally* counts, in this order, each of the ``events``, each of the ``pairs``, and all other events together."""

    events: U64  # [e]
    pairs: U64  # [p]

    @cached_property
    def width(self) -> int:
        """The length of a tally."""
        return len(self.events) + len(self.pairs) + 1

    @cached_property
    def fingerprint(self) -> float:
        """Tells tallies of these events from tallies of others; not 0."""
        hashes = np.concatenate([self.events, self.pairs])
        order = np.arange(len(hashes), dtype=np.uint64) + np.uint64(len(self.events) + 1)
        return float(int(mix(mix(order) ^ hashes).sum(dtype=np.uint64)) >> 12 | 1)

    def event_codes(self, items: U64) -> I64:
        """Where each event is counted, [m]."""
        return self._events.find(items, self.width - 1)

    def pair_codes(self, items: U64) -> I64:
        """Where each succession is counted, [m]; -1 for none."""
        found = self._pairs.find(items, -1)
        found[found >= 0] += len(self.events)
        return found

    def tally(self, events: Found, pairs: Found, n: int) -> I64:
        """Count what was found in ``n`` records, [n, width]."""
        codes = self.pair_codes(pairs.items)
        cells = [events.rows * self.width + self.event_codes(events.items)]
        cells.append((pairs.rows * self.width + codes)[codes >= 0])
        return np.bincount(np.concatenate(cells), minlength=n * self.width).reshape(n, self.width)

    def measures(self, tallies: I64) -> I64:
        """Tallies [n, width] and the number of events and of distinct ones, [n, width + 2], all others last.

        Events that are not counted one by one pass for one and the same.
        """
        others = tallies[:, -1:]
        events = tallies[:, : len(self.events)]
        total = events.sum(axis=1, keepdims=True) + others
        distinct = np.count_nonzero(events, axis=1)[:, None] + (others > 0)
        return np.concatenate([tallies[:, :-1], total, distinct, others], axis=1)

    def state(self) -> dict[str, Any]:
        return {"events": _written(self.events), "pairs": _written(self.pairs)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Counted:
        return cls(_read(state["events"]), _read(state["pairs"]))

    @cached_property
    def _events(self) -> _Places:
        return _Places.of(self.events)

    @cached_property
    def _pairs(self) -> _Places:
        return _Places.of(self.pairs)


@dataclass(frozen=True)
class _Places:
    """Finds the places of items, sorted once."""

    items: U64  # [k], rising
    places: I64  # [k]

    @classmethod
    def of(cls, items: U64) -> _Places:
        order = np.argsort(items)
        return cls(items[order], order)

    def find(self, items: U64, missing: int) -> I64:
        """Where each item stands, [m]; ``missing`` where nowhere."""
        if not len(self.items):
            return np.full(len(items), missing)
        near = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where(self.items[near] == items, self.places[near], missing)


NOTHING = Counted(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64))


def most_frequent(found: Found, *, most: int, min_count: int) -> U64:
    """The items that occur in the most records, in ``min_count`` at least, the most frequent first."""
    items, codes = np.unique(found.items, return_inverse=True)
    span = int(found.rows.max(initial=0)) + 1
    records = np.bincount(np.unique(codes * span + found.rows) // span, minlength=len(items))
    order = np.lexsort((items, -records))
    return items[order[records[order] >= min_count][:most]]


def _written(items: U64) -> Sequence[int]:
    """As JSON numbers, which are exact to 53 bits."""
    written: list[int] = items.tolist()
    return written


def _read(items: Sequence[int]) -> U64:
    return np.array(items, dtype=np.uint64)
