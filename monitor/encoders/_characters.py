"""The characters of texts by class, how many of each kind a text has, and those that show nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, U8
from monitor.core.strings import U64, Texts

# What a byte is. Letters are told apart, by no case; digits, bytes of other characters and controls are not.
BETWEEN, FIRST_LETTER, DIGIT, HIGH, CONTROL, FIRST_MARK = 0, 1, 27, 28, 29, 30
CLASS_BITS = 6
_MARKS = bytes(code for code in range(0x20, 0x7F) if not chr(code).isalnum())


def _class(code: int) -> int:
    character = chr(code)
    if code >= 0x80:
        return HIGH
    if character.isalpha():
        return FIRST_LETTER + ord(character.lower()) - ord("a")
    if character.isdigit():
        return DIGIT
    return FIRST_MARK + _MARKS.index(code) if code in _MARKS else CONTROL if code else BETWEEN


_CLASS = bytes(_class(code) for code in range(256))

_COUNTED = (
    ("slashes", b"/\\"),
    ("percent signs", b"%"),
    ("quotes", b"'\"`"),
    ("angle brackets", b"<>"),
    ("semicolons", b";"),
    ("brackets", b"()[]{}"),
    ("equals signs", b"="),
    ("ampersands", b"&"),
    ("blanks", b" "),
    ("dots", b"."),
    ("dashes", b"-_~"),
)
COUNTS = ("length", *(name for name, _ in _COUNTED), "other marks", "control characters", "non-ASCII bytes")
PERCENT = COUNTS.index("percent signs")


def _count_of_class() -> U8:
    """Which of COUNTS each class goes to, from HIGH on; letters and digits are not counted."""
    counts = np.full(1 << CLASS_BITS, COUNTS.index("other marks"), dtype=np.uint8)
    counts[HIGH], counts[CONTROL] = COUNTS.index("non-ASCII bytes"), COUNTS.index("control characters")
    for name, some in _COUNTED:
        counts[[_CLASS[code] for code in some]] = COUNTS.index(name)
    return counts


_COUNT_OF_CLASS = _count_of_class()

_CANDIDATES = bytes(int(code < 0x20 or code in {0x7F, 0xC2, 0xE2, 0xEF}) for code in range(256))


@dataclass(frozen=True, slots=True)
class Characters:
    """Texts and the class of each of their bytes, [size], BETWEEN for the zero byte behind each."""

    piece: Texts
    classes: U8

    @classmethod
    def of(cls, piece: Texts) -> Characters:
        return cls(piece, piece.classes(_CLASS)[: piece.size])

    def counts(self) -> I64:
        """How many characters of each kind a text has, and its length in bytes, [n, len(COUNTS)].

        Letters and digits are not counted: they are what words and values are made of.
        """
        n, width, marked = len(self.piece), len(COUNTS), self.classes >= HIGH
        each = np.add.reduceat(marked.view(np.uint8), self.piece.starts, dtype=np.int64)
        cells = np.repeat(np.arange(n) * width, each)
        cells += _COUNT_OF_CLASS[self.classes[np.flatnonzero(marked)]]
        counts = np.bincount(cells, minlength=n * width).reshape(-1, width)
        counts[:, 0] = self.piece.lengths
        return counts


def invisible(piece: Texts) -> tuple[U64, I64]:
    """Each character that shows nothing, as a number, and its text: [m] each, in order.

    ASCII and C1 control characters, zero-width and direction marks, line separators, the byte order mark, and the
    character that stands for bytes which were no text.
    """
    if _all_visible(piece):
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
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
    return number[hidden] + np.uint64(1), np.searchsorted(piece.stops, places[hidden])


def _all_visible(piece: Texts) -> bool:
    """Whether there is nothing but visible ASCII characters, which is soon said of most texts."""
    between = len(piece.data) - int((piece.stops - piece.starts).sum())
    low = np.count_nonzero(piece.codes < ord(" "))
    return low == between and piece.data.isascii() and b"\x7f" not in piece.data
