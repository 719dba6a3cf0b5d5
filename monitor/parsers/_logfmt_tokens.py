"""The pairs of all plain logfmt lines of a block, found by array operations.

A line is plain when its words are separated by spaces alone, every word has a key, quotes enclose whole values, and no
quoted value needs unescaping. All other lines are left to the parser's slow path, which defines what a line means.
"""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import I64, U8, Bools, Column
from monitor.core.cuts import Block, Span, cut, patch

_SPACE, _EQUALS, _QUOTE, _BACKSLASH = b' ="\\'
_WORD_BYTES = 8


class Tokens:
    """The words of a block; in ``plain`` lines, [n], each is ``key``, ``key=value`` or ``key="value"``."""

    def __init__(self, block: Block) -> None:
        self._block = block
        octets = np.frombuffer(block.data, dtype=np.uint8)
        quotes = np.flatnonzero(octets == _QUOTE)
        first_quotes = np.searchsorted(quotes, block.starts)
        self._cut_words(self._outside(np.flatnonzero(octets == _SPACE), quotes, first_quotes))
        equals = np.append(np.flatnonzero(octets == _EQUALS), len(octets))
        self._equals = equals[np.searchsorted(equals, self._starts)]
        self._is_pair = self._equals < self._stops
        self._key_stops = np.where(self._is_pair, self._equals, self._stops)
        self._is_quoted = self._is_pair & (block.at(self._equals + 1) == _QUOTE)
        self._heads = block.words(self._starts)
        self.plain = self._plain_lines(octets, quotes, first_quotes)

    def _outside(self, spaces: I64, quotes: I64, first_quotes: I64) -> I64:
        """The spaces that lie in no quotes."""
        if not len(quotes):
            return spaces
        before = np.searchsorted(quotes, spaces) - first_quotes[self._rows(spaces)]
        outside: I64 = spaces[before % 2 == 0]
        return outside

    def _cut_words(self, spaces: I64) -> None:
        block = self._block
        stops = np.sort(np.concatenate((spaces, block.ends)), kind="stable")  # two sorted runs: merged in one pass
        rows = self._rows(stops)
        starts = np.maximum(np.concatenate(([0], stops[:-1] + 1)), block.starts[rows])
        words = starts < stops
        self._starts, self._stops, self._row = starts[words], stops[words], rows[words]

    def _rows(self, places: I64) -> I64:
        return np.searchsorted(self._block.starts, places, side="right") - 1

    def _plain_lines(self, octets: U8, quotes: I64, first_quotes: I64) -> Bools:
        n = len(self._block)
        plain = np.zeros(n, dtype=np.bool_)
        plain[self._row[self._is_pair]] = True  # a line without any pair is not logfmt
        plain[self._row[self._key_stops == self._starts]] = False
        blanks = np.flatnonzero(octets - np.uint8(9) < 5)  # \t \n \v \f \r, most of them between lines
        rows = self._rows(blanks)
        plain[rows[blanks < self._block.ends[rows]]] = False
        if len(quotes):
            rows = self._rows(quotes)
            backslashes = self._rows(np.flatnonzero(octets == _BACKSLASH))
            plain[np.intersect1d(backslashes, rows)] = False
            plain[rows[~self._in_place(quotes, rows, first_quotes)]] = False
            plain &= np.bincount(rows, minlength=n) % 2 == 0
        return plain

    def _in_place(self, quotes: I64, rows: I64, first_quotes: I64) -> Bools:
        """Which quotes stand right behind the first equals sign of a word, or right before a word's end, [quotes]."""
        opening = (np.arange(len(quotes)) - first_quotes[rows]) % 2 == 0
        openings = self._equals[self._is_quoted] + 1
        closes = (quotes + 1 == self._block.ends[rows]) | (self._block.at(quotes + 1) == _SPACE)
        return np.where(opening, np.isin(quotes, openings, assume_unique=True), closes)

    def column(self, key: str) -> Column:
        """The value of a key in every plain line as text; null where missing and in lines that are not plain."""
        words = self._with_key(key.encode())
        rows = self._row[words]
        starts, stops = self._key_stops[words] + 1, self._stops[words].copy()
        quoted = self._is_quoted[words]
        starts += quoted
        stops -= quoted
        alone = ~self._is_pair[words]
        starts[alone] = stops[alone]  # cut as nothing, and set to true below
        n = len(self._block)
        span = Span(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_))
        is_true = np.zeros(n, dtype=np.bool_)
        # Of a key given twice the last word's value stays.
        span.starts[rows], span.stops[rows], span.present[rows], is_true[rows] = starts, stops, True, alone
        true_rows = np.flatnonzero(is_true & self.plain)
        return patch(cut(self._block, span, self.plain), true_rows, ["true"] * len(true_rows))

    def _with_key(self, key: bytes) -> I64:
        """The words that have this key."""
        words = np.flatnonzero(self._key_stops - self._starts == len(key))
        for place in range(0, len(key), _WORD_BYTES):
            part = key[place : place + _WORD_BYTES]
            heads = self._heads[words] if place == 0 else self._block.words(self._starts[words] + place)
            mask = np.uint64((1 << 8 * len(part)) - 1)
            words = words[heads & mask == np.uint64(int.from_bytes(part, "little"))]
        return words
