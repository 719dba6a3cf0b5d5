"""Texts of one kind, learned and encoded piece by piece: their wording, their characters, and oddities.

What ``text`` and ``path`` have in common. New wordings and oddities are one event told in several ways: their columns
add up to the strength of the rarest of them. Of those equally rare the most telling gets it all: oddities before words,
words before templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, I64, Column
from monitor.core.arrow import pa
from monitor.core.errors import DataError
from monitor.core.printable import printable
from monitor.core.protocols import Finding
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strings import U64, Texts, pieces, texts
from monitor.encoders._characters import COUNTS, Characters
from monitor.encoders._flags import Flags
from monitor.encoders._frequent import Frequent
from monitor.encoders._neighbours import Measured, Neighbours
from monitor.encoders._phrase_learning import learn_phrases, widened_phrases
from monitor.encoders._phrases import PhraseConfig, Phrases
from monitor.encoders._rarity import telling
from monitor.encoders._repeats import Repeats
from monitor.encoders._sights import CATEGORY, ESCAPE, INVISIBLE, Kind, Sight, look
from monitor.encoders._tallies import Tallies
from monitor.encoders._vocabulary import Vocabulary, cascade, restored, stored
from monitor.encoders._wording import MISSING, ORDINARY

NEIGHBOURS, PASSAGE = "unseen neighbours", "rarest passage beyond"

MOST_CATEGORIES = 8
"""So many categories have a column, the most frequent ones."""

_TOLD = {
    INVISIBLE: "an invisible character as in none",
    ESCAPE: "a percent-escape as in none",
    CATEGORY: "an extension as in none",
    NEIGHBOURS: "characters side by side as in none",
    PASSAGE: "a passage of characters rarer than any",
}
"""What is said of oddities."""


def learn_passages(kind: Kind, config: PhraseConfig, field: str, batch: RecordBatch) -> FittedPassages:
    """Learn from benign records.

    Raises:
        DataError: the field is missing in all of them.
    """
    column = batch.column(field, FieldType.TEXT)
    present = column.drop_null()
    n = len(present)
    if not n:
        raise DataError(f"field {field!r}: missing in all of {len(batch):,} benign records")
    seen = _gather(kind, config, present)
    found, counts = np.unique(seen.categories, return_counts=True)
    frequent = np.lexsort((found, -counts))
    return FittedPassages(
        kind=kind,
        field=field,
        phrases=learn_phrases(present, config),
        categories=Frequent.learn(found, counts, frequent, telling(counts, MOST_CATEGORIES)),
        tallies=Tallies.learn(COUNTS, seen.counts),
        neighbours=Neighbours.learn(seen.pieces, n),
        oddities=tuple(Vocabulary.learn(items, rows, records=n, most=config.vocabulary) for items, rows in seen.items),
        flags=Flags.learn({MISSING: column.is_null().to_numpy(zero_copy_only=False)}, len(batch)),
    )


@dataclass(frozen=True)
class FittedPassages:
    """What benign texts showed; ``oddities`` are in the order of the kind's, None where they say nothing."""

    kind: Kind
    field: str
    phrases: Phrases
    categories: Frequent
    tallies: Tallies
    neighbours: Neighbours
    oddities: tuple[Vocabulary | None, ...]
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self._novelty

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        top = [self.kind.name(number) for number in self.categories.top.tolist()]
        categories = (*top, "<other>")[: self.categories.width]
        flags = (f"<{name}>" for name in self.flags.columns)
        return (*self.phrases.columns, *categories, *self.tallies.columns, *self.neighbours.rarities.columns, *flags)

    @cached_property
    def _novelty(self) -> tuple[str, ...]:
        return (*self._wordings, *self.tallies.novelty, *self.flags.novelty)

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        rows = self._repeats.of(batch.column(self.field, FieldType.TEXT))
        columns[:], novelty[:] = np.hsplit(rows, [len(self.columns)])

    @cached_property
    def _repeats(self) -> Repeats:
        return Repeats(len(self.columns) + len(self.novelty), self._rows)

    def _rows(self, column: Column) -> F32:
        """Network columns and novelty of texts, side by side."""
        width = len(self.columns)
        rows = np.zeros((len(column), width + len(self.novelty)), dtype=np.float32)
        for part, piece in pieces(column, self.phrases.config.max_bytes):
            self._encode(piece, rows[part, :width], rows[part, width:])
        return rows

    def widened(self, batch: RecordBatch) -> FittedPassages:
        """See ``WideningEncoder``. How rare characters are side by side stays as learned, and so what is told of it."""
        present = batch.column(self.field, FieldType.TEXT).drop_null()
        if not len(present):
            return self
        seen = _gather(self.kind, self.phrases.config, present)
        pairs = zip(self.oddities, seen.items, strict=True)
        oddities = tuple(known and known.also(items) for known, (items, _) in pairs)
        return replace(self, phrases=widened_phrases(self.phrases, present), oddities=oddities)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        words, states = len(self.phrases.columns), len(self.columns) - len(self.flags.columns)
        new = bool(novelty.any())
        reason = (
            self._novelty_reason(novelty)
            or self.flags.reason(columns[states:], reconstruction[states:])
            or self.phrases.rareness(columns)
            or ORDINARY
        )
        # Something new is best compared with what it resembles; else what the network thinks is the better guide.
        missing = self.flags.expected(reconstruction[states:])
        nearest = self.phrases.expected((columns if new else reconstruction)[:words])
        return Finding(missing or nearest, self._range() + self.flags.range_suffix(), reason)

    def oddest(self, value: str) -> str:
        """The few characters of a text that benign data make the rarest, printable; the whole text if it is short."""
        column = pa.array([value], type=pa.string())
        return self.neighbours.rarest_passage(look(self.kind, texts(column, self.phrases.config.max_bytes)).characters)

    def quote(self, text: str, novelty: F32) -> str:
        if not novelty[: len(self._wordings)].any():
            return ""
        passage = self.oddest(text)
        return "" if passage == printable(text) else passage

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - words were hashed
        return {}

    def state(self) -> Mapping[str, Any]:
        return {
            "phrases": self.phrases.state(),
            "categories": self.categories.state(),
            "tallies": self.tallies.state(),
            "neighbours": self.neighbours.state(),
            "oddities": [stored(vocabulary) for vocabulary in self.oddities],
            "flags": self.flags.state(),
        }

    @cached_property
    def _odd(self) -> tuple[str, ...]:
        names = (*self.kind.oddities, NEIGHBOURS)
        return tuple(name for name, known in zip(names, self._oddities, strict=True) if known)

    @cached_property
    def _oddities(self) -> tuple[Vocabulary | None, ...]:
        return (*self.oddities, self.neighbours.kinds)

    @cached_property
    def _wordings(self) -> tuple[str, ...]:
        """All that tells of one event, the most telling first."""
        return (*self._odd, *self.phrases.novelty, PASSAGE)

    @cached_property
    def _neutral(self) -> F32:
        """The columns of a text that is missing where none ever was: the benign average."""
        own = np.array(
            (*self.categories.neutral, *self.tallies.means, *self.neighbours.rarities.means), dtype=np.float32
        )
        return np.concatenate((self.phrases.neutral, own))

    def _encode(self, raw: Texts, columns: F32, novelty: F32) -> None:
        sight, present = look(self.kind, raw), ~raw.missing
        measured = self.neighbours.measure(sight.characters)
        words, after = len(self.phrases.columns), len(self.phrases.columns) + self.categories.width
        states, wordings = len(self.columns) - len(self.flags.columns), len(self._wordings)
        rarities, counted = after + len(self.tallies.columns), wordings + len(self.tallies.novelty)
        self.phrases.write(sight.tokens, present, columns[:, :words])
        self.categories.write(sight.categories, present, columns[:, words:after])
        columns[:, after:rarities] = self.tallies.scaled(sight.counts)
        columns[:, rarities:states] = self.neighbours.rarities.scaled(measured.rarities)
        self.tallies.surprise(sight.counts, novelty[:, wordings:counted])
        wording = self.phrases.surprises(sight.characters.piece, sight.tokens, present)
        strengths = [*self._odd_surprises(sight, measured), *wording, self.neighbours.surprise(measured)]
        cascade([strength * present for strength in strengths], novelty[:, :wordings])
        if not present.all():
            columns[raw.missing, :states] = 0.0 if MISSING in self.flags.columns else self._neutral
        self.flags.write((raw.missing,), columns[:, states:], novelty[:, counted:])

    def _odd_surprises(self, sight: Sight, measured: Measured) -> list[F64]:
        found = zip((*sight.items, (measured.kinds, measured.rows)), self._oddities, strict=True)
        return [known.surprise(items, rows, len(sight.counts)) for (items, rows), known in found if known]

    def _novelty_reason(self, novelty: F32) -> str | None:
        """The sentence for the most surprising of the novelty columns; None if nothing is new."""
        odd, wordings = len(self._odd), len(self._wordings)
        counted = wordings + len(self.tallies.novelty)
        worst = int(novelty.argmax())
        if self.novelty[worst] in _TOLD and novelty[worst] > 0.0:
            return f"{_TOLD[self.novelty[worst]]} in {self.phrases.records:,} benign records"
        if worst < wordings:
            return self.phrases.reason(novelty[odd : wordings - 1])
        if worst < counted:
            return self.tallies.reason(novelty[wordings:counted])
        return self.flags.novelty_reason(novelty[counted:])

    def _range(self) -> str:
        if self.phrases.constant:
            return f"always {self.phrases.examples[0] or 'empty'}"
        count, low, high = self.phrases.distinct, self.tallies.low[0], self.tallies.high[0]
        lengths = f"{low:,} bytes" if low == high else f"{low:,} to {high:,} bytes"
        return f"{count:,} template{'s' if count > 1 else ''}, {lengths}"


def restore_passages(kind: Kind, config: PhraseConfig, field: str, state: Mapping[str, Any]) -> FittedPassages:
    """The inverse of ``FittedPassages.state``."""
    return FittedPassages(
        kind=kind,
        field=field,
        phrases=Phrases.restore(config, state["phrases"]),
        categories=Frequent.restore(state["categories"]),
        tallies=Tallies.restore(state["tallies"]),
        neighbours=Neighbours.restore(state["neighbours"]),
        oddities=tuple(restored(vocabulary) for vocabulary in state["oddities"]),
        flags=Flags.restore(state["flags"]),
    )


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What is seen in all of the texts."""

    pieces: list[Characters]  # their escapes undone
    counts: I64
    categories: U64
    items: tuple[tuple[U64, I64], ...]


def _gather(kind: Kind, config: PhraseConfig, present: Column) -> _Gathered:
    plain, counts, categories = list[Characters](), list[I64](), list[U64]()
    items: list[list[tuple[U64, I64]]] = [[] for _ in kind.oddities]
    for where, piece in pieces(present, config.max_bytes):
        sight = look(kind, piece)
        plain.append(sight.characters)
        counts.append(sight.counts)
        categories.append(sight.categories)
        for found, (hashes, rows) in zip(items, sight.items, strict=True):
            found.append((hashes, rows + where.start))
    return _Gathered(plain, np.concatenate(counts), np.concatenate(categories), tuple(map(_joined, items)))


def _joined(found: list[tuple[U64, I64]]) -> tuple[U64, I64]:
    return np.concatenate([items for items, _ in found]), np.concatenate([rows for _, rows in found])
