"""How far a long command has come, on stderr: a bar on a terminal, and on request a line at each tenth of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from monitor.core.progress import Progress

TENTHS = 10

Milestone = Callable[[str, int, int, str, Callable[[str], object]], None]


@contextmanager
def progress_bars(*, milestones: bool = False) -> Iterator[Progress]:
    """A bar for each thing that is reported, if stderr is a terminal.

    ``milestones`` of what has a known end are lines that stay: for work of minutes, in journals and pipes too.
    """
    milestone: Milestone = _milestone if milestones else lambda *_: None
    if not sys.stderr.isatty():
        yield lambda what, done, total, remark: milestone(
            what, done, total, remark, lambda line: click.echo(line, err=True)
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TextColumn("{task.fields[remark]}"), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int, remark: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None, remark=remark)
            bars.update(tasks[what], completed=done, total=total or None, remark=remark)
            milestone(what, done, total, remark, lambda line: bars.console.print(line, markup=False, highlight=False))

        yield advance


def _milestone(what: str, done: int, total: int, remark: str, say: Callable[[str], object]) -> None:
    if total and done % max(1, total // TENTHS) == 0:
        say(f"{what} {done:,}/{total:,}{f': {remark}' if remark else ''}")
