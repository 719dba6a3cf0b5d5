"""Files that are not being read yet, and what the configuration says of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from monitor.sources._identity import Locator, locator_of
from monitor.sources._patterns import excluded, parse, parse_exclusion
from monitor.sources._scan import Directories, Entry


@dataclass(frozen=True, slots=True)
class Stranger:
    """A file that is not being read yet. ``home`` is the path its records are said to come from."""

    path: str
    home: str
    locator: Locator
    mtime_ns: int


class Start(Enum):
    """Where to begin with a new file.

    ``WHOLE``: it came later. ``BEGINNING`` and ``END``: it is there at the very first start.
    """

    WHOLE = auto()
    BEGINNING = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Names:
    """What the configuration says of paths: which are to be read, which never are, and how often they are looked for.

    What was made within ``scan_seconds`` before the last commit may not have been seen by then.
    """

    wanted: Callable[[str], bool]
    excluded: Callable[[str], bool]
    scan_seconds: float

    @classmethod
    def of(cls, include: Sequence[str], exclude: Sequence[str], scan_seconds: float) -> Names:
        """As the globs say it."""
        patterns = tuple(parse(glob) for glob in include)
        exclusions = tuple(parse_exclusion(glob) for glob in exclude)

        def is_excluded(path: str) -> bool:
            return excluded(path, exclusions)

        def is_wanted(path: str) -> bool:
            return any(pattern.matches(path) for pattern in patterns) and not is_excluded(path)

        return cls(is_wanted, is_excluded, scan_seconds)


def beside(home: str, directories: Directories) -> list[tuple[str, Entry]] | None:
    """What is in the directory of ``home``; None when that cannot be read now."""
    try:
        return directories.beside(home)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def locator_at(path: str) -> Locator | None:
    try:
        return locator_of(os.stat(path))  # noqa: PTH116 - paths are text here
    except OSError:
        return None
