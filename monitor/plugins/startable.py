"""What a correct configuration would still be refused for at the start: files of plugins and calendars, as of now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.core.config import Config, Plugin
from monitor.core.errors import AemonitorError, ConfigError, Problem
from monitor.core.opening import reading
from monitor.core.yaml_text import dotted
from monitor.plugins import finding
from monitor.plugins.surroundings import exposed, may_not_read

if TYPE_CHECKING:
    from monitor.core.suppress_config import SuppressConfig


SECRETS = ("secret_file", "token_file", "password_file", "urls_file", "key_file", "credentials_file", "nkey_file")
"""Options that name a file for the daemon's eyes alone."""


def read_files(config: Config) -> Iterator[tuple[Path, str]]:
    """Every file that sources, the sinks in use and the calendars of the rules name, with the key that names it."""
    for name, stream in config.streams.items():
        yield from _named_files(stream.source, ("streams", name, "source"))
    for name, sink in _used_sinks(config):
        yield from _named_files(sink, ("sinks", name))
        for program in getattr(sink.options, "argv", [])[:1]:
            if program.startswith("/"):
                yield Path(program), dotted(("sinks", name, sink.kind, "argv"))
    for rule, key_path in _calendar_rules(config):
        if rule.calendar is not None:
            yield rule.calendar, key_path


def _named_files(plugin: Plugin, key_path: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for option, value in plugin.options:
        if option.endswith("_file") and value is not None:
            yield Path(value), dotted((*key_path, plugin.kind, option))


def closed_files(config: Config) -> Iterator[Problem]:
    """Those that the current user may not read."""
    for path, key_path in read_files(config):
        if text := may_not_read(path):
            yield Problem(text, key_path)


def file_doubts(config: Config) -> Iterator[Problem]:
    """Files that the current user may not read, and secrets that others may."""
    yield from closed_files(config)
    for path, key_path in read_files(config):
        if key_path.rpartition(".")[2] in SECRETS and (text := exposed(path)):
            yield Problem(text, key_path)


def obstacles(config: Config) -> Iterator[Problem]:
    """Why sinks and calendars cannot be used, but for what ``closed_files`` tells.

    They are made as the daemon makes them. Nothing is written: sinks that write files are left out. Nobody is asked.
    """
    closed = {problem.key_path for problem in closed_files(config)}
    for name, sink in _used_sinks(config):
        key_path = dotted(("sinks", name))
        told = any(path.startswith(f"{key_path}.") for path in closed)
        if not told and not hasattr(sink.options, "path"):
            yield from _tried(key_path, partial(_open_and_close, sink))
    for rule, key_path in _calendar_rules(config):
        if key_path not in closed:
            yield from _tried(key_path, partial(_read_calendar, rule))


def _tried(key_path: str, use: Callable[[], None]) -> Iterator[Problem]:
    try:
        use()
    except ConfigError as error:
        yield from (Problem(f"{error.file}: {problem.message}", key_path) for problem in error.problems)
    except AemonitorError as error:
        yield Problem(str(error), key_path)


def _open_and_close(sink: Plugin) -> None:
    finding.module("sinks", sink.kind).build(sink.options).close()


def _read_calendar(rule: SuppressConfig) -> None:
    from monitor.deciding.calendars import Calendar

    assert rule.calendar is not None  # noqa: S101 - `_calendar_rules` has no others
    with reading(rule.calendar, "calendar"):
        os.close(os.open(rule.calendar, os.O_RDONLY))
    Calendar(rule.calendar, rule.timezone)


def _used_sinks(config: Config) -> Iterator[tuple[str, Plugin]]:
    used = {name for stream in config.streams.values() for name in stream.sinks}
    return ((name, sink) for name, sink in config.sinks.items() if name in used)


def _calendar_rules(config: Config) -> Iterator[tuple[SuppressConfig, str]]:
    for name, stream in config.streams.items():
        for number, rule in enumerate(stream.alert.suppress):
            if rule.calendar is not None:
                yield rule, dotted(("streams", name, "alert", "suppress", number, "calendar"))
