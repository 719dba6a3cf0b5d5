"""Events as numbers: a hash of each text, or of its template, and of each two that follow one another.

A hash has 52 bits, so that it is also a float64, which is all that a keyed memory holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import I64, Column
from monitor.core.arrow import pa
from monitor.core.printable import printable
from monitor.core.spans import mix
from monitor.core.strings import U64, Texts, pieces, texts
from monitor.core.tokens import masked_text, text_hashes, tokenise

EVENT_BYTES = 4096
"""Texts that are alike so far are one event."""

NAME_CHARACTERS = 60
"""Enough to recognise a log message, short enough for two of them in one line."""

_SHIFT = np.uint64(12)
_FIRST, _SECOND = np.uint64(0x9A6D39B5C4E2F173), np.uint64(0xD1B54A32D192ED03)  # odd; stored models depend on these


class Found(NamedTuple):
    """Events, or successions of two, of records in order; ``rows`` [m] ascend."""

    items: U64  # [m]
    rows: I64  # [m]


class Successions(NamedTuple):
    """Two events each, one right after the other in the same record or window."""

    first: U64  # [m]
    second: U64  # [m]
    rows: I64  # [m], ascending

    @property
    def found(self) -> Found:
        """Each as one hash."""
        return Found(mix(self.first * _FIRST + self.second * _SECOND) >> _SHIFT, self.rows)


def hashes(column: Column, *, mask: bool) -> U64:
    """A number for each text of a column, [n]; 0 where it is missing. Masked, texts of one template are one event."""
    encoded = column.dictionary_encode()  # events repeat; each distinct one is read once
    distinct = encoded.dictionary
    each = np.zeros(len(distinct) + 1, dtype=np.uint64)
    for rows, piece in pieces(distinct, EVENT_BYTES):
        each[rows] = _hashed(piece, mask=mask)
    places: I64 = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    return each[places]


def in_lists(column: Column, *, mask: bool) -> Found:
    """The events of lists of texts; an element that is null is none."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    elements = column.flatten()
    found = Found(hashes(elements, mask=mask), np.repeat(np.arange(len(column)), lengths))
    if not elements.null_count:
        return found
    present = elements.is_valid().to_numpy(zero_copy_only=False)
    return Found(found.items[present], found.rows[present])


def successions(found: Found) -> Successions:
    """Each event with the one before it in the same record."""
    same = found.rows[1:] == found.rows[:-1]
    return Successions(found.items[:-1][same], found.items[1:][same], found.rows[1:][same])


def names(column: Column, wanted: Iterable[int], *, mask: bool) -> dict[int, str]:
    """What people call each of the ``wanted`` events, all of which are in the text column ``column``; printable."""
    distinct = column.drop_null().unique()
    items, places = np.unique(hashes(distinct, mask=mask), return_index=True)
    place = dict(zip(items.tolist(), places.tolist(), strict=True))
    return {item: _name(distinct[place[item]].as_py(), mask=mask) for item in wanted}


def _hashed(piece: Texts, *, mask: bool) -> U64:
    found = tokenise(piece).templates if mask else text_hashes(piece)
    return found >> _SHIFT


def _name(event: str, *, mask: bool) -> str:
    read = masked_text(texts(pa.array([event], pa.string()), EVENT_BYTES), 0) if mask else event
    return printable(read, NAME_CHARACTERS)
