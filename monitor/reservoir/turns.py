"""Whose turn it is to be sampled: the keys of a stream take turns, so that what is kept of each are whole stretches.

Time goes round and round, and every key stands somewhere on the dial, where a keyed hash put it. The *rank* of a record
is how far time has gone since it passed its key, from 0 to a whole round (2^64). So to keep the records with the lowest
ranks is to keep of each key all records from the beginning of its turn on, for as long as the limits allow; where they
shrink, stretches lose their end. A round lasts as long as there are keys: the more, the longer each has to wait for its
turn, and the longer that is. So a stretch has about as many records as a span may keep, however many keys there are and
however often each of them comes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.strings import U64
from monitor.reservoir.smallest import about, merged, none

SPAN_HOURS = 6
"""Stretches share the limits by quarters of a day: in the 720th part of them that an hour has of a month, a feature
would remember too little for too long."""

SPAN_SECONDS = SPAN_HOURS * 3600

GOLDEN = (1 + 5**0.5) / 2
"""A round is shorter than a span for each key by this: turns then fall on every time of day, and on none twice."""

FIRST_KEYS = 64.0
"""So many keys are supposed until a span has shown how many there are: with more, turns are short for a span."""

LOOK_BACK = 4
"""Spans, a day of them, of which the one with the most keys tells how long a round is."""

FULL = 2.0**64


@dataclass(slots=True)
class Tally:
    """What is known of a span: how long its round is, when its first and last record came, how many, of how many keys.

    Records and keys are counted by their ``smallest`` hashes.
    """

    round_seconds: float
    first: float = np.inf
    last: float = -np.inf
    records: U64 = field(default_factory=none)
    keys: U64 = field(default_factory=none)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        hashes = {name: base64.b64encode(each.tobytes()).decode() for name, each in self._hashes().items()}
        return {"round_seconds": self.round_seconds, "first": self.first, "last": self.last, **hashes}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Tally:
        """From JSON; KeyError, TypeError or ValueError where it is none of ours."""
        hashes = (np.frombuffer(base64.b64decode(plain[name]), dtype=np.uint64) for name in ("records", "keys"))
        return cls(float(plain["round_seconds"]), float(plain["first"]), float(plain["last"]), *hashes)

    def _hashes(self) -> dict[str, U64]:
        return {"records": self.records, "keys": self.keys}


class Turns:
    """The spans of a stream, by the hour in which each begins. What it tells of them depends on their records alone."""

    def __init__(self) -> None:
        self.tallies: dict[int, Tally] = {}

    def ranks(self, spans: I64, times: F64, keys: U64) -> U64:
        """The rank of each record, [m].

        Args:
            spans: those that the records are of, [m].
            times: when they happened, seconds since 1970, [m].
            keys: hashes of their keys, [m].
        """
        present, places = np.unique(spans, return_inverse=True)
        rounds = np.array([self._tally(span).round_seconds for span in present.tolist()])[places]
        gone = times / rounds
        ranks: U64 = keys + ((gone - np.floor(gone)) * FULL).astype(np.uint64)
        return ranks

    def count(self, spans: I64, times: F64, keys: U64, records: U64) -> None:
        """Records came, [m]; ``records`` are hashes of their places, and what else is given is as in ``ranks``."""
        for span in np.unique(spans).tolist():
            here, tally = spans == span, self._tally(span)
            tally.first = min(tally.first, float(times[here].min()))
            tally.last = max(tally.last, float(times[here].max()))
            tally.records = merged(tally.records, records[here])
            tally.keys = merged(tally.keys, keys[here])

    def forget(self, oldest: int) -> None:
        """Spans before this one are out of sight."""
        self.tallies = {span: tally for span, tally in self.tallies.items() if span >= oldest}

    def _tally(self, span: int) -> Tally:
        if span not in self.tallies:
            self.tallies[span] = Tally(self._round_seconds(span))
        return self.tallies[span]

    def _round_seconds(self, span: int) -> float:
        """That of the span before, if there are half to twice as many keys: a change breaks stretches off."""
        before = sorted(each for each in self.tallies if each < span)[-LOOK_BACK:]
        if not before:
            return FIRST_KEYS * SPAN_SECONDS / GOLDEN
        most = max(about(self.tallies[each].keys) for each in before)
        wanted, last = max(1.0, most) * SPAN_SECONDS / GOLDEN, self.tallies[before[-1]].round_seconds
        return last if last / 2 <= wanted <= last * 2 else wanted


def spans_of(times: F64) -> I64:
    """The span of each time, [m]: the hour, since 1970, in which it begins."""
    return (times // SPAN_SECONDS).astype(np.int64) * SPAN_HOURS


def begins(spans: I64) -> F64:
    """When each span begins, in seconds since 1970."""
    return spans.astype(np.float64) * 3600.0


def per_day(tallies: Mapping[int, Tally]) -> float:
    """About how many records came in a day, of those that may be learned; there is one at least."""
    known = [tally for tally in tallies.values() if len(tally.records)]
    seconds = max(tally.last for tally in known) - min(tally.first for tally in known)
    return sum(about(tally.records) for tally in known) * 86_400.0 / max(seconds, 1.0)
