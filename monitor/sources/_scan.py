"""Finds the files that match, and tells "it is not there" from "it could not be looked at"."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.sources._patterns import ANY_DEPTH, Part, Pattern, fits_name


class Entry(NamedTuple):
    """One name in a directory. ``is_directory`` follows symbolic links, ``is_link`` says that it is one."""

    name: str
    inode: int
    is_directory: bool
    is_link: bool


@dataclass(slots=True)
class Listing:
    """A directory as last read. ``settled``: its time stamp was the same at two readings, so nothing was missed."""

    mtime_ns: int
    entries: tuple[Entry, ...]
    settled: bool


@dataclass(slots=True)
class Directories:
    """Reads directories, but those that have not changed only when ``refresh`` has been called.

    A change within the same tick of the file system's clock as a reading leaves the time stamp as it was; so a
    directory counts as unchanged only after two readings that began with the same stamp.
    """

    _known: dict[str, Listing] = field(default_factory=dict[str, Listing])

    def refresh(self) -> None:
        """Read everything anew from now on: some file systems do not keep time stamps faithfully."""
        self._known.clear()

    def entries(self, directory: str) -> tuple[Entry, ...]:
        """What is in a directory; OSError when it cannot be read."""
        mtime_ns = os.stat(directory).st_mtime_ns  # noqa: PTH116 - once a second for every directory
        known = self._known.get(directory)
        if known is not None and known.settled and known.mtime_ns == mtime_ns:
            return known.entries
        settled = known is not None and known.mtime_ns == mtime_ns
        with os.scandir(directory) as found:
            entries = tuple(sorted(_entry(item) for item in found))
        self._known[directory] = Listing(mtime_ns, entries, settled)
        return entries

    def beside(self, path: str) -> list[tuple[str, Entry]]:
        """What is in the directory of ``path``, with whole paths; OSError when it cannot be read."""
        directory = os.path.dirname(path)  # noqa: PTH120 - paths are text here
        return [(os.path.join(directory, entry.name), entry) for entry in self.entries(directory)]  # noqa: PTH118


def _entry(item: os.DirEntry[str]) -> Entry:
    try:
        return Entry(item.name, item.inode(), item.is_dir(), item.is_symlink())
    except OSError:  # a link that leads nowhere we may look
        return Entry(item.name, item.inode(), is_directory=False, is_link=True)


@dataclass(slots=True)
class Found:
    """What one scan saw: the files that match, by path, and what could not be looked at."""

    files: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])
    failures: dict[str, OSError] = field(default_factory=dict[str, OSError])

    @property
    def complete(self) -> bool:
        """Whether a file that is not among ``files`` is known not to exist."""
        return not self.failures


def scan(patterns: Sequence[Pattern], directories: Directories) -> Found:
    """Look for everything the patterns match. Directories are left out; other kinds of files are the caller's."""
    found = Found()
    for pattern in patterns:
        for path in _expand(pattern.root, pattern.parts, directories, found):
            if path not in found.files:
                _look(path, found)
    return found


def _look(path: str, found: Found) -> None:
    try:
        found.files[path] = os.stat(path)  # noqa: PTH116 - for every file once a second
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        found.failures[path] = error


def _expand(directory: str, parts: tuple[Part, ...], directories: Directories, found: Found) -> Iterator[str]:
    """Paths below ``directory`` that fit ``parts``; a path may come more than once."""
    if not parts:
        yield directory
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, str):
        yield from _expand(os.path.join(directory, part), rest, directories, found)  # noqa: PTH118 - hot
        return
    if part is ANY_DEPTH:
        yield from _expand(directory, rest, directories, found)
    for entry in _entries(directory, directories, found):
        below = os.path.join(directory, entry.name)  # noqa: PTH118 - hot
        if part is ANY_DEPTH:
            if entry.is_directory and not entry.is_link and not entry.name.startswith("."):
                yield from _expand(below, parts, directories, found)
        elif fits_name(entry.name, part) and (entry.is_directory or not rest):
            yield from _expand(below, rest, directories, found)


def _entries(directory: str, directories: Directories, found: Found) -> tuple[Entry, ...]:
    try:
        return directories.entries(directory)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        found.failures[directory] = error
        return ()
