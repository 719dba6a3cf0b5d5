"""URL paths, query strings and file paths: their wording, extension and depth, and characters that do not belong there.

Nothing is decoded: an escape is a sign of its own. Besides what ``text`` looks at, quotes, brackets, escapes and the
like are counted, and neighbouring characters that benign data never put together are surprising: what an injected
payload cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import I64
from monitor.core.protocols import Encoder, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.spans import read_spans
from monitor.core.strings import U64, Texts
from monitor.core.tokens import Tokens
from monitor.encoders._characters import (
    CONTROL,
    DIGIT,
    GROUP_COUNT,
    GROUPS,
    HIGH,
    UPPER,
    Marks,
    find_marks,
    invisible,
)
from monitor.encoders._passages import NO_CATEGORY, Kind, Sight, learn_passages, restore_passages
from monitor.encoders._phrases import PhraseConfig


class Config(PhraseConfig):
    """Options of ``path``."""


EXAMPLE = """
templates: 32
vocabulary: 20000
"""

LONGEST_EXTENSION = 8
"""Bytes; what follows the last dot of a longer name is no file type."""

_COUNTED = (
    ("slashes", b"/\\"),
    ("percent signs", b"%"),
    ("quotes", b"'\"`"),
    ("angle brackets", b"<>"),
    ("semicolons", b";"),
    ("brackets", b"()[]{}"),
    ("equals signs", b"="),
    ("ampersands", b"&"),
    ("blanks", b" +"),
    ("dots", b"."),
    ("dashes", b"-_~"),
    ("other marks", b"!#$*,:?@^|"),
)
_NAMES = ("length", "upper-case letters", "digits", "non-ASCII bytes", *(name for name, _ in _COUNTED), "dot pairs")
_DOT, _DOTS = GROUPS[ord(".")], len(_NAMES) - 1


def _counter_of_group() -> I64:
    """Which count a group of characters goes to, [GROUP_COUNT]; 0 (overwritten by the length) for those not counted."""
    counter = np.zeros(GROUP_COUNT, dtype=np.int64)
    counter[[UPPER, DIGIT, HIGH]] = 1, 2, 3
    counter[CONTROL] = _NAMES.index("other marks")
    for index, (_, characters) in enumerate(_COUNTED, start=4):
        counter[[GROUPS[code] for code in characters]] = index
    return counter


_COUNTER = _counter_of_group()


@dataclass(frozen=True)
class PathEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.TEXT),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        return learn_passages(KIND, self.config, self.field, batch)


def _look(piece: Texts, tokens: Tokens) -> Sight:
    marks = find_marks(piece)
    extensions = _extensions(piece, tokens, marks)
    each = np.arange(len(piece))
    return Sight(_counts(piece, marks), extensions, (invisible(piece), (extensions, each), marks.neighbours()))


def _counts(piece: Texts, marks: Marks) -> I64:
    """How often characters of each kind occur, and the length, [n, len(_NAMES)]."""
    width = len(_NAMES)
    cells = marks.rows * width + _COUNTER[marks.groups]
    counts = np.bincount(cells, minlength=len(piece) * width).reshape(-1, width)
    counts[:, 0] = piece.lengths
    dots = np.flatnonzero(marks.groups == _DOT)
    pairs = dots[marks.all_groups[marks.places[dots] + 1] == _DOT]
    counts[:, _DOTS] = np.bincount(marks.rows[pairs], minlength=len(piece))
    return counts


def _extensions(piece: Texts, tokens: Tokens, marks: Marks) -> U64:
    """The word behind a dot at the end of each path, before any query, as a number, [n]; NO_CATEGORY for none."""
    stops = _path_stops(piece, marks)
    words = tokens.found
    last = np.searchsorted(words.ends, stops, side="right") - 1
    rows = np.flatnonzero(last >= words.bounds[:-1])
    last = last[rows]
    lengths = words.ends[last] - words.starts[last]
    fits = (words.ends[last] == stops[rows]) & (lengths <= LONGEST_EXTENSION)
    fits &= (words.starts[last] > piece.starts[rows]) & (piece.codes[words.starts[last] - 1] == ord("."))
    extensions = np.full(len(piece), NO_CATEGORY)
    extensions[rows[fits]] = read_spans(piece.words, words.starts[last][fits], lengths[fits]).head
    return extensions


def _path_stops(piece: Texts, marks: Marks) -> I64:
    """Where the path of each text ends: at a question mark or number sign, or with the text, [n]."""
    ends = marks.places[(marks.groups == GROUPS[ord("?")]) | (marks.groups == GROUPS[ord("#")])]
    ends = np.append(ends, len(piece.data))
    first: I64 = ends[np.searchsorted(ends, piece.starts)]
    return np.minimum(first, piece.stops)


def _shown(extension: int) -> str:
    """The name of an extension's column."""
    text = extension.to_bytes(8, "little").rstrip(b"\0").decode("utf-8", errors="replace")
    return f"extension .{text}" if text else "no extension"


KIND = Kind(
    counts=_NAMES,
    oddities=(
        ("invisible characters", "an invisible character as in none"),
        ("unseen extension", "an extension as in none"),
        ("unseen neighbours", "characters side by side as in none"),
    ),
    category=_shown,
    look=_look,
)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return PathEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return restore_passages(KIND, config, field, state)
