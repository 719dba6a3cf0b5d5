"""URL paths, query strings and file paths: their wording, extension and depth, and characters that do not belong there.

All that ``text`` looks at, and the file extension besides. What is percent-escaped is looked at as what it means, an
injected payload in a query as the payload; an escape that benign data never had is a surprise of its own.
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
from monitor.encoders._passages import learn_passages, restore_passages
from monitor.encoders._phrases import PhraseConfig
from monitor.encoders._sights import NO_CATEGORY, Kind


class Config(PhraseConfig):
    """Options of ``path``."""


EXAMPLE = """
templates: 32
vocabulary: 20000
"""

LONGEST_EXTENSION = 8
"""Bytes; what follows the last dot of a longer name is no file type."""


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


def _extensions(piece: Texts, tokens: Tokens) -> U64:
    """The word behind a dot at the end of each path, before any query, as a number, [n]; NO_CATEGORY for none."""
    stops = _path_stops(piece)
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


def _path_stops(piece: Texts) -> I64:
    """Where the path of each text ends: at a question mark or number sign, or with the text, [n]."""
    ends = np.flatnonzero((piece.codes == ord("?")) | (piece.codes == ord("#")))
    ends = np.append(ends, len(piece.data))
    first: I64 = ends[np.searchsorted(ends, piece.starts)]
    return np.minimum(first, piece.stops)


def _shown(extension: int) -> str:
    """The name of an extension's column."""
    text = extension.to_bytes(8, "little").rstrip(b"\0").decode("utf-8", errors="replace")
    return f"extension .{text}" if text else "no extension"


KIND = Kind(_extensions, _shown)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return PathEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return restore_passages(KIND, config, field, state)
