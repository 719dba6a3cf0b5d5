"""Characters that should not be there: invisible ones, and neighbours that benign texts never put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, U8
from monitor.core.strings import U64, Texts

# What a byte is to its neighbours. Letters and digits are alike among themselves, other ASCII characters are not.
BETWEEN, LOWER, UPPER, DIGIT, HIGH, CONTROL, FIRST_MARK = range(7)
_MARKS = bytes(code for code in range(0x20, 0x7F) if not chr(code).isalnum())


def _group(code: int) -> int:
    if code >= 0x80:
        return HIGH
    if code < 0x20 or code == 0x7F:
        return CONTROL
    if code in _MARKS:
        return FIRST_MARK + _MARKS.index(code)
    return DIGIT if chr(code).isdigit() else LOWER if chr(code).islower() else UPPER


GROUPS = bytes(BETWEEN if code == 0 else _group(code) for code in range(256))
GROUP_COUNT = FIRST_MARK + len(_MARKS)
_ALIKE = np.arange(GROUP_COUNT, dtype=np.uint64)  # neighbours do not tell letters by their case
_ALIKE[UPPER] = LOWER

_CANDIDATES = bytes(int(code < 0x20 or code in {0x7F, 0xC2, 0xE2, 0xEF}) for code in range(256))


@dataclass(frozen=True, slots=True)
class Marks:
    """Every character of some texts that is no lower-case letter: its place, its group and the text it stands in."""

    places: I64  # [m]
    groups: U8  # [m]
    rows: I64  # [m]
    all_groups: U8  # [bytes] of every byte, BETWEEN behind each text

    def neighbours(self) -> tuple[U64, I64]:
        """Each pair of neighbours that has a mark in it, as a number, and its text; the edge of a text is a neighbour.

        [2 m'] each, in order.
        """
        marked = np.flatnonzero(self.groups >= HIGH)
        middle = self.places[marked]
        left = _ALIKE[self.all_groups[middle - 1]]  # before the first byte: the last one of the padding
        here, right = _ALIKE[self.groups[marked]], _ALIKE[self.all_groups[middle + 1]]
        pairs = np.stack((left << np.uint64(8) | here, here << np.uint64(8) | right), axis=1)
        return pairs.ravel() + np.uint64(1), np.repeat(self.rows[marked], 2)


def find_marks(piece: Texts) -> Marks:
    """Find all characters but lower-case letters."""
    groups = piece.classes(GROUPS)
    places = np.flatnonzero(groups > LOWER)
    return Marks(places, groups[places], _rows(piece, places), groups)


def invisible(piece: Texts) -> tuple[U64, I64]:
    """Each character that shows nothing, as a number, and its text: [m] each, in order.

    ASCII and C1 control characters, zero-width and direction marks, line separators, the byte order mark, and the
    character that stands for bytes which were no text.
    """
    found = piece.classes(_CANDIDATES) != 0
    found[piece.stops] = False
    places = np.flatnonzero(found[: piece.size])
    first, second, third = (piece.codes[places + k].astype(np.uint64) for k in range(3))
    control = (first < 0x20) | (first == 0x7F)
    number = np.where(control, first, first << np.uint64(16) | second << np.uint64(8) | third)
    hidden = control | ((first == 0xC2) & (second < 0xA0))
    for low, high in ((0xE2808B, 0xE2808F), (0xE280A8, 0xE280AE), (0xE281A0, 0xE281AF), (0xEFBBBF, 0xEFBBBF)):
        hidden |= (number >= low) & (number <= high)
    hidden |= number == 0xEFBFBD
    return number[hidden] + np.uint64(1), _rows(piece, places[hidden])


def _rows(piece: Texts, places: I64) -> I64:
    """The text in which each place lies, [m]; ``places`` ascend."""
    counts = np.diff(np.searchsorted(places, np.append(piece.starts, len(piece.data))))
    return np.repeat(np.arange(len(piece)), counts)
