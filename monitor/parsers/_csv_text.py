"""Delimited text row by row: which rows a fast reader surely cuts as we do, and the cells of all the others.

A cell that begins with the quote ends at the next quote that is not doubled; a quote anywhere else is a character like
any other. That is RFC 4180 plus quotes inside unquoted cells; whatever is ambiguous is refused with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, U8, Bools

_LINE_FEED, _CARRIAGE_RETURN, _BOM_START = 0x0A, 0x0D, 0xEF


class UnreadableRowError(ValueError):
    """A row that has no single reading; the message is its reason."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """``delimiter`` is one ASCII character, ``quote`` too, or None when quotes mean nothing."""

    delimiter: str
    quote: str | None

    def split(self, line: str) -> list[str]:
        """The cells of one row, in time linear in its length.

        >>> Dialect(",", '"').split('1,"a ""b"", c",5" disk')
        ['1', 'a "b", c', '5" disk']

        Raises:
            UnreadableRowError: a quoted cell is not closed, or text follows its end.
        """
        cells: list[str] = []
        place = 0
        while True:
            if self.quote is not None and line.startswith(self.quote, place):
                cell, end = self._quoted_cell(line, place + 1)
            else:
                end = line.find(self.delimiter, place)
                end = len(line) if end < 0 else end
                cell = line[place:end]
            cells.append(cell)
            if end == len(line):
                return cells
            place = end + 1

    def _quoted_cell(self, line: str, start: int) -> tuple[str, int]:
        """The cell whose opening quote stands before ``start``, and the place behind its closing quote."""
        quote = self.quote or ""
        end = line.find(quote, start)
        while end >= 0 and line.startswith(quote, end + 1):
            end = line.find(quote, end + 2)
        if end < 0:
            raise UnreadableRowError("quote not closed")
        if end + 1 < len(line) and line[end + 1] != self.delimiter:
            raise UnreadableRowError("text after a closing quote")
        return line[start:end].replace(quote + quote, quote), end + 1

    def simple_rows(self, text: U8, starts: I64, ends: I64, cells: int) -> Bools:
        """Which rows ``text[starts[i]:ends[i]]`` every CSV reader cuts into exactly ``cells`` cells, [n].

        Those are not empty, hold no line end or byte order mark, and all their quotes enclose whole cells.
        """
        simple: Bools = (ends > starts) & (text[np.minimum(starts, len(text) - 1)] != _BOM_START)
        breaks = np.flatnonzero((text == _LINE_FEED) | (text == _CARRIAGE_RETURN))
        rows = _rows_of(breaks, starts)
        simple[rows[breaks < ends[rows]]] = False
        quotes = np.flatnonzero(text == ord(self.quote)) if self.quote else np.empty(0, dtype=np.int64)
        first_quotes = np.searchsorted(quotes, starts)
        simple &= self._quotes_enclose_cells(text, starts, ends, quotes, first_quotes)
        delimiters = np.flatnonzero(text == ord(self.delimiter))
        rows = _rows_of(delimiters, starts)
        outside = (np.searchsorted(quotes, delimiters) - first_quotes[rows]) % 2 == 0
        simple &= np.bincount(rows[outside], minlength=len(starts)) == cells - 1
        return simple

    def _quotes_enclose_cells(self, text: U8, starts: I64, ends: I64, quotes: I64, first_quotes: I64) -> Bools:
        """Which rows open quotes only where a cell begins and close them only where it ends, [n].

        Quotes are opening and closing in turn; a doubled quote is a closing one right before an opening one.
        """
        rows = _rows_of(quotes, starts)
        opening = (np.arange(len(quotes)) - first_quotes[rows]) % 2 == 0
        at_edge = np.where(opening, quotes == starts[rows], quotes == ends[rows] - 1)
        neighbours = text[np.where(opening, np.maximum(quotes - 1, 0), np.minimum(quotes + 1, len(text) - 1))]
        beside = (neighbours == ord(self.delimiter)) | (neighbours == ord(self.quote or "\0"))
        enclosing: Bools = np.bincount(rows, minlength=len(starts)) % 2 == 0
        enclosing[rows[~(at_edge | beside)]] = False
        return enclosing


def _rows_of(places: I64, starts: I64) -> I64:
    """The row that each place of the text belongs to; the delimiter behind a row belongs to it too."""
    return np.searchsorted(starts, places, side="right") - 1
