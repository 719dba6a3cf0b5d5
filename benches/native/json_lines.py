"""The JSON Lines parser, with native code for the lines that look like the first one of their block."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import F64, U8, Column
from monitor.core.columns import nulls
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.parsers.json_lines import JsonLines

from .building import library
from .columns import LEAST_SHARE, U32, Rest, View, fits, in_place, numbers, places, rest_of, texts, whole
from .template import Template, learn

Members: TypeAlias = npt.NDArray[np.uint64]

_SKIP, _NUMBER, _TEXT, _END = range(4)
_KINDS = {FieldType.NUMBER: _NUMBER, FieldType.TEXT: _TEXT}


class NativeJsonLines:
    """As ``JsonLines``, column by column and bit by bit; stateless, too: a template is learned from each block."""

    def __init__(
        self,
        fields: Sequence[Field] | None,
        *,
        native: ctypes.CDLL | None = None,
        view: View = in_place,
        least_share: float = LEAST_SHARE,
    ) -> None:
        self._library = JsonLines(fields)
        self._native = native or library()
        self._view = view
        self._least_share = least_share
        self._fields = list(fields or ())
        self._kinds = {field.name: _KINDS.get(field.type) for field in self._fields}
        once = len(self._kinds) == len(self._fields)  # no name is wanted as two types
        self._able = fields is not None and once and None not in self._kinds.values()

    def parse(self, raw: RawBatch) -> RecordBatch:
        template = learn(raw) if self._able and fits(raw) else None
        if template is None:
            return self._library.parse(raw)
        octets = self._view(raw.data)
        found = self._scan(raw, octets, template)
        if found.recognised.mean() < self._least_share:
            return self._library.parse(raw)
        rest = rest_of(self._native, self._library, raw, found.recognised)
        return whole(raw, {field: self._column(field, found, octets, rest) for field in self._fields}, rest)

    def recognised(self, raw: RawBatch) -> U8:
        """Which lines are read by native code, [n]."""
        template = learn(raw) if self._able and fits(raw) else None
        if template is None:
            return np.zeros(len(raw), dtype=np.uint8)
        return self._scan(raw, self._view(raw.data), template).recognised

    def _scan(self, raw: RawBatch, octets: U8, template: Template) -> _Found:
        kinds = [self._kinds.get(key) or _SKIP for key in template.keys]
        found = _Found(template, kinds, len(raw))
        starts, ends = places(raw)
        literals = np.frombuffer(b"".join(template.literals), dtype=np.uint8)
        members = _members(template.literals, literals, found)
        block = (octets.ctypes.data, len(octets), starts.ctypes.data, ends.ctypes.data, len(raw))
        self._native.json_lines_scan(*block, members.ctypes.data, found.recognised.ctypes.data)
        return found

    def _column(self, field: Field, found: _Found, octets: U8, rest: Rest | None) -> Column:
        slot = found.slots.get(field.name)
        if slot is not None and slot.kind == _NUMBER:
            values, present = found.numbers[slot.index], found.present[slot.wanted]
            if rest is not None:
                rest.into_numbers(field, values, present)
            return numbers(values, present)
        if slot is None:
            column = nulls(field.type, len(found.recognised))
        else:
            pieces = (found.starts[slot.index], found.stops[slot.index])
            column = texts(self._native, octets, pieces, found.present[slot.wanted])
        return column if rest is None else rest.into(field, column)


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a wanted key of the template goes: ``index`` among those of its kind, ``wanted`` among all."""

    kind: int
    index: int
    wanted: int


class _Found:
    """Room for what a scan of n lines finds: one row a column, so that every column is contiguous."""

    def __init__(self, template: Template, kinds: Sequence[int], lines: int) -> None:
        wanted = [(key, kind) for key, kind in zip(template.keys, kinds, strict=True) if kind != _SKIP]
        count = {_NUMBER: 0, _TEXT: 0}
        self.slots: dict[str, _Slot] = {}
        for place, (key, kind) in enumerate(wanted):
            self.slots[key] = _Slot(kind, count[kind], place)
            count[kind] += 1
        self.keys = template.keys
        self.numbers: F64 = np.empty((count[_NUMBER], lines))
        self.starts: U32 = np.empty((count[_TEXT], lines), dtype=np.uint32)
        self.stops: U32 = np.empty((count[_TEXT], lines), dtype=np.uint32)
        self.present: U8 = np.empty((len(wanted), lines), dtype=np.uint8)
        self.recognised: U8 = np.empty(lines, dtype=np.uint8)

    def addresses(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Of each key: its kind, and where its numbers, starts, stops and presence go, as a member has them."""
        arrays = (self.numbers, self.starts, self.stops, self.present)
        numbers, starts, stops, present = ((array.ctypes.data, array.strides[0]) for array in arrays)
        for slot in map(self.slots.get, self.keys):
            if slot is None:
                yield _SKIP, 0, 0, 0, 0
            elif slot.kind == _NUMBER:
                yield _NUMBER, _row(numbers, slot.index), 0, 0, _row(present, slot.wanted)
            else:
                yield _TEXT, 0, _row(starts, slot.index), _row(stops, slot.index), _row(present, slot.wanted)


def _row(array: tuple[int, int], index: int) -> int:
    address, stride = array
    return address + index * stride


def _members(literals: Sequence[bytes], together: U8, found: _Found) -> Members:
    """The table ``struct member`` of json_lines.c; the literals stand ``together``."""
    rows: list[tuple[int, ...]] = []
    address = together.ctypes.data
    for literal, values in zip(literals, chain(found.addresses(), [(_END, 0, 0, 0, 0)]), strict=True):
        first = literal[:8]
        rows.append((address, len(literal), int.from_bytes(first, "little"), (1 << 8 * len(first)) - 1, *values))
        address += len(literal)
    return np.array(rows, dtype=np.uint64)
