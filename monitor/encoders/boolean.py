"""True or false, or two texts that stand for them: one column, +1 or -1; 0 where it is neither."""

# The functions of pyarrow.compute are made at import time; no checker can see them.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field as Option
from pydantic import field_validator

from monitor.core.arrays import F32, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.errors import DataError
from monitor.core.names import listed, quoted
from monitor.core.novelty import changed
from monitor.core.printable import printable
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._flags import Flags
from monitor.encoders._reading import booleans, found_instead, texts
from monitor.encoders._wording import MISSING, ORDINARY

THIRD = "another value"


class Config(StrictModel):
    """Options of ``boolean``."""

    values: list[str] | None = Option(
        default=None,
        min_length=2,
        max_length=2,
        description="The texts that stand for -1 and +1, in this order, e.g. [F, M]: always one column. Without them, "
        "the field is true or false.",
    )

    @field_validator("values")
    @classmethod
    def _two(cls, values: list[str] | None) -> list[str] | None:
        if values is not None and values[0] == values[1]:
            raise ValueError(f"values names {quoted(values[0])} twice: they tell nothing apart")
        return values


EXAMPLE = "{}"


@dataclass(frozen=True)
class BooleanEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.BOOLEAN if self.config.values is None else FieldType.TEXT),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        truths = _read(batch, self.field, self.config.values)
        present = truths.values[truths.present]
        if not len(present):
            wanted = "true nor false" if self.config.values is None else listed(self.config.values, " nor ")
            found = "" if self.config.values is None else found_instead(texts(batch, self.field))
            raise DataError(f"field {self.field!r}: neither {wanted} in any of {len(batch):,} benign records{found}")
        constant = bool(present[0]) if (present == present[0]).all() else None
        masks = {MISSING: truths.missing} | ({} if self.config.values is None else {THIRD: truths.third})
        return FittedBoolean(self.config, self.field, constant, Flags.learn(masks, len(batch)))


@dataclass(frozen=True)
class FittedBoolean:
    """``constant`` is the only value benign data showed; None if it showed both."""

    config: Config
    field: str
    constant: bool | None
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        return ("value",)[: self._width] + self.flags.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return ("changed",)[: self._own] + self.flags.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        truths = _read(batch, self.field, self.config.values)
        if self._width:
            columns[:, 0] = np.where(truths.present, np.where(truths.values, 1.0, -1.0), 0.0)
        if self._own:
            novelty[truths.present & (truths.values != self.constant), 0] = changed(self.flags.records, np.zeros(1))[0]
        masks = (truths.missing, truths.third)[: len(self.flags.names)]
        self.flags.write(masks, columns[:, self._width :], novelty[:, self._own :])

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        width, own = self._width, self._own
        state, expected_state = columns[width:], reconstruction[width:]
        reason = self.flags.novelty_reason(novelty[own:]) or self.flags.reason(state, expected_state) or ORDINARY
        if own and novelty[0] > 0.0:
            reason = f"changed: always {self._range()} in {self.flags.records:,} benign records"
        expected = bool(reconstruction[0] > 0.0) if self.constant is None else self.constant
        value = expected if self.config.values is None else self._words[expected]
        return Finding(self.flags.expected(expected_state) or value, self._range() + self.flags.range_suffix(), reason)

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        values = columns[:, 0] > 0.0 if self._width else np.full(len(columns), self.constant)
        states = self.flags.shows(columns[:, self._width :], *self.flags.names)
        if self.config.values is None:
            return {Field(self.field, FieldType.BOOLEAN): pa.array(values, pa.bool_(), mask=states)}
        words = pa.array([*self.config.values, None], pa.string())
        return {Field(self.field, FieldType.TEXT): words.take(pa.array(np.where(states, 2, values)))}

    def state(self) -> Mapping[str, Any]:
        return {"constant": self.constant, "flags": self.flags.state()}

    @cached_property
    def _width(self) -> int:
        """Columns of the value. Two given texts always make one, as whoever gives them expects."""
        return 0 if self.config.values is None and self.constant is not None else 1

    @cached_property
    def _own(self) -> int:
        """Novelty columns of the value."""
        return 0 if self.constant is None else 1

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """What people call the values: that of -1, that of +1."""
        return ("false", "true") if self.config.values is None else tuple(printable(v) for v in self.config.values)

    def _range(self) -> str:
        return " or ".join(reversed(self._words)) if self.constant is None else self._words[self.constant]


@dataclass(frozen=True, slots=True)
class _Truths:
    """Values as read, [n], False where there is none; where they are missing or are a third text (None: nowhere)."""

    values: Bools
    missing: Bools | None
    third: Bools | None

    @property
    def present(self) -> Bools:
        present = np.ones(len(self.values), dtype=np.bool_)
        for absent in (self.missing, self.third):
            if absent is not None:
                present &= ~absent
        return present


def _read(batch: RecordBatch, field: str, values: list[str] | None) -> _Truths:
    if values is None:
        truths, missing = booleans(batch, field)
        return _Truths(truths, missing, None)
    column = texts(batch, field)
    found = pc.index_in(column, value_set=pa.array(values, pa.string())).fill_null(2).to_numpy()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return _Truths(found == 1, missing, (found == 2) & ~missing)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return BooleanEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return FittedBoolean(config, field, state["constant"], Flags.restore(state["flags"]))
