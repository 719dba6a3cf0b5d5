"""Progress bars: on a terminal only, on stderr, so that pipes and journals stay clean."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, int, int, str], None]
"""Called with (what, done, total, remark); total 0 means it is not known."""


@contextmanager
def training_progress() -> Iterator[Advance]:
    """A bar for each thing that is reported; nothing at all when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total, _remark: None
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

        yield advance
