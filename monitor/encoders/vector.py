"""Many numbers as one feature, such as the pixels of an image: one column each.

The numbers are an array field, or number fields listed by name. An entry that was the same in every benign record and
changes is as surprising as benign data make such changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, F64, Bools, Column
from monitor.core.arrow import pa
from monitor.core.errors import DataError
from monitor.core.names import expanded
from monitor.core.printable import printable
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._flags import Flags
from monitor.encoders._scales import SLICE, Scales, fit_scales
from monitor.encoders._vectors import Entries, from_array, from_columns, to_array, usual_length
from monitor.encoders._wording import MISSING, ORDINARY, rounded, shown

MISFIT = "of another length"
BROKEN = "with entries that are no numbers"
NO_VECTOR = (MISSING, MISFIT)
"""States without any entry to show."""

MOST_ENTRIES = 65_536
"""Wider vectors make a network that no machine trains."""

WORST = 3
"""The reason names so many entries."""

LISTED = 8
"""The expected value shows so many."""


Length = Annotated[int, Option(ge=1, le=MOST_ENTRIES)]


class Config(StrictModel):
    """Options of ``vector``."""

    columns: list[str] | None = Option(
        default=None,
        min_length=1,
        description="Number fields that make up the vector, `pixel{1..784}` for pixel1 to pixel784; without them the "
        "field is an array.",
    )
    length: Length | None = Option(
        default=None, description="Entries of the array; without it, what most benign records have."
    )
    shape: list[Length] | None = Option(
        default=None, min_length=1, max_length=4, description="Shape for drawing and for naming entries, e.g. [28, 28]."
    )
    divide_by: float | None = Option(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Divide every entry by this and do nothing else, e.g. 255 for pixels; else each is scaled by its "
        "own benign spread.",
    )
    clip: float = Option(
        default=4.0,
        gt=0,
        le=1000,
        description="Columns are cut off here; with divide_by, this far outside benign data.",
    )

    @model_validator(mode="after")
    def _one_length(self) -> Config:
        names = self.names()
        if names is not None and len(set(names)) < len(names):
            raise ValueError("columns names a field twice")
        given = {
            "columns": len(names) if names is not None else None,
            "length": self.length,
            "shape": math.prod(self.shape) if self.shape is not None else None,
        }
        lengths = {name: size for name, size in given.items() if size is not None}
        if len(set(lengths.values())) > 1:
            raise ValueError(" but ".join(f"{name} gives {size} entries" for name, size in lengths.items()))
        return self

    def names(self) -> list[str] | None:
        """The fields listed by name, their ranges written out."""
        return expanded(self.columns) if self.columns is not None else None

    def entries(self) -> int | None:
        """How many entries the options say there are."""
        names = self.names()
        if names is not None:
            return len(names)
        return math.prod(self.shape) if self.shape is not None else self.length


EXAMPLE = """
shape: [2, 2]
divide_by: 255
"""


@dataclass(frozen=True)
class VectorEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        names = self.config.names()
        if names is None:
            return (Field(self.field, FieldType.VECTOR),)
        return tuple(Field(name, FieldType.NUMBER) for name in names)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        length = self.config.entries() or usual_length(batch, self.field)
        if not 0 < length <= MOST_ENTRIES:
            wrong = f"vectors of {length:,} entries, more than {MOST_ENTRIES:,}" if length else "no vector"
            raise DataError(f"field {self.field!r}: {wrong} in {len(batch):,} benign records")
        names = self.config.names()
        entries = _read(batch, self.field, names, length)
        scales = fit_scales(entries.values, self.config.clip, self.config.divide_by, self.field)
        return FittedVector(self.config, self.field, names, scales, Flags.learn(_masks(entries, names), len(batch)))


@dataclass(frozen=True)
class FittedVector:
    """Vectors as benign data showed them; ``names`` are the fields that make them up, None for one array field."""

    config: Config
    field: str
    names: list[str] | None
    scales: Scales
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        return (*map(self._name, range(self._width)), *self.flags.columns)

    @property
    def novelty(self) -> tuple[str, ...]:
        return ("beyond", "changed", *self.flags.novelty)

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        entries = _read(batch, self.field, self.names, self._width)
        step = max(1, SLICE // self._width)
        for start in range(0, len(batch), step):
            rows = slice(start, start + step)
            self._encode(entries.values[rows], columns[rows, : self._width], novelty[rows])
        if not entries.complete:
            masks = tuple(_masks(entries, self.names).values())
            self.flags.write(masks, columns[:, self._width :], novelty[:, 2:])

    def _encode(self, values: F64, columns: F32, novelty: F32) -> None:
        scaled = self.scales.apply(values)
        columns[...] = np.clip(scaled, self.scales.floor, self.scales.ceiling)
        novelty[:, 0] = self.scales.beyond(scaled, self.flags.records)
        novelty[self.scales.changed(values), 1] = self.scales.strength

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        state, expected_state = columns[self._width :], reconstruction[self._width :]
        reason = (
            self.flags.novelty_reason(novelty[2:])
            or self.flags.reason(state, expected_state)
            or self._kind(novelty) + self._worst(columns, reconstruction)
        )
        values = self.scales.inverse(reconstruction[: self._width])
        expected = self.flags.expected(expected_state) or self._listed(values)
        return Finding(expected, self._range() + self.flags.range_suffix(), reason)

    def entries(self, columns: F32) -> F64:
        """The numbers of encoded or reconstructed vectors [n, len(self.columns)], in their own units, [n, entries]."""
        return self.scales.decode(columns[:, : self._width])

    def absent(self, columns: F32, novelty: F32) -> Bools:
        """Which encoded rows hold no vector, [n]: it was missing or of another length.

        A broken entry leaves the others as they are. ``novelty`` may have no columns, as that of reconstructions has
        none: what benign data never showed is then not known.
        """
        absent = self.flags.shows(columns[:, self._width :], *NO_VECTOR)
        if novelty.shape[1]:
            states = [place for place, name in enumerate(self.novelty) if name in NO_VECTOR]
            absent |= (novelty[:, states] > 0.0).any(axis=1)
        return absent

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        values = self.entries(columns)
        absent = self.absent(columns, columns[:, :0])  # of a reconstruction, which has no novelty
        if self.names is None:
            return {Field(self.field, FieldType.VECTOR): to_array(values, absent)}
        named = zip(self.names, values.T, strict=True)
        return {Field(name, FieldType.NUMBER): pa.array(column, pa.float64(), mask=absent) for name, column in named}

    def state(self) -> Mapping[str, Any]:
        return {"scales": self.scales.state(), "flags": self.flags.state()}

    @property
    def _width(self) -> int:
        return len(self.scales.centres)

    def _name(self, index: int) -> str:
        """How people call an entry: the field it is, or its place."""
        if self.names is not None:
            return printable(self.names[index])
        if self.config.shape is not None:
            return str([int(place) for place in np.unravel_index(index, self.config.shape)])
        return f"[{index}]"

    def _kind(self, novelty: F32) -> str:
        if novelty[1] > 0.0:
            return f"an entry changed that was always the same in {self.flags.records:,} benign records"
        return "an entry is outside everything benign" if novelty[0] > 0.0 else ORDINARY

    def _worst(self, columns: F32, reconstruction: F32) -> str:
        """The entries that differ most: where, what is there, and what should be."""
        actual, expected = columns[: self._width], reconstruction[: self._width]
        errors = np.nan_to_num(np.abs(actual - expected))
        told = [index for index in np.argsort(-errors, kind="stable")[:WORST].tolist() if errors[index] > 0.0]
        values = actual * self.scales.halves + self.scales.centres  # [d]
        wanted = self.scales.inverse(expected)
        texts = [f"{self._name(i)} {self._text(values, i)} instead of {self._text(wanted, i)}" for i in told]
        return f"; worst at {', '.join(texts)}" if texts else ""

    def _text(self, values: F64, index: int) -> str:
        return shown(rounded(float(values[index]), float(self.scales.halves[index]) / 1000))

    def _listed(self, values: F64) -> str:
        texts = [self._text(values, index) for index in range(min(LISTED, len(values)))]
        rest = f", … ({len(values)} entries)" if len(values) > LISTED else ""
        return f"[{', '.join(texts)}{rest}]"

    def _range(self) -> str:
        """The benign range in original units, where all entries have the same."""
        if self.config.divide_by is None:
            return f"{self._width} entries, each with its own range"
        ends = (shown(rounded(end * self.config.divide_by, 0.0)) for end in (self.scales.low, self.scales.high))
        return f"{self._width} entries from {' to '.join(ends)}"


def _read(batch: RecordBatch, field: str, names: list[str] | None, length: int) -> Entries:
    return from_array(batch, field, length) if names is None else from_columns(batch, names)


def _masks(entries: Entries, names: list[str] | None) -> dict[str, Bools | None]:
    """The states of each row; fields listed by name are always as many as they are."""
    masks: dict[str, Bools | None] = {MISSING: entries.missing, BROKEN: entries.broken}
    return masks if names is not None else {**masks, MISFIT: entries.misfit}


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return VectorEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    scales, flags = Scales.restore(state["scales"]), Flags.restore(state["flags"])
    return FittedVector(config, field, config.names(), scales, flags)
