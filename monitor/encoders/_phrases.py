"""The wording of texts: their templates and words as columns, and surprise at wordings benign data never showed.

Three things may be new, each implying the next: a word, the template, the text as a whole (where benign texts repeat).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field as Option
from pydantic import field_validator

from monitor.core.arrays import F32, F64, Bools
from monitor.core.arrow import pa
from monitor.core.novelty import changed
from monitor.core.strict import StrictModel
from monitor.core.strings import Texts, texts
from monitor.core.tokens import Tokens, text_hashes, tokenise
from monitor.encoders._frequent import Frequent
from monitor.encoders._vocabulary import Vocabulary, restored, stored

FULL = 3
"""A word bucket that occurs so often in a text is full: its column is 1."""

EXAMPLE_BYTES = 800
"""Examples are at most this long: 200 characters of up to 4 bytes."""

VALUE, TEMPLATE, WORD = "unseen value", "unseen template", "unseen word"
CHANGED = "changed"
_TOLD = {WORD: "a word", TEMPLATE: "template", VALUE: "value"}


class PhraseConfig(StrictModel):
    """Options of encoders that look at wording."""

    templates: int = Option(
        default=16, ge=1, le=256, description="Most templates that get a column of their own, the most frequent ones."
    )
    buckets: int = Option(
        default=32, ge=2, le=1024, description="Columns that the words of a text are hashed to, a power of two."
    )
    max_bytes: int = Option(
        default=4096, ge=64, le=65536, description="Only so many bytes of a text are looked at; its length counts all."
    )
    vocabulary: int = Option(
        default=50_000,
        ge=1,
        le=1_000_000,
        description="Most templates, and most words, that are remembered (8 bytes each). With more in benign data, a "
        "new one cannot be told, and is not.",
    )

    @field_validator("buckets")
    @classmethod
    def _power_of_two(cls, buckets: int) -> int:
        if buckets & (buckets - 1):
            raise ValueError(
                f"{buckets} is not a power of two; the next smaller one is {1 << buckets.bit_length() - 1}"
            )
        return buckets


@dataclass(frozen=True)
class Phrases:
    """Fitted. A vocabulary is None where it says nothing.

    ``distinct`` counts the templates. ``active`` are the buckets that vary in benign data, ``means`` their columns on
    average. ``constant``: every benign text was the same. ``examples`` stand for the most frequent templates.
    """

    config: PhraseConfig
    records: int
    distinct: int
    frequent: Frequent
    active: tuple[int, ...]
    means: tuple[float, ...]  # [len(active)]
    constant: bool
    values: Vocabulary | None
    templates: Vocabulary | None
    words: Vocabulary | None
    examples: tuple[str, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        named = [f"template {i}" for i in range(1, len(self.frequent.top) + 1)]
        templates = (*named, "<other template>")[: self.frequent.width]
        return (*templates, *(f"words {bucket}" for bucket in self.active))

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        first = CHANGED if self.constant else VALUE
        kinds = ((WORD, self.words), (TEMPLATE, self.templates), (first, self.values))
        return tuple(name for name, vocabulary in kinds if vocabulary)

    @cached_property
    def neutral(self) -> F32:
        """The network columns of a text that tells nothing: the benign average."""
        return np.array((*self.frequent.neutral, *self.means), dtype=np.float32)

    def write(self, tokens: Tokens, present: Bools, columns: F32) -> None:
        """Encode texts into zeroed columns; rows that are not ``present`` [n] stay zero."""
        width = self.frequent.width
        self.frequent.write(tokens.templates, present, columns[:, :width])
        np.multiply(self._bag(tokens), np.float32(1.0 / FULL), out=columns[:, width:], casting="same_kind")

    def surprises(self, piece: Texts, tokens: Tokens, present: Bools) -> list[F64]:
        """Strength in the order of ``novelty``, [n] each. What contains nothing new is not looked at any closer."""
        n, rows, result = len(piece), np.flatnonzero(present), list[F64]()
        if self.values:
            result.append(self.values.surprise(text_hashes(piece)[rows], rows, n))
            rows = np.flatnonzero(result[-1])
        if self.templates:
            result.append(self.templates.surprise(tokens.templates[rows], rows, n))
            rows = np.flatnonzero(result[-1])
        if self.words:
            inside = _among(rows, n)[tokens.rows] if len(rows) else slice(0)
            result.append(self.words.surprise(tokens.words[inside], tokens.rows[inside], n))
        if self.constant and self.values:
            result[0][result[0] > 0.0] = changed(self.records, np.zeros(1))[0]
        return result[::-1]

    def expected(self, columns: F32) -> str:
        """The example nearest to a row of network columns, by L1 distance."""
        inside = np.clip(np.nan_to_num(columns), -1.0, 2.0)  # a network out of bounds must not decide by one column
        distance = np.abs(self._example_columns - inside).sum(axis=1)
        return self.examples[int(distance.argmin())]

    def reason(self, novelty: F32) -> str | None:
        """The sentence for a row of novelty columns; None if nothing is new."""
        if not novelty.any():
            return None
        if self.constant and novelty[-1] > 0.0:
            return f"changed: always {self.examples[0] or 'empty'} in {self.records:,} benign records"
        return f"{_TOLD[self.novelty[int(novelty.argmax())]]} never seen in {self.records:,} benign records"

    def rareness(self, columns: F32) -> str | None:
        """The sentence for a row whose template has no column of its own; None if it has one."""
        if self.frequent.is_other(columns):
            return f"a rare template ({self.frequent.others:.2%} of benign records have one)"
        return None

    def state(self) -> dict[str, Any]:
        return {
            "records": self.records,
            "distinct": self.distinct,
            "frequent": self.frequent.state(),
            "active": list(self.active),
            "means": list(self.means),
            "constant": self.constant,
            "values": stored(self.values),
            "templates": stored(self.templates),
            "words": stored(self.words),
            "examples": list(self.examples),
        }

    @classmethod
    def restore(cls, config: PhraseConfig, state: Mapping[str, Any]) -> Phrases:
        return cls(
            config=config,
            records=state["records"],
            distinct=state["distinct"],
            frequent=Frequent.restore(state["frequent"]),
            active=tuple(state["active"]),
            means=tuple(state["means"]),
            constant=state["constant"],
            values=restored(state["values"]),
            templates=restored(state["templates"]),
            words=restored(state["words"]),
            examples=tuple(state["examples"]),
        )

    def _bag(self, tokens: Tokens) -> Any:
        """How often the words of each active bucket occur, at most FULL, [n, len(active)]."""
        bag = tokens.bag(self.config.buckets)
        if len(self.active) < self.config.buckets:
            bag = bag.take(np.array(self.active, dtype=np.int64), axis=1)
        return np.minimum(bag, FULL, out=bag)

    @cached_property
    def _example_columns(self) -> F32:
        """The columns of each example, [examples, len(columns)]; masked, it has its words, but not its template."""
        result = np.zeros((len(self.examples), len(self.columns)), dtype=np.float32)
        width = self.frequent.width
        read = tokenise(texts(pa.array(self.examples, type=pa.string()), EXAMPLE_BYTES))
        result[:, width:] = self._bag(read) / FULL
        if width:
            rows = np.arange(len(self.examples))
            result[rows, np.minimum(rows, width - 1)] = 1.0
        return result


def _among(rows: Any, n: int) -> Bools:
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[rows] = True
    return chosen
