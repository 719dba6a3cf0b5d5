"""Holds time, key and features of a stream against the records of a sample, each with the cure for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitor.app._sample_context import remarks_on_keys, remarks_on_times
from monitor.app._sample_fields import WORST_FIRST, Level, Remark, Values, remarks_on, remarks_on_all, values_of
from monitor.app.alerting import rfc3339
from monitor.app.compose import build_encoders
from monitor.core.arrays import Column
from monitor.core.config import Feature, StreamConfig
from monitor.core.errors import Problem
from monitor.core.names import did_you_mean, expanded, quoted
from monitor.core.protocols import Encoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.yaml_text import dotted
from monitor.training.inference import Choice, choose_encoding, count_distinct

LOOKING_INTO = ("text", "path", "ip")
"""Encodings that look into a text: that each is another one does not hinder them."""


@dataclass(frozen=True, slots=True)
class Item:
    """What the sample says of one thing that is configured.

    ``subject`` is records, time, key or feature; ``name`` the feature's or the field's, printable; ``kind`` the plugin.
    ``figures`` are for programs.
    """

    subject: str
    name: str
    kind: str
    key_path: str
    remarks: tuple[Remark, ...]
    figures: Mapping[str, Any]

    @property
    def level(self) -> Level:
        return next(level for level in WORST_FIRST if level is Level.OK or level in {r.level for r in self.remarks})

    def problems(self, level: Level) -> Iterator[Problem]:
        """The remarks of one level, each at the key it is about."""
        return (Problem(remark.text, self.key_path) for remark in self.remarks if remark.level is level)


class Held:
    """A stream's configuration and the records that parse; ``found`` is what the parser finds by itself."""

    def __init__(
        self, name: str, stream: StreamConfig, records: RecordBatch, found: Mapping[str, tuple[FieldType, Column]]
    ) -> None:
        self._path = ("streams", name)
        self._stream = stream
        self._records = records
        self._encoders = build_encoders(stream)
        self._occurring = [name for name, (_, column) in found.items() if column.null_count < len(column)]
        self._choices = {name: choose_encoding(name, *values) for name, values in found.items()}

    def items(self) -> list[Item]:
        """Time, key and every feature."""
        features = [self._feature(f, self._encoders[name]) for name, f in self._stream.features.items()]
        return [*self._time(), *self._key(), *features]

    def unused(self) -> list[Choice]:
        """Fields that nothing reads, as init would take them."""
        used = {f.name for encoder in self._encoders.values() for f in encoder.fields}
        used |= {self._stream.key or "", self._stream.time.field if self._stream.time else ""}
        return [choice for name, choice in self._choices.items() if name not in used]

    def _feature(self, feature: Feature, encoder: Encoder) -> Item:
        values = [values_of(self._records, f) for f in encoder.fields]
        figures: dict[str, Any] = {"fields": [of_one.figures() for of_one in values]}
        if not values:
            remarks = [Remark("summary", Level.OK, "made of the event time")]
        elif len(values) == 1:
            remarks = [self._judged(remark, values[0].field, feature) for remark in remarks_on(values[0])]
            remarks += self._advice({remark.code for remark in remarks}, values[0], feature)
        else:
            remarks = [self._judged_all(remark, values) for remark in remarks_on_all(values)]
        return self._item("feature", feature.name, feature.kind, ("features", feature.name), remarks, figures)

    def _judged(self, remark: Remark, field: Field, feature: Feature) -> Remark:
        """The remark with what only the configuration tells: the cure."""
        choice = self._choices.get(field.name)
        if remark.code == "never":
            return self._never(field.name)
        if remark.level is Level.ERROR and choice is not None and choice.kind not in (None, feature.kind):
            return replace(remark, text=f"{remark.text}; `aemonitor init` would encode it as {choice.kind}")
        if remark.code == "unique" and feature.kind not in LOOKING_INTO:
            text = f"{remark.text}: any new one will be unseen; leave it out, or encode it as text"
            return Remark(remark.code, Level.WARNING, text)
        return remark

    def _judged_all(self, remark: Remark, values: Sequence[Values]) -> Remark:
        """The same for a feature of several fields: what the first that never occurs may be called instead."""
        if remark.code != "never":
            return remark
        first = next(of_one.field.name for of_one in values if not of_one.present)
        return replace(remark, text=f"{remark.text}{self._instead(first)}")

    def _never(self, field: str) -> Remark:
        return Remark("never", Level.ERROR, f"field {quoted(field)} never occurs{self._instead(field)}")

    def _instead(self, field: str) -> str:
        """Why a field may not occur."""
        ignored = expanded(getattr(self._stream.parser.options, "ignore", ()))
        return "; the parser is told to ignore it" if field in ignored else did_you_mean(field, self._occurring)

    def _advice(self, said: Set[str], values: Values, feature: Feature) -> Iterator[Remark]:
        """What is usable and yet not what init would do, unless it is said already what is the matter with it."""
        if said & {"never", "unique"} or not values.usable:
            return
        most = getattr(feature.options, "max_values", None)
        if most is not None and getattr(feature.options, "values", None) is None and (values.distinct or 0) > most:
            yield Remark("size", Level.OK, f"the {most:,} most frequent have a column of their own")
        choice = self._choices.get(values.field.name)
        if choice is not None and choice.kind is None:
            yield Remark("advice", Level.WARNING, f"`aemonitor init` would leave it out: {choice.reason}")

    def _time(self) -> Iterator[Item]:
        time, times = self._stream.time, self._records.times
        if time is None or times is None:
            return
        texts = self._records.column(time.field, FieldType.TEXT)
        remarks = [self._never(time.field)] if texts.null_count == len(texts) else list(remarks_on_times(texts, times))
        known = times[np.isfinite(times)]
        figures = {
            "records": len(times),
            "read": len(known),
            "first": rfc3339(known.min()) if len(known) else None,
            "last": rfc3339(known.max()) if len(known) else None,
            "backwards": int((np.diff(known) < 0).sum()),
        }
        yield self._item("time", time.field, "", ("time",), remarks, figures)

    def _key(self) -> Iterator[Item]:
        key, keys = self._stream.key, self._records.keys
        if key is None or keys is None:
            return
        distinct, present = count_distinct(keys), len(keys) - keys.null_count
        remarks = [self._never(key)] if not present else list(remarks_on_keys(distinct, present, len(keys)))
        figures = {"records": len(keys), "missing": keys.null_count, "distinct": distinct}
        yield self._item("key", key, "", ("key",), remarks, figures)

    def _item(
        self,
        subject: str,
        name: str,
        kind: str,
        path: tuple[str, ...],
        remarks: Sequence[Remark],
        figures: Mapping[str, Any],
    ) -> Item:
        return Item(subject, name, kind, dotted((*self._path, *path)), tuple(remarks), figures)
