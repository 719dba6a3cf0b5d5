"""The streams a command is about and where their models stand: no network is loaded to know that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monitor.core.config import Config, StreamConfig
from monitor.core.errors import UsageError
from monitor.plugins import resolve_state_dir


def models_root(config: Config) -> Path:
    """Where the published models of this configuration stand."""
    return resolve_state_dir(config, os.environ) / "models"


def reservoirs_root(config: Config) -> Path:
    """Where the benign records that were kept stand."""
    return resolve_state_dir(config, os.environ) / "reservoir"


def chosen_streams(config: Config, names: Sequence[str]) -> dict[str, StreamConfig]:
    """The streams named, or all.

    Raises:
        UsageError: a name is not a stream of the configuration.
    """
    for name in names:
        if name not in config.streams:
            known = ", ".join(config.streams)
            raise UsageError(f"there is no stream {name!r} in the configuration; there are: {known}")
    return {name: stream for name, stream in config.streams.items() if not names or name in names}


def only_stream(config: Config, name: str | None) -> str:
    """The stream named, or the only one.

    Raises:
        UsageError: there are several and none was named, or there is no such stream.
    """
    chosen = chosen_streams(config, [name] if name else [])
    if len(chosen) > 1:
        raise UsageError(f"say which stream with --stream: {', '.join(chosen)}")
    return next(iter(chosen))
