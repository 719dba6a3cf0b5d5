"""Learns counts from benign records: first which events there are, then how often they occur."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import Bools, Column
from monitor.core.arrow import pa
from monitor.core.errors import DataError
from monitor.core.records import RecordBatch
from monitor.core.strings import U64
from monitor.encoders._counts_codes import NOTHING, Counted, most_frequent
from monitor.encoders._counts_events import Found, Successions, names
from monitor.encoders._counts_learned import Learned
from monitor.encoders._counts_reading import Reader, Sight
from monitor.encoders._counts_scales import CountScales, fit_count_scales
from monitor.encoders._flags import Flags
from monitor.encoders._vocabulary import Vocabulary
from monitor.encoders._wording import MISSING

MOST_KNOWN = 50_000
"""So many different events, and successions, are remembered (8 bytes each); with more, a new one cannot be told."""


class Manner(NamedTuple):
    """How to count: see the options of ``counts``."""

    max_events: int
    min_count: int
    bigrams: bool
    mask: bool
    clip: float
    within: str


class _Benign(NamedTuple):
    """What was found in all records."""

    events: Found
    pairs: Successions
    masks: dict[str, Bools]


def learn(read: Callable[[Counted], Reader], parts: Sequence[RecordBatch], manner: Manner, field: str) -> Learned:
    """Learn from benign records, in parts.

    Args:
        read: makes a reader that counts given events and begins with nothing remembered.
        parts: the records in order.
        manner: how to count.
        field: named in the error.

    Raises:
        DataError: there is not one event.
    """
    reader = read(NOTHING)
    benign = _joined([reader.look(part) for part in parts])
    records = sum(map(len, parts))
    if not len(benign.events.items):
        hint = "" if manner.within else "; where each record is one event, and not a list of them, set `window`"
        raise DataError(f"field {field!r}: not one event in {records:,} benign records{hint}")
    counted, told = _counted(benign, parts, manner)
    return Learned(
        counted=counted,
        names=told,
        scales=_scales(read(counted), parts),
        events=Vocabulary.learn(*benign.events, records=records, most=MOST_KNOWN),
        pairs=Vocabulary.learn(*benign.pairs.found, records=records, most=MOST_KNOWN) if manner.bigrams else None,
        flags=Flags.learn(benign.masks, records),
        clip=manner.clip,
        within=manner.within,
    )


def _counted(benign: _Benign, parts: Sequence[RecordBatch], manner: Manner) -> tuple[Counted, tuple[str, ...]]:
    """What is counted one by one, and its names."""
    most, min_count = manner.max_events, manner.min_count
    events = most_frequent(benign.events, most=most, min_count=min_count)
    pairs, first, second = events[:0], events[:0], events[:0]
    if manner.bigrams:
        pairs = most_frequent(benign.pairs.found, most=most, min_count=min_count)
        items, places = np.unique(benign.pairs.found.items, return_index=True)
        there = places[np.searchsorted(items, pairs)]
        first, second = benign.pairs.first[there], benign.pairs.second[there]
    told = names(_texts(parts), {*events.tolist(), *first.tolist(), *second.tolist()}, mask=manner.mask)
    of_pairs = (_named(told, pair) for pair in zip(first.tolist(), second.tolist(), strict=True))
    return Counted(events, pairs), (*(_named(told, (event,)) for event in events.tolist()), *of_pairs)


def _named(told: dict[int, str], items: tuple[int, ...]) -> str:
    return " then ".join(f'"{told[item]}"' for item in items)


def _texts(parts: Sequence[RecordBatch]) -> Column:
    """Every distinct event as text."""
    columns = (column for part in parts for column in part.columns.values())
    flat = (column.flatten() if pa.types.is_list(column.type) else column for column in columns)
    return pa.concat_arrays([column.unique().cast(pa.string()) for column in flat])


def _scales(reader: Reader, parts: Sequence[RecordBatch]) -> CountScales:
    def measured(sight: Sight) -> np.ndarray:
        return reader.counted.measures(sight.tallies[~sight.masks[MISSING]])

    return fit_count_scales(measured(reader.look(part)) for part in parts)


def _joined(sights: Sequence[Sight]) -> _Benign:
    """What was seen in parts, with the rows numbered throughout."""
    sizes = [len(sight.tallies) for sight in sights]
    firsts = np.cumsum([0, *sizes[:-1]])
    events = [Found(s.events.items, s.events.rows + first) for s, first in zip(sights, firsts, strict=True)]
    rows = [s.pairs.rows + first for s, first in zip(sights, firsts, strict=True)]
    return _Benign(
        Found(_all([e.items for e in events]), np.concatenate([e.rows for e in events])),
        Successions(
            _all([s.pairs.first for s in sights]), _all([s.pairs.second for s in sights]), np.concatenate(rows)
        ),
        {name: np.concatenate([s.masks[name] for s in sights]) for name in sights[0].masks},
    )


def _all(items: Sequence[U64]) -> U64:
    return np.concatenate(items)
