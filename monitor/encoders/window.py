"""The last values of a number, one column each, newest first: what the network sees is the shape of its course.

They are those of the key (without one, of the whole stream) up to the record itself. Before a key has had as many, the
oldest known value stands for what is not known. Missing values leave the window as it is. States and novelty are those
of the newest value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import F32, F64, Column
from monitor.core.groups import known_by_key
from monitor.core.keyed_memory import MAX_KEYS, KeyedMemory, Remembering
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.warm_up import WarmUp
from monitor.encoders._measure import Measure
from monitor.encoders._number import NumberOptions, encode_number, fit_number
from monitor.encoders._scaling import LIMIT, Scaling


class Config(NumberOptions):
    """Options of ``window``."""

    length: int = Option(
        default=10, ge=2, le=1000, description="So many values, the newest included; each key takes 8 bytes for each."
    )
    max_keys: int = MAX_KEYS

    @property
    def warm_up(self) -> WarmUp:
        """Until there are values for all columns."""
        return WarmUp(records=self.length - 1)


EXAMPLE = """
length: 4
scale: linear
"""


@dataclass(frozen=True)
class WindowEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.NUMBER),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        return fitted(self.config, self.field, fit_number(batch, self.field, self.config))


@dataclass(frozen=True)
class FittedWindow(Remembering):
    """A number as benign data showed it, and of each key seen since the ``past`` values before the newest.

    A number that was constant has no column, and nothing of it is remembered.
    """

    field: str
    newest: Measure
    past: int

    @property
    def columns(self) -> tuple[str, ...]:
        earlier = range(1, self.past + 1) if self.newest.scaling else ()
        return (*self.newest.columns, *(f"{count} before" for count in earlier))

    @property
    def course(self) -> tuple[int, ...]:
        """Which of the columns are the values one after the other, the oldest first."""
        newest = len(self.newest.columns)
        return (*range(len(self.columns) - 1, newest - 1, -1), 0) if self.newest.scaling else ()

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.newest.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        width = len(self.newest.columns)
        values = encode_number(batch, self.field, self.newest, columns[:, :width], novelty)
        if self.newest.scaling is not None:
            columns[:, width:] = self._earlier(batch, values, self.newest.scaling)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        width = len(self.newest.columns)
        return self.newest.explain(columns[:width], novelty, reconstruction[:width])

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        return {Field(self.field, FieldType.NUMBER): self.newest.decode(columns[:, : len(self.newest.columns)])}

    def state(self) -> Mapping[str, Any]:
        return self.newest.state()

    def _earlier(self, batch: RecordBatch, values: F64, scaling: Scaling) -> F32:
        """The columns of the values before each of ``values`` [n], [n, past]; neutral where there is no value."""
        visit = self.memory.visit(known_by_key(batch, values))
        groups = visit.groups
        ordered = np.clip(values[groups.rows], -LIMIT, LIMIT)
        before = np.where(visit.known[:, None], visit.before, ordered[groups.starts, None])  # [g, past]
        # One behind the other, each group's past and its values: what was k before then stands k places to the left.
        course = np.empty(len(ordered) + before.size)
        places = np.arange(len(ordered)) + self.past * (groups.ids + 1)
        course[places] = ordered
        back = np.arange(1, self.past + 1)
        course[places[groups.starts, None] - back[::-1]] = before
        self.memory.leave(visit, course[places[groups.ends, None] - back[::-1] + 1])
        columns = np.full((len(values), self.past), scaling.neutral, dtype=np.float32)
        columns[groups.rows] = scaling.apply(course).astype(np.float32)[places[:, None] - back]
        return columns


def fitted(config: Config, field: str, newest: Measure) -> FittedWindow:
    """With a memory of nothing."""
    past = config.length - 1
    return FittedWindow(KeyedMemory(config.max_keys, blank=[0.0] * past), field, newest, past)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return WindowEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return fitted(config, field, Measure.restore(state))
