"""Learns the wording of benign texts: one pass over them, then counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64, Column
from monitor.core.printable import printable
from monitor.core.strings import U64, pieces, texts
from monitor.core.tokens import masked_text, text_hashes, tokenise
from monitor.encoders._frequent import Frequent
from monitor.encoders._phrases import EXAMPLE_BYTES, FULL, PhraseConfig, Phrases
from monitor.encoders._vocabulary import Vocabulary

EXAMPLES = 64
"""Texts of so many of the most frequent templates are kept to be shown as the expected value."""

EXAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class _Gathered:
    """What the texts consist of."""

    values: U64  # [n]
    templates: U64  # [n]
    words: U64  # [w]
    rows: I64  # [w]
    low: I64  # [buckets] fewest words of the bucket in a text, up to FULL
    high: I64  # [buckets]
    means: F64  # [buckets]


def learn_phrases(column: Column, config: PhraseConfig) -> Phrases:
    """Learn from benign texts, [n], n > 0, none of them missing."""
    seen, n = _gather(column, config), len(column)
    templates, first, counts = np.unique(seen.templates, return_index=True, return_counts=True)
    frequent = np.lexsort((first, -counts))  # ties: what came first
    active = np.flatnonzero(seen.low < seen.high)
    each = np.arange(n)
    constant = bool((seen.values == seen.values[0]).all())
    return Phrases(
        config=config,
        records=n,
        distinct=len(templates),
        frequent=Frequent.learn(templates, counts, frequent, config.templates),
        active=tuple(active.tolist()),
        means=tuple(seen.means[active].tolist()),
        constant=constant,
        values=Vocabulary.learn(seen.values, each, records=n, most=config.vocabulary, one_each=True),
        templates=Vocabulary.learn(seen.templates, each, records=n, most=config.vocabulary, one_each=True),
        words=Vocabulary.learn(seen.words, seen.rows, records=n, most=config.vocabulary),
        examples=tuple(_example(column, int(first[k]), whole=constant) for k in frequent[:EXAMPLES]),
    )


def _gather(column: Column, config: PhraseConfig) -> _Gathered:
    """One pass over the texts; for a million of 15 words it needs about 350 MB."""
    values, templates, words, rows = list[U64](), list[U64](), list[U64](), list[I64]()
    low, high = np.full(config.buckets, FULL), np.zeros(config.buckets, dtype=np.int64)
    total = np.zeros(config.buckets, dtype=np.int64)
    for where, piece in pieces(column, config.max_bytes):
        tokens = tokenise(piece)
        bag = np.minimum(tokens.bag(config.buckets), FULL)
        low, high = np.minimum(low, bag.min(axis=0)), np.maximum(high, bag.max(axis=0))
        total += bag.sum(axis=0)
        values.append(text_hashes(piece))
        templates.append(tokens.templates)
        words.append(tokens.words)
        rows.append(tokens.rows + where.start)
    return _Gathered(
        values=np.concatenate(values),
        templates=np.concatenate(templates),
        words=np.concatenate(words),
        rows=np.concatenate(rows),
        low=low,
        high=high,
        means=total / (FULL * len(column)),
    )


def _example(column: Column, row: int, *, whole: bool) -> str:
    """A benign text to show, its values masked unless the ``whole`` text never varies."""
    cut = texts(column.slice(row, 1), EXAMPLE_BYTES)
    text = cut.data[: cut.stops[0]].decode("utf-8", errors="replace") if whole else masked_text(cut, 0)
    return printable(text, EXAMPLE_CHARACTERS)
