"""Cuts lines into string columns without a Python object per line: numpy finds the places, Arrow copies the bytes.

A line-based parser works on the whole block at once. It looks up delimiters with ``Marks`` (found once a block, then a
binary search per line) and so gets, for every field, an array of starts and one of stops. ``cut`` lays these into ONE
Arrow offsets array over the block itself: field, gap, field, gap, ... - a valid string array of 2n values that copies
nothing - and takes its even values. That is one memory copy of the field's own bytes, about 15 ns a value.

Places are int64 indexes into the block's bytes. A place that was not found is ``len(block)``, which lies in no line, so
that a line lacking a delimiter fails ``in_order`` and is left to the parser's slow path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import I64, U8, Bools, Column
from monitor.core.arrow import pa, pc

Words: TypeAlias = npt.NDArray[np.uint64]

INT32_MAX = 2**31 - 1


PADDING = 64
"""Zero bytes behind the block, so that looking at the bytes around any place in it needs no bounds check."""


class Block:
    """The bytes of one batch and its lines.

    Args:
        data: valid UTF-8.
        starts, ends: the lines, [n] each, ascending and without their delimiters.
    """

    def __init__(self, data: bytes, starts: I64, ends: I64) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        self._octets = np.frombuffer(data + bytes(PADDING), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.starts)

    def texts(self, rows: I64) -> list[str]:
        """The lines in the given rows as Python strings, for what reads them one by one."""
        places = zip(self.starts[rows].tolist(), self.ends[rows].tolist(), strict=True)
        return [self.data[start:end].decode("utf-8") for start, end in places]

    def at(self, places: I64) -> U8:
        """The bytes at ``places``, [n], at most PADDING outside of the data, where they are 0."""
        return self._octets[places]  # places before the data wrap around to the padding

    def window(self, places: I64, width: int) -> U8:
        """The bytes from each place on, [n, width <= PADDING / 2], at most PADDING / 2 outside of the data."""
        # One void item of this width begins at every byte: gathering items is ten times as fast as gathering bytes.
        items = np.ndarray((len(self._octets) - width + 1,), dtype=f"V{width}", buffer=self._octets, strides=(1,))
        return items[places].view(np.uint8).reshape(len(places), width)

    def words(self, places: I64) -> Words:
        """The 8 bytes from each place on as one little-endian number, [n]; places as in ``window``."""
        return self.window(places, 8).view("<u8")[:, 0]

    def lacking(self, pair: str) -> Bools:
        """Which lines lack two ASCII characters in a row, [n]; next to free when the whole block lacks the first."""
        if pair[0].encode("ascii") not in self.data:  # of one character; looking for two of them is slow
            return np.ones(len(self), dtype=np.bool_)
        return self.followed_by(pair[0], pair[1]).after(self.starts) >= self.ends

    def marks(self, octet: str) -> Marks:
        """Every place of one ASCII character."""
        return Marks(np.flatnonzero(self._octets == ord(octet)), len(self.data))

    def followed_by(self, octet: str, followers: str) -> Marks:
        """Every place of ``octet`` that has one of ``followers`` right behind it; a NUL stands for the data's end."""
        places = np.flatnonzero(self._octets == ord(octet))
        wanted = np.zeros(256, dtype=np.bool_)
        wanted[list(followers.encode("ascii"))] = True
        return Marks(places[wanted[self._octets[places + 1]]], len(self.data))

    def in_order(self, *edges: I64) -> Bools:
        """Which lines have all their edges in ascending order and inside the line, [n]."""
        fits = (self.starts <= edges[0]) & (edges[-1] <= self.ends)
        for left, right in pairwise(edges):
            fits &= left <= right
        return fits


class Marks:
    """The places of one delimiter in a block, ascending, with one more at the block's end that stands for "none"."""

    def __init__(self, places: I64, end: int) -> None:
        self._places = np.concatenate((places, [end]))

    def index(self, places: I64) -> I64:
        """The number of the first mark at or behind each place, to be used with ``nth``."""
        return np.minimum(np.searchsorted(self._places, places), len(self._places) - 1)

    def nth(self, index: I64) -> I64:
        """The place of each numbered mark; below 0 or behind the last it is the block's end."""
        return self._places[np.clip(index, -1, len(self._places) - 1)]

    def after(self, places: I64) -> I64:
        """The first mark at or behind each place."""
        return self._places[self.index(places)]


def word(text: str) -> np.uint64:
    """Up to 8 ASCII characters as the first bytes of a little-endian number, to be compared with ``Block.words``.

    >>> hex(word("AB"))
    '0x4241'
    """
    return np.uint64(int.from_bytes(text.encode("ascii"), "little"))


def like(words: Words, template: str) -> Bools:
    """Which words look like a template of up to 8 characters: ``0`` is any digit, ``?`` any byte.

    >>> like(np.array([word("12:30:59"), word("12:3x:59")]), "00:00").tolist()
    [True, False]
    """
    others, literal, upper, three, six = _masks(template)
    # A byte is a digit when its upper half is 3, and still is after adding 6 to it.
    same: Bools = (words & others == literal) & (words & upper == three) & ((words + six) & upper == three)
    return same


@cache
def _masks(template: str) -> tuple[np.uint64, ...]:
    digits = word("".join("\x01" if c == "0" else "\0" for c in template))
    others = word("".join("\x01" if c not in "0?" else "\0" for c in template)) * np.uint64(0xFF)
    upper, three, six = (digits * np.uint64(factor) for factor in (0xF0, 0x30, 0x06))
    return others, word(template) & others, upper, three, six


class Span(NamedTuple):
    """One field of every line, ``block[starts[i]:stops[i]]``; missing where not ``present``."""

    starts: I64  # [n]
    stops: I64  # [n]
    present: Bools  # [n]


def cut(block: Block, span: Span, fits: Bools) -> Column:
    """The field as a string column, null where it is not present or the line does not fit.

    In lines that fit, present pieces lie inside the line (see ``Block.in_order``) and begin and end at characters;
    what the span holds elsewhere does not matter.
    """
    present = span.present & fits
    starts, stops = (np.where(present, places, block.starts) for places in (span.starts, span.stops))
    return between(block.data, starts, stops, present)


def between(data: bytes, starts: I64, stops: I64, present: Bools | None = None) -> Column:
    """The pieces ``data[starts[i]:stops[i]]`` as a string column, null where not ``present``.

    No piece may reach over the beginning of the next one; ``data`` are valid UTF-8, cut between characters.
    """
    n = len(starts)
    size, kind = (np.int32, pa.StringArray) if len(data) <= INT32_MAX else (np.int64, pa.LargeStringArray)
    offsets = np.empty(2 * n + 1, dtype=size)
    offsets[0:-1:2] = starts
    offsets[1::2] = stops
    offsets[-1] = len(data)
    both = kind.from_buffers(2 * n, pa.py_buffer(offsets), pa.py_buffer(data))
    rows = pa.array(np.arange(0, 2 * n, 2), mask=None if present is None or present.all() else ~present)
    return both.take(rows).cast(pa.string())


def patch(column: Column, rows: I64, values: Sequence[str | None]) -> Column:
    """``column`` with other values in the given rows (ascending): where slow rows rejoin the fast ones."""
    if not len(rows):
        return column
    mask = np.zeros(len(column), dtype=np.bool_)
    mask[rows] = True
    return pc.call_function("replace_with_mask", [column, pa.array(mask), pa.array(values, type=pa.string())])
