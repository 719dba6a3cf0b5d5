"""Finds the files that match, and tells "it is not there" from "it could not be looked at"."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.core.clock import Clock
from monitor.sources._identity import TICK_SECONDS
from monitor.sources._patterns import ANY_DEPTH, Part, Pattern, fits_name


class Entry(NamedTuple):
    """One name in a directory. ``is_directory`` follows symbolic links, ``is_link`` says that it is one."""

    name: str
    inode: int
    is_directory: bool
    is_link: bool


class Stamp(NamedTuple):
    """By what a directory is told to be as it was."""

    device: int
    inode: int
    mtime_ns: int


@dataclass(slots=True)
class Listing:
    """A directory as last read, ``since`` when it had this stamp, in monotonic seconds.

    ``settled``: it was read so long after that that whatever changes it gives it another stamp.
    """

    stamp: Stamp
    entries: tuple[Entry, ...]
    since: float
    settled: bool


@dataclass(slots=True)
class Directories:
    """Reads directories, but those that have not changed only when ``refresh`` has been called.

    A change within the same tick of the file system's clock as a reading leaves the time stamp as it was; so a
    directory counts as unchanged only after two readings, ``TICK_SECONDS`` apart, that began with the same stamp.
    """

    _monotonic: Callable[[], float]
    _known: dict[str, Listing] = field(default_factory=dict[str, Listing])
    _before: dict[str, Listing] = field(default_factory=dict[str, Listing])  # what was known until ``refresh``

    def refresh(self) -> None:
        """Read everything anew, once: some file systems do not keep time stamps faithfully."""
        self._before, self._known = self._known, {}

    def unchanged(self) -> bool:
        """Whether every directory that was ever read is as it was."""
        try:
            return all(known.settled and known.stamp == _stamp(path) for path, known in self._known.items())
        except OSError:
            return False

    def entries(self, directory: str) -> tuple[Entry, ...]:
        """What is in a directory; OSError when it cannot be read."""
        stamp = _stamp(directory)
        known = self._known.get(directory)
        now = self._monotonic()
        earlier = known or self._before.pop(directory, None)
        since = earlier.since if earlier is not None and earlier.stamp == stamp else now
        if known is not None and known.settled and known.stamp == stamp:
            return known.entries
        with os.scandir(directory) as found:
            entries = tuple(sorted(_entry(item) for item in found))
        self._known[directory] = Listing(stamp, entries, since, settled=now - since >= TICK_SECONDS)
        return entries

    def settled(self, path: str) -> bool:
        """Whether the directory of ``path`` surely is as it was read: renames may hide a name from a reader."""
        known = self._known.get(os.path.dirname(path))  # noqa: PTH120 - paths are text here
        return known is None or known.settled

    def beside(self, path: str) -> list[tuple[str, Entry]]:
        """What is in the directory of ``path``, with whole paths; OSError when it cannot be read."""
        directory = os.path.dirname(path)  # noqa: PTH120 - paths are text here
        return [(os.path.join(directory, entry.name), entry) for entry in self.entries(directory)]  # noqa: PTH118


def _stamp(directory: str) -> Stamp:
    status = os.stat(directory)  # noqa: PTH116 - once a second for every directory
    return Stamp(status.st_dev, status.st_ino, status.st_mtime_ns)


def _entry(item: os.DirEntry[str]) -> Entry:
    try:
        return Entry(item.name, item.inode(), item.is_dir(), item.is_symlink())
    except OSError:  # a link that leads nowhere we may look
        return Entry(item.name, item.inode(), is_directory=False, is_link=True)


@dataclass(slots=True)
class Found:
    """What one scan saw: the files that match, by path, and what could not be looked at.

    ``as_before``: directories and files look as they did to the scan before.
    """

    files: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])
    failures: dict[str, OSError] = field(default_factory=dict[str, OSError])
    as_before: bool = False

    def like(self, other: Found) -> bool:
        """Whether both saw the same files, of the same size, written to at the same times, and all of them."""
        if self.failures or other.failures or len(self.files) != len(other.files):
            return False
        before = other.files
        return all(path in before and _alike(status, before[path]) for path, status in self.files.items())


class Scanner:
    """Looks for everything that matches; the names are found anew only when a directory has changed."""

    def __init__(self, patterns: Sequence[Pattern], excluded: Callable[[str], bool], clock: Clock) -> None:
        self._patterns = patterns
        self._excluded = excluded
        self._paths: list[str] | None = None
        self._before = Found()
        self.directories = Directories(clock.monotonic)

    def scan(self, *, thorough: bool) -> Found:
        """The files there are, in the order of their paths. ``thorough``: trust no time stamp of a directory."""
        if thorough:
            self.directories.refresh()
        found = Found()
        paths = self._paths
        anew = thorough or paths is None or not self.directories.unchanged()
        if paths is None or anew:
            paths = self._expanded(found)
        for path in paths:
            _look(path, found)
        found.as_before = not anew and found.like(self._before)
        self._before = found
        return found

    def _expanded(self, found: Found) -> list[str]:
        absent: set[str] = set()
        walk = Walk(self.directories, found, absent)
        paths = {path for pattern in self._patterns for path in walk.expand(pattern.root, pattern.parts)}
        expanded = sorted(path for path in paths if not self._excluded(path))
        # What could not be read has no stamp that would tell when it can be.
        self._paths = None if absent or found.failures else expanded
        return expanded


KIND_TO_SIZE = slice(7)
"""Of a status: mode, inode, device, links, owner, group, size."""


def _alike(status: os.stat_result, before: os.stat_result) -> bool:
    return status.st_mtime_ns == before.st_mtime_ns and status[KIND_TO_SIZE] == before[KIND_TO_SIZE]


def _look(path: str, found: Found) -> None:
    try:
        found.files[path] = os.stat(path)  # noqa: PTH116 - for every file once a second
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        found.failures[path] = error


@dataclass(slots=True)
class Walk:
    """One walk through the directories; what cannot be read is noted."""

    directories: Directories
    found: Found
    absent: set[str]

    def expand(self, directory: str, parts: tuple[Part, ...]) -> Iterator[str]:
        """Paths below ``directory`` that fit ``parts``; a path may come more than once."""
        if not parts:
            yield directory
            return
        part, rest = parts[0], parts[1:]
        if isinstance(part, str):
            yield from self.expand(os.path.join(directory, part), rest)  # noqa: PTH118 - paths are text here
            return
        if part is ANY_DEPTH:
            yield from self.expand(directory, rest)
        for entry in self._entries(directory):
            below = os.path.join(directory, entry.name)  # noqa: PTH118 - paths are text here
            if part is ANY_DEPTH:
                if entry.is_directory and not entry.is_link and not entry.name.startswith("."):
                    yield from self.expand(below, parts)
            elif fits_name(entry.name, part) and (entry.is_directory or not rest):
                yield from self.expand(below, rest)

    def _entries(self, directory: str) -> tuple[Entry, ...]:
        try:
            return self.directories.entries(directory)
        except (FileNotFoundError, NotADirectoryError):
            self.absent.add(directory)
        except OSError as error:
            self.found.failures[directory] = error
        return ()
