"""Options that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """``-c/--config FILE``, handed to the command as ``config: Path``; ``-`` is standard input."""
    option = click.option(
        "-c",
        "--config",
        metavar="FILE",
        callback=_chosen,
        help="The configuration; - is standard input; default: $AEMONITOR_CONFIG, then /etc/aemonitor/aemonitor.yaml.",
    )
    return option(command)


def _chosen(_context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    from monitor.plugins import config_path

    return config_path(value, os.environ)
