"""A number of a stream: its value, how far it is from its recent average, and that average from the long-term one.

Averages are those of the key (without one, of the whole stream) before the record, so that the recent one is what the
value was to be expected near; a key's first few records have none, and read as such a value usually does. Where the
value is logarithmic, so are averages and differences. `rate` and `since` add the change a second and the time since
the key's last record, by event time. Missing values leave the past as it is. Of several surprises in one record only
the strongest counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, Column
from monitor.core.errors import DataError
from monitor.core.keyed_memory import MAX_KEYS, KeyedMemory, Remembering
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.warm_up import WarmUp
from monitor.encoders._measure import Measure, Options, fit_measure
from monitor.encoders._number import NumberOptions, encode_number, fit_number
from monitor.encoders._past import Past, empty_memory
from monitor.encoders._past_wording import Row
from monitor.encoders._scaling import Scale
from monitor.encoders._steps import Steps
from monitor.encoders._wording import ORDINARY


class Config(NumberOptions):
    """Options of ``streaming``."""

    fast: float = Option(
        default=0.2,
        ge=0.001,
        lt=1,
        description="Weight of the newest value in the recent average: 0.2 is some 5 records.",
    )
    slow: float = Option(
        default=0.02, ge=0.001, lt=1, description="The same for the long-term average: 0.02 is some 50 records."
    )
    rate: bool = Option(default=False, description="Also the change a second since the key's last record.")
    since: bool = Option(default=False, description="Also the seconds since the key's last record, as a logarithm.")
    max_keys: int = MAX_KEYS

    @model_validator(mode="after")
    def _slower(self) -> Config:
        if self.slow >= self.fast:
            raise ValueError(f"slow ({self.slow:g}) must be less than fast ({self.fast:g})")
        return self

    def steps(self) -> dict[str, Scale]:
        """The columns beside the value, and how each is scaled: averages are of logarithms already where these help."""
        wanted: dict[str, tuple[bool, Scale]] = {
            "change": (True, "linear"),
            "trend": (True, "linear"),
            "rate": (self.rate, "log"),
            "since": (self.since, "log"),
        }
        return {name: scale for name, (is_wanted, scale) in wanted.items() if is_wanted}

    @property
    def timed(self) -> bool:
        """Whether the event time is read."""
        return self.rate or self.since

    @property
    def warm_up(self) -> WarmUp:
        """Until the long-term average has 7/8 of its weight; behind a few that are missing, the recent one."""
        return WarmUp(records=math.ceil(2.0 / self.slow), recovery=math.ceil(2.0 / self.fast))


EXAMPLE = """
scale: log
fast: 0.3
since: true
"""


@dataclass(frozen=True)
class StreamingEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.NUMBER),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        if self.config.timed and batch.times is None:
            raise DataError(f"field {self.field!r}: rate and since need an event time; set the `time:` of the stream")
        value = fit_number(batch, self.field, self.config)
        past = past_of(value, self.config, empty_memory(self.config.max_keys, timed=self.config.timed))
        steps, column = {}, np.zeros((len(batch), len(value.columns)), dtype=np.float32)
        if past is not None:
            novelty = np.zeros((len(batch), len(value.novelty)), dtype=np.float32)
            steps = past.steps(batch, encode_number(batch, self.field, value, column, novelty))
        measures = {
            name: fit_measure(steps[name], {}, Options(scale, self.config.clip), field=self.field)
            for name, scale in self.config.steps().items()
            if name in steps and np.isfinite(steps[name]).any()
        }
        return fitted(self.config, self.field, value, Steps.learn(measures, steps, column[:, 0] if steps else column))


@dataclass(frozen=True)
class FittedStreaming(Remembering):
    """A number and its steps as benign data showed them; remembers the past of each key seen since.

    ``past`` is None where the number was constant: then there is nothing to average, and any change is the loudest.
    """

    field: str
    value: Measure
    steps: Steps
    past: Past | None
    timed: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return self.value.columns + self.steps.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.value.novelty + self.steps.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        if not len(batch):
            return
        width, novelties = len(self.value.columns), len(self.value.novelty)
        values = encode_number(batch, self.field, self.value, columns[:, :width], novelty[:, :novelties])
        if self.past is not None:
            steps = self.past.steps(batch, values)
            self.steps.encode(steps, columns[:, 0], columns[:, width:], novelty[:, novelties:])
            _keep_strongest(novelty)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        width, novelties = len(self.value.columns), len(self.value.novelty)
        finding = self.value.explain(columns[:width], novelty[:novelties], reconstruction[:width])
        if finding.reason != ORDINARY or self.past is None:
            return finding
        errors = np.abs(np.nan_to_num(columns - reconstruction))
        name = self.steps.worst(errors[0], errors[width:], novelty[novelties:])
        if name is None:
            return finding
        beside = columns[width:], novelty[novelties:], reconstruction[width:]
        return Row(self.value, self.steps, self.past, float(columns[0]), *beside).finding(name, finding)

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        return {Field(self.field, FieldType.NUMBER): self.value.decode(columns[:, : len(self.value.columns)])}

    def state(self) -> Mapping[str, Any]:
        return {"value": self.value.state(), "steps": self.steps.state()}


def fitted(config: Config, field: str, value: Measure, steps: Steps) -> FittedStreaming:
    """With a memory of nothing."""
    memory = empty_memory(config.max_keys, timed=config.timed)
    return FittedStreaming(memory, field, value, steps, past_of(value, config, memory), config.timed)


def past_of(value: Measure, config: Config, memory: KeyedMemory) -> Past | None:
    """What compares values with what was before them; None where they are constant."""
    if value.scaling is None:
        return None
    settled = math.ceil(1.0 / config.fast)
    return Past(memory, value.scaling, fast=config.fast, slow=config.slow, timed=config.timed, settled=settled)


def _keep_strongest(novelty: F32) -> None:
    """Of each row the strongest novelty only: a value out of range is no second surprise for having come by a jump."""
    rows = np.flatnonzero(novelty.any(axis=1))
    weaker = np.arange(novelty.shape[1]) != novelty[rows].argmax(axis=1)[:, None]
    novelty[rows] = np.where(weaker, np.float32(0.0), novelty[rows])


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return StreamingEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return fitted(config, field, Measure.restore(state["value"]), Steps.restore(state["steps"]))
