"""One record scored alone by a published model: by the daemon's own data path, as if nothing had come before it."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Iterable
from itertools import islice

import numpy as np

from monitor.app.alerting import anomalies, natural_values
from monitor.app.compose import build_parser, new_framer
from monitor.app.pipeline import Pipeline
from monitor.core.alerts import Alert, ModelRef, Score
from monitor.core.config import LimitsConfig, StreamConfig
from monitor.core.errors import DataError, NoInputError, UsageError
from monitor.core.input_config import InputConfig
from monitor.core.records import HEADER, Origin, RawBatch, RecordBatch
from monitor.explaining.explanation import Replay
from monitor.explaining.fields import field_findings, reassure, summarise
from monitor.explaining.rarity import p_value
from monitor.ingest.framing import PLAIN
from monitor.ingest.reading import STDIN, own_stdin, read_stream


def record_of(alert: Alert) -> RawBatch:
    """What the alert keeps of its record, framed already."""
    data, source = alert.raw.encode(), alert.source
    return RawBatch(
        origin=Origin(source.file_id, source.epoch, source.path),
        data=data,
        starts=np.zeros(1, dtype=np.int64),
        ends=np.array([len(data)], dtype=np.int64),
        offsets=np.array([source.offset], dtype=np.int64),
        next_offset=source.offset + len(data),
        tail=b"",
        truncated=np.zeros(1, dtype=np.bool_),
    )


def record_in(line: str, limits: LimitsConfig, form: InputConfig = PLAIN) -> RawBatch:
    """The one record of a text, framed as the daemon frames it; ``-`` is standard input.

    Raises:
        NoInputError: there is none.
        UsageError: there are several.
    """
    stream = own_stdin() if line == STDIN else io.BytesIO(os.fsencode(line))
    name = "standard input" if line == STDIN else "--line"
    batches = list(islice(read_stream(stream, STDIN, new_framer(limits, form)()), 2))
    if not batches:
        raise NoInputError(f"{name}: there is no record in it")
    if sum(map(len, batches)) > 1:
        raise UsageError(f"{name}: more than one record; explain takes one: `sed -n 7p FILE` prints the 7th line")
    return batches[0]


def replay(pipeline: Pipeline, stream: StreamConfig, raw: RawBatch, threshold: float, cure: str) -> Replay:
    """What a model that has seen no record yet says of the only one of ``raw``.

    Args:
        pipeline: the model; it remembers the record's key from now on.
        stream: what is configured of it.
        raw: one record.
        threshold: scores above are alerts.
        cure: what to do if the record does not parse.

    Raises:
        DataError: it does not.
    """
    scored = pipeline.score(raw)
    _demand_parsed(pipeline.stream, scored.records, cure)
    (anomaly,) = anomalies(pipeline.scorer, scored.matrix.values)
    (actual,) = natural_values(build_parser(stream, None).parse(raw))
    features, value = pipeline.features, float(scored.scores.scores[0])
    values = {feature: actual.get(field) for feature, field in features.sources.items()}
    fields = field_findings(anomaly, features.layout, values, features.explain_feature, every=True)
    alerts = bool(value > threshold)
    sentence = summarise if alerts else reassure
    return Replay(
        model=ModelRef(version=pipeline.bundle.version, sha256=pipeline.bundle.sha256),
        score=Score(float(scored.scores.l1[0]), value, threshold, p_value(anomaly.rarity)),
        alerts=alerts,
        summary=sentence(pipeline.stream, fields, value, threshold, anomaly.rarity),
        fields=fields,
        unread=_unread(actual, pipeline, stream),
        past=tuple(pipeline.features.memories()),
        averaged=pipeline.averaging.length,
    )


def command_for(alert: Alert) -> str:
    """The shell command that explains the whole record of an alert, while its file is there."""
    source = alert.source
    return (
        f"tail -c +{source.offset + 1} {shlex.quote(source.path)} | head -n 1 | aemonitor explain "
        f"--stream {alert.stream} --model {alert.model.version} --line -"
    )


def _demand_parsed(stream: str, records: RecordBatch, cure: str) -> None:
    if not records.ok[0]:
        reason = records.reasons.get(0, "")
        found = "it is a line of column names" if reason == HEADER else reason
        raise DataError(f"stream {stream}: the record does not parse: {found}; {cure}")


def _unread(actual: Iterable[str], pipeline: Pipeline, stream: StreamConfig) -> tuple[str, ...]:
    """Fields of the record that are neither the time nor the key nor read by any feature."""
    features, time = pipeline.features, None if stream.time is None else stream.time.field
    read = {time, stream.key, *features.sources.values(), *(field.name for field in features.fields)}
    return tuple(name for name in actual if name not in read)
