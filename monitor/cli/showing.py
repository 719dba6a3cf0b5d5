"""What a command found, as lines for a person or as JSON for a program; neither can reach what a terminal obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from monitor.cli.options import Command
from monitor.core.printable import printable, printable_json

LINE_CHARACTERS = 1_000


def json_option(text: str = "Print JSON.") -> Callable[[Command], Command]:
    """``--json``, handed to the command as ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def show(found: object, lines: Iterable[str], *, as_json: bool) -> None:
    """One line of JSON, or the lines; those are asked for only if they are shown."""
    if as_json:
        import msgspec

        click.echo(printable_json(msgspec.json.encode(found).decode()))
        return
    show_lines(lines)


def show_lines(lines: Iterable[str]) -> None:
    """What a person reads, whatever stands in it."""
    for line in lines:
        click.echo(printable(line, LINE_CHARACTERS))
