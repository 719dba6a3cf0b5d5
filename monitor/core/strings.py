"""A string column as one run of bytes and the places where its texts begin: what numpy reads without row objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import I64, U8, Bools, Column
from monitor.core.arrow import pa, pc

U64: TypeAlias = npt.NDArray[np.uint64]

PADDING = 16
"""Zero bytes kept behind the last text, so that an 8-byte read from any position stays inside."""

PIECE_ROWS = 8192
"""Most rows looked at together: the arrays of one piece stay in the processor's cache."""

PIECE_BYTES = 1 << 19
"""Most bytes looked at together (but at least one row): what is built per byte stays below about 30 MB."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts one behind the other, a zero byte behind each: text ``i`` is ``data[starts[i]:stops[i]]``.

    A missing text is empty here. ``lengths`` counts the bytes of the whole texts, before any was cut to the cap.
    """

    data: bytes  # ends with PADDING zeros or more, a multiple of 8 in all
    starts: I64  # [n]
    stops: I64  # [n]
    lengths: I64  # [n]
    missing: Bools  # [n]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def size(self) -> int:
        """Bytes before the padding."""
        return int(self.stops[-1]) + 1 if len(self) else 0

    @property
    def codes(self) -> U8:
        """Every byte and the padding, read-only."""
        return np.frombuffer(self.data, dtype=np.uint8)

    @property
    def words(self) -> U64:
        """The same memory as little-endian 8-byte numbers."""
        return np.frombuffer(self.data, dtype="<u8")

    def classes(self, table: bytes) -> U8:
        """Every byte (and the padding) replaced by its entry in a table of 256."""
        return np.frombuffer(self.data.translate(table), dtype=np.uint8)


def pieces(column: Column, max_bytes: int) -> Iterator[tuple[slice, Texts]]:
    """Cut a column into pieces small enough to work on, each with the rows it covers.

    Args:
        column: a string array, sliced or not; other layouts of text (large, view, dictionary) are converted.
        max_bytes: only the first so many bytes of each text are kept.
    """
    plain = _plain(column)
    ends = np.concatenate(([0], np.cumsum(np.minimum(_lengths(plain), max_bytes))))
    start = 0
    while start < len(plain):
        fits = int(np.searchsorted(ends, ends[start] + PIECE_BYTES, side="right")) - 1
        stop = max(start + 1, min(start + PIECE_ROWS, fits))
        yield slice(start, stop), texts(plain.slice(start, stop - start), max_bytes)
        start = stop


def texts(column: Column, max_bytes: int) -> Texts:
    """The texts of a whole column; cutting it into ``pieces`` first is the caller's matter."""
    plain = _plain(column)
    missing = np.zeros(len(plain), dtype=np.bool_)
    if plain.null_count:
        missing = plain.is_null().to_numpy(zero_copy_only=False)
        plain = pc.fill_null(plain, "")
    lengths = _lengths(plain)
    if (lengths > max_bytes).any():
        plain = pc.binary_slice(plain.cast(pa.large_binary()), 0, max_bytes)
    kept = np.minimum(lengths, max_bytes)
    stops = np.cumsum(kept + 1) - 1
    return Texts(_joined(plain), stops - kept, stops, lengths, missing)


def _plain(column: Column) -> Column:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column
    return column.cast(pa.large_string())


def _lengths(plain: Column) -> I64:
    """The bytes of each text, [n]; an array of no rows may come without any buffer."""
    buffer = plain.buffers()[1]
    if not len(plain) or buffer is None:
        return np.zeros(len(plain), dtype=np.int64)
    wide = pa.types.is_large_string(plain.type)
    offsets = np.frombuffer(buffer, dtype=np.int64 if wide else np.int32)
    return np.diff(offsets[plain.offset : plain.offset + len(plain) + 1]).astype(np.int64)


@cache
def _zero() -> Any:
    """Made once: pyarrow would look for pandas each time it turns bytes into a scalar."""
    return pa.scalar(b"\0", pa.binary())


def _joined(plain: Column) -> bytes:
    """All texts with a zero byte between them, and the padding."""
    small = plain.cast(pa.binary())  # the caller's cap keeps a piece far below the 2 GiB of 32-bit offsets
    # One list that holds all texts; made of buffers, because a Python list would cost more than the joining itself.
    ends = pa.py_buffer(np.array([0, len(small)], dtype=np.int32))
    whole = pa.Array.from_buffers(pa.list_(pa.binary()), 1, [None, ends], children=[small])
    joined = pc.binary_join(whole, _zero())[0].as_buffer()
    return b"".join((joined, bytes(PADDING + -len(joined) % 8)))
