"""How far a long command has come, on stderr: a bar on a terminal, and a line at each tenth of what has a known end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Advance = Callable[[str, int, int, str], None]
"""Called with (what, done, total, remark); total 0 means it is not known."""


TENTHS = 10


@contextmanager
def training_progress() -> Iterator[Advance]:
    """A bar for each thing that is reported, if stderr is a terminal; journals and pipes get the lines only."""
    if not sys.stderr.isatty():
        yield lambda what, done, total, remark: _milestone(
            what, done, total, remark, lambda line: click.echo(line, err=True)
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[remark]}"), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int, remark: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None, remark=remark)
            bars.update(tasks[what], completed=done, total=total or None, remark=remark)
            _milestone(what, done, total, remark, lambda line: bars.console.print(line, markup=False, highlight=False))

        yield advance


def _milestone(what: str, done: int, total: int, remark: str, say: Callable[[str], object]) -> None:
    if total and done % max(1, total // TENTHS) == 0:
        say(f"{what} {done:,}/{total:,}{f': {remark}' if remark else ''}")
