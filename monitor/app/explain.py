"""Explains one record in full: that of an alert by the very model that raised it, or any line by any model kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.compose import assemble, load_bundle, load_pipeline
from monitor.app.pipeline import Pipeline
from monitor.app.replaying import command_for, record_in, record_of, replay
from monitor.app.streams import chosen_streams, models_root
from monitor.core.alerts import Alert
from monitor.core.clock import SystemClock
from monitor.core.config import Config
from monitor.core.errors import NoInputError, UsageError
from monitor.core.names import quoted
from monitor.explaining.explanation import Explanation
from monitor.explaining.notes import notes
from monitor.model.versions import versions
from monitor.plugins import load_config

CURRENT = "current"
"""Stands for the version in use."""


def explain_alert(config_path: Path, alert: Alert, version: str | None) -> Explanation:
    """What its own model says of the record of an alert, or another version (``current``: the one in use).

    Raises:
        UsageError: its stream is not configured any more.
        NoInputError: the version is not kept any more.
        BundleError: it is damaged.
        DataError: what the alert keeps of the record cannot be parsed.
    """
    config = load_config(config_path)
    chosen_streams(config, [alert.stream])
    cure = f"to explain it by the model in use: `aemonitor explain {alert.id[:12]} --model {CURRENT}`"
    pipeline = _pipeline(config, alert.stream, version or alert.model.version, cure)
    cut = len(alert.raw) >= RAW_CHARACTERS
    whole = f"the alert keeps only the beginning of it; while the file is there: `{command_for(alert)}`"
    unparsed = whole if cut else "the stream's parser is configured otherwise by now"
    found = replay(pipeline, config.streams[alert.stream], record_of(alert), alert.score.threshold, unparsed)
    return _noted(Explanation(stream=alert.stream, alert=alert, replay=found), cut=cut)


def explain_line(config_path: Path, line: str, stream: str | None, version: str | None) -> Explanation:
    """What a stream's model in use, or a given version, says of a record; ``-`` reads it from standard input.

    Raises:
        UsageError: there are several streams and none was named, or several records.
        TryLaterError: no model has been published yet.
        NoInputError: there is no record, or no such version.
        BundleError: the model is damaged, or the one in use was trained with other features than are configured.
        DataError: the record cannot be parsed.
    """
    config = load_config(config_path)
    name = _only_stream(config, stream)
    pipeline = _pipeline(config, name, version or CURRENT, "see `aemonitor models list`")
    raw = record_in(line, config.limits, config.streams[name].input)
    cure = f"give it as it stands in the log, or say with --stream whose record it is (taken for one of {name})"
    found = replay(pipeline, config.streams[name], raw, pipeline.decider.threshold, cure)
    return _noted(Explanation(stream=name, alert=None, replay=found), cut=False)


def stored_only(alert: Alert) -> Explanation:
    """What the alert itself still tells when it cannot be replayed."""
    return Explanation(stream=alert.stream, alert=alert, replay=None)


def _only_stream(config: Config, stream: str | None) -> str:
    chosen = chosen_streams(config, [stream] if stream else [])
    if len(chosen) > 1:
        raise UsageError(f"say with --stream whose record it is: {', '.join(chosen)}")
    return next(iter(chosen))


def _pipeline(config: Config, stream: str, version: str, cure: str) -> Pipeline:
    """The model in use as the daemon has it; any other version with the features it was trained with."""
    if version == CURRENT:
        return load_pipeline(config, stream, SystemClock())
    if version not in versions(models_root(config), stream):
        raise NoInputError(f"stream {stream}: model {quoted(version)} is not there, or not kept any more; {cure}")
    return assemble(config, stream, load_bundle(config, stream, version), SystemClock())


def _noted(explanation: Explanation, *, cut: bool) -> Explanation:
    return msgspec.structs.replace(explanation, notes=notes(explanation, cut=cut))
