"""The files that a command is given, by names or patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.core.errors import NoInputError


def named(inputs: Sequence[Path]) -> tuple[Path, ...]:
    """The files, with those that a pattern stands for in the order of their names; ``**`` is any directories.

    What exists is its own name, whatever characters that has.

    Raises:
        NoInputError: nothing matches a pattern.
    """
    return tuple(path for each in inputs for path in _matching(each))


def _matching(path: Path) -> Iterator[Path]:
    text = str(path)
    if not glob.has_magic(text) or path.exists():
        yield path
        return
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        raise NoInputError(f"{text}: no file matches")
    yield from map(Path, found)
