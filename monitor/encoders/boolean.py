"""True or false: one column, +1 or -1; 0 where it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import F32
from monitor.core.errors import DataError
from monitor.core.novelty import changed
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._flags import Flags
from monitor.encoders._reading import booleans
from monitor.encoders._wording import MISSING, ORDINARY


class Config(StrictModel):
    """``boolean`` has no options."""


EXAMPLE = "{}"


@dataclass(frozen=True)
class BooleanEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.BOOLEAN),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        values, missing = booleans(batch, self.field)
        present = values if missing is None else values[~missing]
        if not len(present):
            raise DataError(f"field {self.field!r}: neither true nor false in any of {len(batch):,} benign records")
        constant = bool(present[0]) if (present == present[0]).all() else None
        return FittedBoolean(self.field, constant, Flags.learn({MISSING: missing}, len(batch)))


@dataclass(frozen=True)
class FittedBoolean:
    """``constant`` is the only value benign data showed; None if it showed both."""

    field: str
    constant: bool | None
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        return (() if self._single else ("value",)) + self.flags.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return (("changed",) if self._single else ()) + self.flags.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        values, missing = booleans(batch, self.field)
        present = True if missing is None else ~missing
        if self.constant is None:
            columns[:, 0] = np.where(present, np.where(values, 1.0, -1.0), 0.0)
        else:
            novelty[present & (values != self.constant), 0] = changed(self.flags.records, np.zeros(1))[0]
        own = int(self._single)
        self.flags.write((missing,), columns[:, 1 - own :], novelty[:, own:])

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        own = int(self._single)
        state, expected_state = columns[1 - own :], reconstruction[1 - own :]
        reason = self.flags.novelty_reason(novelty[own:]) or self.flags.reason(state, expected_state) or ORDINARY
        if own and novelty[0] > 0.0:
            reason = f"changed: always {self._word} in {self.flags.records:,} benign records"
        expected = self.constant if self.constant is not None else bool(reconstruction[0] > 0.0)
        return Finding(self.flags.expected(expected_state) or expected, self._word + self.flags.range_suffix(), reason)

    def state(self) -> Mapping[str, Any]:
        return {"constant": self.constant, "flags": self.flags.state()}

    @property
    def _single(self) -> bool:
        return self.constant is not None

    @property
    def _word(self) -> str:
        return {True: "true", False: "false", None: "true or false"}[self.constant]


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return BooleanEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    return FittedBoolean(field, state["constant"], Flags.restore(state["flags"]))
