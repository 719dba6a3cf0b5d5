"""Texts of one kind, learned and encoded piece by piece: their wording, what is counted in them, and oddities.

What ``text`` and ``path`` have in common; they differ in what they look for besides the wording (``Kind``). New
wordings and oddities are one event told in several ways: their columns add up to the strength of the rarest of them.
Of those equally rare the most telling gets it all: oddities before words, words before templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from monitor.core.arrays import F32, F64, I64, Bools, Column
from monitor.core.errors import DataError
from monitor.core.protocols import Finding
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strings import U64, Texts, pieces
from monitor.core.tokens import Tokens, tokenise
from monitor.encoders._flags import Flags
from monitor.encoders._frequent import Frequent
from monitor.encoders._phrase_learning import learn_phrases
from monitor.encoders._phrases import PhraseConfig, Phrases
from monitor.encoders._tallies import Tallies
from monitor.encoders._vocabulary import Vocabulary, cascade, restored, stored
from monitor.encoders._wording import MISSING, ORDINARY


class Sight(NamedTuple):
    """What is seen in a piece of n texts besides their wording.

    ``counts`` are [n, c], ``categories`` [n]; each of ``items`` is hashes and the texts they stand in, [m] and [m].
    """

    counts: I64
    categories: U64
    items: tuple[tuple[U64, I64], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is looked for: names of the counts, the oddities (name and what to say of it), and names of categories."""

    counts: tuple[str, ...]
    oddities: tuple[tuple[str, str], ...]
    category: Callable[[int], str]
    look: Callable[[Texts, Tokens], Sight]


NO_CATEGORY = np.uint64(0)

MOST_CATEGORIES = 8
"""So many categories have a column, the most frequent ones."""


def learn_passages(kind: Kind, config: PhraseConfig, field: str, batch: RecordBatch) -> FittedPassages:
    """Learn from benign records.

    Raises:
        DataError: the field is missing in all of them.
    """
    column = batch.column(field, FieldType.TEXT)
    present = column.drop_null()
    if not len(present):
        raise DataError(f"field {field!r}: missing in all of {len(batch):,} benign records")
    seen = _gather(kind, config, present)
    found, counts = np.unique(seen.categories, return_counts=True)
    return FittedPassages(
        kind=kind,
        field=field,
        phrases=learn_phrases(present, config),
        categories=Frequent.learn(found, counts, np.lexsort((found, -counts)), MOST_CATEGORIES),
        tallies=Tallies.learn(kind.counts, seen.counts),
        oddities=tuple(
            Vocabulary.learn(items, rows, records=len(present), most=config.vocabulary) for items, rows in seen.items
        ),
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
        top = [self.kind.category(number) for number in self.categories.top.tolist()]
        categories = (*top, "<other>")[: self.categories.width]
        flags = (f"<{name}>" for name in self.flags.columns)
        return (*self.phrases.columns, *categories, *self.tallies.columns, *flags)

    @cached_property
    def _novelty(self) -> tuple[str, ...]:
        return (*self._odd, *self.phrases.novelty, *self.tallies.novelty, *self.flags.novelty)

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        column: Column = batch.column(self.field, FieldType.TEXT)
        for rows, piece in pieces(column, self.phrases.config.max_bytes):
            self._encode(piece, columns[rows], novelty[rows])

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

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - words were hashed
        return {}

    def state(self) -> Mapping[str, Any]:
        return {
            "phrases": self.phrases.state(),
            "categories": self.categories.state(),
            "tallies": self.tallies.state(),
            "oddities": [stored(vocabulary) for vocabulary in self.oddities],
            "flags": self.flags.state(),
        }

    @cached_property
    def _odd(self) -> tuple[str, ...]:
        pairs = zip(self.kind.oddities, self.oddities, strict=True)
        return tuple(name for (name, _), vocabulary in pairs if vocabulary)

    @cached_property
    def _neutral(self) -> F32:
        """The columns of a text that is missing where none ever was: the benign average."""
        own = np.array((*self.categories.neutral, *self.tallies.means), dtype=np.float32)
        return np.concatenate((self.phrases.neutral, own))

    def _encode(self, piece: Texts, columns: F32, novelty: F32) -> None:
        tokens, present = tokenise(piece), ~piece.missing
        sight = self.kind.look(piece, tokens)
        words, after = len(self.phrases.columns), len(self.phrases.columns) + self.categories.width
        states, wordings = len(self.columns) - len(self.flags.columns), len(self.phrases.novelty) + len(self._odd)
        counted = wordings + len(self.tallies.novelty)
        self.phrases.write(tokens, present, columns[:, :words])
        self.categories.write(sight.categories, present, columns[:, words:after])
        self.tallies.write(sight.counts, columns[:, after:states], novelty[:, wordings:counted])
        wording = self.phrases.surprises(piece, tokens, present)
        cascade([*self._odd_surprises(sight, present), *wording], novelty[:, :wordings])
        if not present.all():
            columns[piece.missing, :states] = 0.0 if MISSING in self.flags.columns else self._neutral
        self.flags.write((piece.missing,), columns[:, states:], novelty[:, counted:])

    def _odd_surprises(self, sight: Sight, present: Bools) -> list[F64]:
        pairs = [(found, known) for found, known in zip(sight.items, self.oddities, strict=True) if known]
        return [known.surprise(items, rows, len(present)) * present for (items, rows), known in pairs]

    def _novelty_reason(self, novelty: F32) -> str | None:
        """The sentence for the most surprising of the novelty columns; None if nothing is new."""
        odd, wordings = len(self._odd), len(self._odd) + len(self.phrases.novelty)
        counted = wordings + len(self.tallies.novelty)
        worst = int(novelty.argmax())
        if worst < odd and novelty[worst] > 0.0:
            told = dict(self.kind.oddities)[self.novelty[worst]]
            return f"{told} in {self.phrases.records:,} benign records"
        if worst < wordings:
            return self.phrases.reason(novelty[odd:wordings])
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
        oddities=tuple(restored(vocabulary) for vocabulary in state["oddities"]),
        flags=Flags.restore(state["flags"]),
    )


def _gather(kind: Kind, config: PhraseConfig, present: Column) -> Sight:
    """What is seen in all of the texts."""
    sights = list[Sight]()
    for where, piece in pieces(present, config.max_bytes):
        counts, categories, items = kind.look(piece, tokenise(piece))
        sights.append(Sight(counts, categories, tuple((hashes, rows + where.start) for hashes, rows in items)))
    return Sight(
        np.concatenate([sight.counts for sight in sights]),
        np.concatenate([sight.categories for sight in sights]),
        tuple(_joined([sight.items[i] for sight in sights]) for i in range(len(kind.oddities))),
    )


def _joined(found: list[tuple[U64, I64]]) -> tuple[U64, I64]:
    return np.concatenate([items for items, _ in found]), np.concatenate([rows for _, rows in found])
