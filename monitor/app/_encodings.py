"""How the columns of a table are encoded and learned: options checked as those of the YAML file are, or inferred."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from monitor import plugins
from monitor.app._tables import Table, seconds
from monitor.app.compose import build_encoders
from monitor.core.arrays import Column
from monitor.core.config import Config, StreamConfig
from monitor.core.config_reading import read_config
from monitor.core.errors import ConfigError, DataError, Problem, UsageError
from monitor.core.names import did_you_mean, quoted
from monitor.core.protocols import Encoder
from monitor.core.records import Field, FieldType
from monitor.core.yaml_text import YamlText
from monitor.plugins.loading import InstalledPlugins
from monitor.training.inference import (
    Choice,
    choose_clock,
    choose_encoding,
    choose_time,
    with_past,
    without_repetitions,
)
from monitor.training.recent_past import in_order

STREAM = "detector"
"""The stream's name where there is no stream: in messages and in a model that was not saved yet."""

SECTIONS = ("model.", "score.", "alert.")
"""Sections of the configuration whose keys are parameters of their own."""


class ParameterError(UsageError, ValueError):
    """A parameter of ``Detector`` is wrong; a ValueError too, as scikit-learn's own estimators raise."""


class Encodings(NamedTuple):
    """Encoding by feature as the YAML file writes it, the columns left out with the reason, and the time column."""

    features: Mapping[str, Any]
    left_out: Mapping[str, str]
    time: str | None


def inferred(table: Table, time: str | None, key: str | None) -> Encodings:
    """Encodings by the rules of ``aemonitor init``; numbers of an array without names are always read as numbers.

    Raises:
        DataError: no column can be learned; the message gives the reason for each.
    """
    typed = {name: (kind, table.columns[name]) for name in table.columns if (kind := table.kind(name)) is not None}
    time = time or _time_column(table, typed)
    choices = [_choice(table, name) for name in table.columns if name != time]
    if table.named:
        choices = without_repetitions(choices, typed)
    times = None if time is None else seconds(table.columns[time])
    if times is None or in_order(times):
        keys = None if key is None else table.columns[key]
        choices = [with_past(choice, table.columns[choice.name], keys) for choice in choices]
    if time is not None and times is not None:
        choices.append(choose_clock(time, times))
    features = {choice.name: {choice.kind: choice.options} for choice in choices if choice.kind}
    left_out = {choice.name: choice.reason for choice in choices if not choice.kind}
    if not features:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise DataError(f"no column can be learned ({reasons}); say with features= how to encode them")
    return Encodings(features, left_out, time)


def _time_column(table: Table, typed: Mapping[str, tuple[FieldType, Column]]) -> str | None:
    """The first column of times, else what ``init`` takes for the time."""
    dated = next(filter(table.is_time, table.columns), None)
    if dated is not None or not table.named:
        return dated
    return choose_time({name: each for name, each in typed.items() if each[0] in (FieldType.TEXT, FieldType.NUMBER)})[0]


def _choice(table: Table, name: str) -> Choice:
    kind = table.kind(name)
    if table.is_time(name):
        return Choice(name, None, "a second time; only one column is the event time")
    if kind is None:
        return Choice(name, None, f"values of type {table.columns[name].type} cannot be encoded")
    if kind is FieldType.NUMBER and not table.named:
        return Choice(name, "numeric", "a column of an array of numbers")
    return choose_encoding(name, kind, table.columns[name])


class Plan(NamedTuple):
    """What is trained: checked options, and the encoders by feature, not yet fitted."""

    config: Config
    encoders: Mapping[str, Encoder]

    @property
    def stream(self) -> StreamConfig:
        """The options of the only stream."""
        return self.config.streams[STREAM]

    @property
    def fields(self) -> list[Field]:
        """What the encoders read, each once."""
        return list(dict.fromkeys(field for encoder in self.encoders.values() for field in encoder.fields))


def plan(sections: Mapping[str, Any], device: Any, encodings: Encodings, key: str | None) -> Plan:
    """Check all options as those of a YAML file are checked. ``sections`` are ``model``, ``score`` and ``alert``.

    Raises:
        ParameterError: with every problem.
    """
    stream: dict[str, Any] = {
        "source": "stdin",
        "parser": "json_lines",
        "features": encodings.features,
        **sections,
        "time": None if encodings.time is None else {"field": encodings.time},
        "key": key,
    }
    written = _plain({"device": device, "streams": {STREAM: stream}})
    try:
        config = read_config(YamlText(written, {}, {}, {}, ()), InstalledPlugins(), "Detector")
    except ConfigError as error:
        raise ParameterError("\n".join(map(_told, error.problems))) from None
    return Plan(config, build_encoders(config.streams[STREAM]))


def check_columns(table: Table, plan: Plan, time: str | None, key: str | None) -> None:
    """Every column that a feature, the time or the key reads must be there.

    Raises:
        ParameterError: the first one that is not, with the nearest name.
    """
    reads = [(f"features.{name}", field.name) for name, encoder in plan.encoders.items() for field in encoder.fields]
    for parameter, column in (*reads, ("time", time), ("key", key)):
        check_column(table, parameter, column)


def check_column(table: Table, parameter: str, column: str | None) -> None:
    """Raise ParameterError if a parameter names a column that is not there."""
    if column is not None and column not in table.columns:
        known = did_you_mean(str(column), table.columns)
        raise ParameterError(f"{parameter}: there is no column {quoted(str(column))} in X{known}")


def _told(problem: Problem) -> str:
    """A problem at the parameter it is about."""
    place = problem.key_path.removeprefix(f"streams.{STREAM}.")
    for section in SECTIONS:
        place = place.removeprefix(section)
    place = re.sub("^seed$", "random_state", place)
    return ": ".join(part for part in (place, problem.message) if part)


def _plain(value: Any) -> Any:
    """Tuples as lists and numpy's numbers as Python's, which is all that a YAML text can hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def written(features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Features of a bundle as the YAML file writes them, without options that have their default value."""
    return {entry["name"]: _written(entry) for entry in features if "left_out" not in entry}


def _written(entry: Mapping[str, Any]) -> Any:
    kind = entry["kind"]
    model = plugins.options_model("encoders", kind)
    # Through JSON text, because the strict models take a list for a tuple only there.
    options = model.model_validate_json(json.dumps(entry["config"])).model_dump(mode="json", exclude_defaults=True)
    if entry["field"] != entry["name"]:
        options["field"] = entry["field"]
    return {kind: options} if options else kind
