"""Options that several commands have."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.engines.choice import INLINE, KINDS, EngineChoice

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


def engine_options(command: Command) -> Command:
    """``--engine``, ``--workers`` and ``--address``, handed to the command as ``engine: EngineChoice``."""

    @wraps(command)
    def collected(*values: Any, engine: str, workers: int | None, address: str | None, **others: Any) -> Any:
        return command(*values, engine=EngineChoice(engine, workers, address), **others)

    options = (
        click.option(
            "--engine",
            type=click.Choice(KINDS),
            default=INLINE,
            show_default=True,
            help="Who works: this process, several on this machine, or a Ray cluster. The results are the same.",
        ),
        click.option(
            "--workers", type=click.IntRange(min=1), metavar="N", help="How many work at once; default: one a core."
        ),
        click.option(
            "--address", metavar="ADDRESS", help="Of the Ray cluster; default: one of our own, on this machine."
        ),
    )
    made: Any = collected
    for option in reversed(options):
        made = option(made)
    return made  # type: ignore[no-any-return]


def _chosen(_context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    from monitor.plugins import config_path

    return config_path(value, os.environ)


DIGITS = "[0-9]{1,15}"
"""A float64 has room for so many, and nobody means more."""


class NoiseRange(click.ParamType[tuple[float, float]]):
    """``LOW-HIGH``, two numbers with 0 <= LOW <= HIGH; with ``most``, whole numbers up to that one."""

    name = "LOW-HIGH"

    def __init__(self, *, most: int | None = None) -> None:
        number = rf"({DIGITS}(?:\.{DIGITS})?)" if most is None else f"({DIGITS})"
        self._pattern = re.compile(f"{number}-{number}")
        self._read: Callable[[str], float] = float if most is None else int
        self._most = math.inf if most is None else most
        limits = ", such as 0-20 or 0.5-1.5" if most is None else f" with 0 <= LOW <= HIGH <= {most}, such as 100-200"
        self._expected = f"LOW-HIGH{limits}"

    def convert(
        self, value: str | tuple[float, float], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        found = self._pattern.fullmatch(value)
        low, high = (self._read(found[1]), self._read(found[2])) if found else (1, 0)
        if not low <= high <= self._most:
            self.fail(f"{value!r} is not {self._expected}", param, ctx)
        return low, high
