"""How often each event occurs: in the list of events that a record has, or in the window that a record falls into.

Without ``window`` the field is a list of texts: a session and its events, say. With it the field is one text, such as
an event's name or a log line, and each record is told the counts of its key in its window so far, by event time.
Events and successions of two that benign data never had are surprising by as much as benign data make them so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, Column
from monitor.core.errors import DataError
from monitor.core.protocols import Encoder, Finding, FittedEncoder, KeyedChanges
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.warm_up import WarmUp
from monitor.encoders._counts_codes import Counted
from monitor.encoders._counts_learned import Learned
from monitor.encoders._counts_learning import Manner, learn
from monitor.encoders._counts_reading import InWindows, OfLists, Reader, parts
from monitor.encoders._windows import Windows
from monitor.encoders._windows_clocks import Clock, Panes, Sessions
from monitor.encoders._wording import shown

STEPS = 10
"""A sliding window moves in so many steps of its length, if nothing else is said."""

MOST_STEPS = 100
MOST_LATENESS = 10
"""Lateness is at most so many windows: the counts of all that time are remembered for every key."""

TAKES: Mapping[str | None, tuple[str, ...]] = {
    None: (),
    "session": ("gap", "lateness", "max_keys"),
    "tumbling": ("seconds", "lateness", "max_keys"),
    "sliding": ("seconds", "lateness", "max_keys", "step"),
}
"""The options of each window; the first of them is needed."""


class Config(StrictModel):
    """Options of ``counts``."""

    window: Literal["session", "tumbling", "sliding"] | None = Option(
        default=None,
        description="Where the events of a key are counted; without it the field is a list of texts, counted by "
        "itself. A `session` ends when its key is silent for more than `gap` seconds.",
    )
    gap: float | None = Option(
        default=None, ge=0.01, le=1e8, description="Seconds of silence after which a session has ended."
    )
    seconds: float | None = Option(
        default=None, ge=1.0, le=1e8, description="Length of a tumbling or sliding window, in event time."
    )
    step: float | None = Option(
        default=None,
        ge=0.01,
        description="Seconds by which a sliding window moves, a whole part of its length; a tenth of it by default.",
    )
    lateness: float = Option(
        default=0.0,
        ge=0,
        le=1e9,
        description="Seconds that a record may come after the end of its window, or lie before the beginning of the "
        "current session; one that comes later still is counted alone and nowhere else.",
    )
    max_keys: int = Option(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="So many keys are remembered, those seen last; 8 bytes for each of their columns (a sliding window "
        "takes as many times that as it has steps).",
    )
    max_events: int = Option(
        default=64,
        ge=1,
        le=1024,
        description="Most events, and most successions, that are counted one by one: those in most benign records.",
    )
    min_count: int = Option(
        default=2, ge=1, description="Events in fewer benign records than this are counted all together."
    )
    bigrams: bool = Option(default=False, description="Whether to count, too, which event follows which.")
    mask: bool = Option(
        default=False,
        description="Whether numbers, addresses and ids are masked, so that raw log lines count by their templates.",
    )
    clip: float = Option(
        default=8.0, gt=0, le=1000, description="Columns are cut off here, 1 being the benign standard deviation."
    )

    @property
    def warm_up(self) -> WarmUp | None:
        """Until a window has been seen from its beginning; None where each record is counted by itself."""
        if self.window is None:
            return None
        return WarmUp(pause=self.gap) if self.gap is not None else WarmUp(seconds=self.seconds or 0.0)

    @model_validator(mode="after")
    def _of_one_window(self) -> Self:
        takes = TAKES[self.window]
        kind = f"window {self.window}" if self.window else "a list of texts"
        if takes and getattr(self, takes[0]) is None:
            raise ValueError(f"{kind} needs {takes[0]}, such as `{takes[0]}: 300`")
        for name in sorted({name for names in TAKES.values() for name in names} - {*takes}):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{kind} takes no {name}; leave it out or set another window")
        return self

    @model_validator(mode="after")
    def _of_few_panes(self) -> Self:
        if self.seconds is None:
            return self
        if self.lateness > MOST_LATENESS * self.seconds:
            raise ValueError(f"lateness {self.lateness:g} is more than {MOST_LATENESS} windows of {self.seconds:g} s")
        steps = self.seconds / (self.step or self.seconds / STEPS)
        if not math.isclose(steps, round(steps)) or not 2 <= round(steps) <= MOST_STEPS:
            raise ValueError(f"step {self.step:g} does not part {self.seconds:g} s into 2 to {MOST_STEPS} steps")
        return self

    @property
    def within(self) -> str:
        """Where events are counted, as it is told."""
        if self.seconds is not None:
            return f" within {shown(self.seconds)} s"
        return " in its session" if self.window else ""

    @property
    def timed(self) -> bool:
        """Whether the event time is read: windows are made of it."""
        return self.window is not None

    @property
    def manner(self) -> Manner:
        """How to count."""
        return Manner(self.max_events, self.min_count, self.bigrams, self.mask, self.clip, self.within)


EXAMPLE = """
window: session
gap: 300
bigrams: true
max_events: 32
"""


@dataclass(frozen=True)
class CountsEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (_source(self.config, self.field),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        if self.config.timed and batch.times is None:
            raise DataError(f"feature {self.field!r}: the stream has no event time; set its `time:`")
        config, field = self.config, self.field
        benign = [part for _, part in parts(batch, self.fields[0])]
        learned = learn(lambda counted: _reader(config, field, counted), benign, config.manner, field)
        return _fitted(config, field, learned)


@dataclass(frozen=True)
class FittedCounts:
    """The counts of benign data, and how to count others."""

    source: Field
    learned: Learned
    reader: Reader

    @property
    def columns(self) -> tuple[str, ...]:
        return self.learned.columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self.learned.novelty

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        for rows, part in parts(batch, self.source):
            self.learned.encode(self.reader.look(part), columns[rows], novelty[rows])

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        return self.learned.explain(columns, novelty, reconstruction)

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - counts do not tell the order
        return {}

    def state(self) -> Mapping[str, Any]:
        return self.learned.state()


@dataclass(frozen=True)
class FittedWindowCounts(FittedCounts):
    """The same in windows: what is in them so far is remembered of each key."""

    windows: Windows

    @property
    def timed(self) -> bool:
        """Windows are made of event time."""
        return True

    def keyed_state(self) -> Mapping[str, Any]:
        return self.windows.memory.state()

    def keyed_changes(self) -> KeyedChanges:
        return self.windows.memory.changes()

    def load_keyed_state(self, state: Mapping[str, Any]) -> None:
        self.windows.memory.load(state)


def _source(config: Config, field: str) -> Field:
    return Field(field, FieldType.TEXT if config.window else FieldType.TEXTS)


def _clock(config: Config) -> Clock:
    if config.gap is not None:
        return Sessions(config.gap, config.lateness)
    seconds = config.seconds or 0.0
    if config.window == "tumbling":
        return Panes(seconds, 1, config.lateness)
    step = config.step or seconds / STEPS
    return Panes(step, round(seconds / step), config.lateness)


def _windows(config: Config, counted: Counted) -> Windows:
    return Windows.new(counted, _clock(config), config.max_keys)


def _reader(config: Config, field: str, counted: Counted) -> Reader:
    """Counts ``counted`` from the beginning: nothing is remembered yet."""
    if not config.window:
        return OfLists(field, config.mask, counted)
    return InWindows(field, config.mask, _windows(config, counted))


def _fitted(config: Config, field: str, learned: Learned) -> FittedEncoder:
    reader = _reader(config, field, learned.counted)
    source = _source(config, field)
    if isinstance(reader, InWindows):
        return FittedWindowCounts(source, learned, reader, reader.windows)
    return FittedCounts(source, learned, reader)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return CountsEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return _fitted(config, field, Learned.restore(state, clip=config.clip, within=config.within))
