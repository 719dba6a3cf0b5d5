"""Texts with their percent-escapes undone, so that an escaped payload looks like the payload it is.

Twice, because what is decoded twice on its way (``%2527`` is ``%27`` is ``'``) slips past whoever looks after the first
time. An escape that is none (``100%``) stays as it is, and so does a plus sign, a blank only in some queries.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.core.arrays import I64
from monitor.core.strings import U64, Texts

ROUNDS = 2
_NO_DIGIT = 16
_DIGITS = bytes(int(chr(code), 16) if chr(code) in "0123456789abcdefABCDEF" else _NO_DIGIT for code in range(256))
_HIGH = 0x80
"""Bytes from here on are parts of characters: as escapes they are all alike."""


def unescape(piece: Texts) -> tuple[Texts, U64, I64]:
    """The texts without escapes, and each escape as a number with the text it stood in, [m] each; texts ascend.

    Escapes within escapes have numbers of their own. ``lengths`` still count the texts as they came.
    """
    found, rows = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for nesting in range(ROUNDS):
        if b"%" not in piece.data:
            break
        places, values = _escapes(piece)
        found.append(np.minimum(values, _HIGH).astype(np.uint64) + np.uint64(nesting * 256 + 1))
        rows.append(np.searchsorted(piece.stops, places, side="right"))
        piece = _replaced(piece, places, values)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return piece, np.concatenate(found)[order], np.concatenate(rows)[order]


def _escapes(piece: Texts) -> tuple[I64, I64]:
    """Where a percent sign has two hexadecimal digits behind it, and the byte they mean, [m] each."""
    digits = piece.classes(_DIGITS)
    places = np.flatnonzero(piece.codes == ord("%"))  # the padding allows to read on behind the last
    upper, lower = digits[places + 1].astype(np.int64), digits[places + 2].astype(np.int64)
    valid = (upper | lower) < _NO_DIGIT
    return places[valid], (upper << 4 | lower)[valid]


def _replaced(piece: Texts, places: I64, values: I64) -> Texts:
    """Each escape replaced by its byte."""
    codes, kept = piece.codes.copy(), np.ones(len(piece.data), dtype=np.bool_)
    codes[places] = values
    kept[places + 1] = kept[places + 2] = False
    data = codes[kept].tobytes()
    starts, stops = (ends - 2 * np.searchsorted(places, ends) for ends in (piece.starts, piece.stops))
    return replace(piece, data=data + bytes(-len(data) % 8), starts=starts, stops=stops)
