"""What native code found as Arrow columns, and the lines it did not recognise as the library parser reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import F64, I64, U8, Column
from monitor.core.arrow import pa, pc
from monitor.core.cuts import INT32_MAX
from monitor.core.protocols import Parser
from monitor.core.records import Field, RawBatch, RecordBatch

U32: TypeAlias = npt.NDArray[np.uint32]
View: TypeAlias = Callable[[bytes], U8]
"""How native code sees the bytes of a block."""
LEAST_SHARE = 1 / 8
"""Where fewer lines are recognised, the library reads all of them: two passes and a merge would cost more."""


def in_place(data: bytes) -> U8:
    """The bytes themselves."""
    return np.frombuffer(data, dtype=np.uint8)


def copied(data: bytes) -> U8:
    """A copy that ends where the data end: an address sanitizer sees whoever reads on."""
    return np.frombuffer(data, dtype=np.uint8).copy()


def fits(raw: RawBatch) -> bool:
    """Whether places in this block are places in an Arrow column."""
    return 0 < len(raw.data) <= INT32_MAX and len(raw) > 0


def places(raw: RawBatch) -> tuple[I64, I64]:
    """Starts and ends of the lines [n] as native code reads them."""
    return np.ascontiguousarray(raw.starts, dtype=np.int64), np.ascontiguousarray(raw.ends, dtype=np.int64)


def numbers(values: F64, present: U8) -> Column:
    """A number column over ``values`` [n], null where not ``present`` [n]."""
    return pa.Array.from_buffers(pa.float64(), len(values), [_validity(present), pa.py_buffer(values)])


def texts(native: ctypes.CDLL, octets: U8, pieces: tuple[U32, U32], present: U8) -> Column:
    """The pieces (starts [n], stops [n]) of a block as a string column, null where not ``present`` [n]."""
    starts, stops = pieces
    rows = len(starts)
    offsets = np.empty(rows + 1, dtype=np.int32)
    size = native.texts_offsets(
        len(octets), starts.ctypes.data, stops.ctypes.data, present.ctypes.data, rows, offsets.ctypes.data
    )
    assert size >= 0, "a piece lies outside of its block"
    content = np.empty(size, dtype=np.uint8)
    fitted = native.texts_copy(
        octets.ctypes.data, len(octets), starts.ctypes.data, offsets.ctypes.data, rows, content.ctypes.data, size
    )
    assert fitted, "a text lies outside of its block"
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(content), _validity(present))


def _validity(present: U8) -> Column | None:
    return None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))


def lines_of(native: ctypes.CDLL, raw: RawBatch, rows: I64) -> RawBatch:
    """The lines in the given rows [m] as a batch of their own: the product's function of this name, for many rows."""
    starts, ends = places(raw)
    octets = in_place(raw.data)
    lines = (octets.ctypes.data, len(octets), starts.ctypes.data, ends.ctypes.data, rows.ctypes.data, len(rows))
    size = native.lines_copy(*lines, None, 0, None, None)
    assert size or not len(rows), "a line lies outside of its block"
    copy, first, last = np.empty(size, dtype=np.uint8), np.empty_like(rows), np.empty_like(rows)
    native.lines_copy(*lines, copy.ctypes.data, size, first.ctypes.data, last.ctypes.data)
    return replace(
        raw,
        data=copy.tobytes(),
        starts=first,
        ends=last,
        offsets=raw.offsets[rows],
        truncated=raw.truncated[rows],
    )


@dataclass(frozen=True, slots=True)
class Rest:
    """What native code did not recognise: the rows [m], which they are [n], and what the library makes of them."""

    rows: I64
    missed: Column
    records: RecordBatch

    def into(self, field: Field, column: Column) -> Column:
        """A column [n] with the values of the rest."""
        return pc.call_function("replace_with_mask", [column, self.missed, self.records.columns[field]])

    def into_numbers(self, field: Field, values: F64, present: U8) -> None:
        """The same in place, before there is a column: nothing is copied for the sake of a few."""
        others = self.records.columns[field]
        values[self.rows] = others.fill_null(0.0).to_numpy(zero_copy_only=False)
        present[self.rows] = others.is_valid().to_numpy(zero_copy_only=False)


def rest_of(native: ctypes.CDLL, library: Parser, raw: RawBatch, recognised: U8) -> Rest | None:
    """What was not recognised [n], read by the library; None where nothing is left."""
    rows = np.flatnonzero(recognised == 0)
    if not len(rows):
        return None
    return Rest(rows, pa.array(recognised == 0), library.parse(lines_of(native, raw, rows)))


def whole(raw: RawBatch, columns: Mapping[Field, Column], rest: Rest | None) -> RecordBatch:
    """The batch; what native code recognised could be parsed."""
    ok = np.ones(len(raw), dtype=np.bool_)
    if rest is None:
        return RecordBatch(raw, columns, ok)
    ok[rest.rows] = rest.records.ok
    return RecordBatch(raw, columns, ok, {int(rest.rows[row]): why for row, why in rest.records.reasons.items()})
