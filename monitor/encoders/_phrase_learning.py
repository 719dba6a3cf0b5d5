"""Learns the wording of benign texts: one pass over them, then counting."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.core.arrays import I64, Column
from monitor.core.printable import printable
from monitor.core.strings import U64, pieces, texts
from monitor.core.tokens import masked_text, text_hashes, tokenise
from monitor.encoders._escapes import unescape
from monitor.encoders._frequent import Frequent
from monitor.encoders._phrases import EXAMPLE_BYTES, FULL, PhraseConfig, Phrases
from monitor.encoders._rarity import often, telling
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
    filled: I64  # [FULL + 1, buckets] how many texts have 0, 1, ... FULL or more words of the bucket


def learn_phrases(column: Column, config: PhraseConfig) -> Phrases:
    """Learn from benign texts, [n], n > 0, none of them missing."""
    seen, n = _gather(column, config), len(column)
    templates, first, counts = np.unique(seen.templates, return_index=True, return_counts=True)
    frequent = np.lexsort((first, -counts))  # ties: what came first
    active = np.flatnonzero(often(n - seen.filled.max(axis=0), n))
    means = np.arange(FULL + 1) @ seen.filled[:, active] / (FULL * n)
    each = np.arange(n)
    constant = bool((seen.values == seen.values[0]).all())
    return Phrases(
        config=config,
        records=n,
        distinct=len(templates),
        frequent=Frequent.learn(templates, counts, frequent, telling(counts, config.templates)),
        active=tuple(active.tolist()),
        means=tuple(means.tolist()),
        constant=constant,
        values=Vocabulary.learn(seen.values, each, records=n, most=config.vocabulary, one_each=True),
        templates=Vocabulary.learn(seen.templates, each, records=n, most=config.vocabulary, one_each=True),
        words=Vocabulary.learn(seen.words, seen.rows, records=n, most=config.vocabulary),
        examples=tuple(_example(column, int(first[k]), whole=constant) for k in frequent[:EXAMPLES]),
    )


def widened_phrases(phrases: Phrases, column: Column) -> Phrases:
    """The same with what further benign texts [n], n > 0, none of them missing, showed among what is known.

    A text that was the only one stays it.
    """
    if phrases.constant:
        return phrases
    seen = _gather(column, phrases.config)
    return replace(
        phrases,
        records=phrases.records + len(column),
        values=phrases.values and phrases.values.also(seen.values),
        templates=phrases.templates and phrases.templates.also(seen.templates),
        words=phrases.words and phrases.words.also(seen.words),
    )


def _gather(column: Column, config: PhraseConfig) -> _Gathered:
    """One pass over the texts; for a million of 15 words it needs about 350 MB."""
    values, templates, words, rows = list[U64](), list[U64](), list[U64](), list[I64]()
    filled = np.zeros((FULL + 1, config.buckets), dtype=np.int64)
    for where, piece in pieces(column, config.max_bytes):
        plain, _, _ = unescape(piece)
        tokens = tokenise(plain)
        bag = np.minimum(tokens.bag(config.buckets), FULL)
        filled += [(bag == count).sum(axis=0) for count in range(FULL + 1)]
        values.append(text_hashes(plain))
        templates.append(tokens.templates)
        words.append(tokens.words)
        rows.append(tokens.rows + where.start)
    return _Gathered(
        values=np.concatenate(values),
        templates=np.concatenate(templates),
        words=np.concatenate(words),
        rows=np.concatenate(rows),
        filled=filled,
    )


def _example(column: Column, row: int, *, whole: bool) -> str:
    """A benign text to show, its values masked unless the ``whole`` text never varies."""
    cut, _, _ = unescape(texts(column.slice(row, 1), EXAMPLE_BYTES))
    text = cut.data[: cut.stops[0]].decode("utf-8", errors="replace") if whole else masked_text(cut, 0)
    return printable(text, EXAMPLE_CHARACTERS)
