"""The access log parser, with native code for the lines that are as servers usually write them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from monitor.core.arrays import U8
from monitor.core.columns import typed
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.parsers.access_log import COMBINED, LINE, REQUEST, AccessLogParser

from .building import library
from .columns import LEAST_SHARE, U32, View, fits, in_place, places, rest_of, texts, whole

PARTS = (*LINE, *REQUEST, *COMBINED)
"""In the order of ``enum part`` in access_log.c."""

LISTS = {FieldType.VECTOR, FieldType.TEXTS}
"""Types of columns that the library reads alone: their values cannot be put into a column of others."""


class NativeAccessLog:
    """As ``AccessLogParser`` with ``format: auto``, column by column."""

    def __init__(
        self,
        fields: Sequence[Field] | None,
        *,
        native: ctypes.CDLL | None = None,
        view: View = in_place,
        least_share: float = LEAST_SHARE,
    ) -> None:
        self._library = AccessLogParser("auto", fields)
        self._native = native or library()
        self._view = view
        self._least_share = least_share
        self._fields = fields
        self._able = fields is not None and {field.type for field in fields}.isdisjoint(LISTS)
        self._names = [name for name in PARTS if name in {field.name for field in fields or ()}]
        self._wanted = np.array([PARTS.index(name) for name in self._names], dtype=np.uint64)

    def parse(self, raw: RawBatch) -> RecordBatch:
        if self._fields is None or not self._able or not fits(raw):
            return self._library.parse(raw)
        octets = self._view(raw.data)
        starts, stops, present, recognised = self._scan(raw, octets)
        if recognised.mean() < self._least_share:
            return self._library.parse(raw)
        found = {
            name: texts(self._native, octets, (starts[i], stops[i]), present[i]) for i, name in enumerate(self._names)
        }
        columns = typed(found, self._fields, len(raw))
        rest = rest_of(self._native, self._library, raw, recognised)
        if rest is not None:
            columns = {field: rest.into(field, column) for field, column in columns.items()}
        return whole(raw, columns, rest)

    def recognised(self, raw: RawBatch) -> U8:
        """Which lines are read by native code, [n]."""
        return self._scan(raw, self._view(raw.data))[3]

    def _scan(self, raw: RawBatch, octets: U8) -> tuple[U32, U32, U8, U8]:
        shape = (len(self._names), len(raw))
        starts, stops = np.zeros(shape, dtype=np.uint32), np.zeros(shape, dtype=np.uint32)
        present, recognised = np.empty(shape, dtype=np.uint8), np.empty(len(raw), dtype=np.uint8)
        lines = places(raw)
        arrays = (self._wanted, starts, stops, present, recognised)
        wanted, *results = (array.ctypes.data for array in arrays)
        block = (octets.ctypes.data, len(octets), *(edges.ctypes.data for edges in lines), len(raw))
        self._native.access_log_scan(*block, wanted, len(self._names), *results)
        return starts, stops, present, recognised
