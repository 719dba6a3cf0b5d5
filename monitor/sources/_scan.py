"""Finds the files that match, and tells "it is not there" from "it could not be looked at"."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from monitor.core.clock import Clock
from monitor.sources._identity import TICK_SECONDS
from monitor.sources._links import around
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
        """Whether what is beside ``path`` surely is as it was read: renames may hide a name from a reader."""
        known = (self._known.get(directory) for directory in around(path))
        return all(listing is None or listing.settled for listing in known)

    def beside(self, path: str) -> list[tuple[str, Entry]]:
        """What is in the directories around ``path``, with whole paths; OSError when one cannot be read."""
        return [found for directory in around(path) for found in self.listed(directory)]

    def listed(self, directory: str) -> list[tuple[str, Entry]]:
        """What is in a directory, with whole paths; OSError when it cannot be read."""
        return [(os.path.join(directory, entry.name), entry) for entry in self.entries(directory)]  # noqa: PTH118


def _stamp(directory: str) -> Stamp:
    status = os.stat(directory)  # noqa: PTH116 - once a second for every directory
    return Stamp(status.st_dev, status.st_ino, status.st_mtime_ns)


def _entry(item: os.DirEntry[str]) -> Entry:
    try:
        return Entry(item.name, item.inode(), item.is_dir(), item.is_symlink())
    except OSError:  # a link that leads nowhere we may look
        return Entry(item.name, item.inode(), is_directory=False, is_link=True)


SEEN: Callable[[os.stat_result], tuple[int, ...]] = attrgetter(
    "st_ino", "st_dev", "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns"
)
"""By what a file is told to look as it did; whatever else may change of it, or of its names, changes the last."""

ABSENT = 0


@dataclass(slots=True)
class Found:
    """What one scan saw: the files that match, by path, and what could not be looked at."""

    files: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])
    failures: dict[str, OSError] = field(default_factory=dict[str, OSError])

    def look_at(self, paths: Iterable[str]) -> None:
        """See which of these are there."""
        for path in paths:
            try:
                self.files[path] = os.stat(path)  # noqa: PTH116 - paths are text here
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.failures[path] = error


class Scanner:
    """Looks for everything that matches; the names are found anew only when a directory has changed."""

    def __init__(self, patterns: Sequence[Pattern], excluded: Callable[[str], bool], clock: Clock) -> None:
        self._patterns = patterns
        self._excluded = excluded
        self._paths: list[str] | None = None
        self._looks: array[int] | None = None  # of each of these, as a number; None: some could not be looked at
        self.directories = Directories(clock.monotonic)

    def unchanged(self) -> bool:
        """Whether every file and directory looks as it did at the last scan.

        That is asked once a second of thousands of files that nothing happens to, so nothing is kept of each but a
        number: most of the time would go into fetching from memory what has been in no cache for a second.
        """
        if self._paths is None or self._looks is None or not self.directories.unchanged():
            return False
        try:
            return self._looks == array("q", map(_looks, self._paths))
        except OSError:
            return False

    def scan(self, *, thorough: bool) -> Found:
        """The files there are, in the order of their paths. ``thorough``: trust no time stamp of a directory."""
        if thorough:
            self.directories.refresh()
        found = Found()
        paths = self._paths
        if paths is None or thorough or not self.directories.unchanged():
            paths = self._expanded(found)
        found.look_at(paths)
        looks = (hash(SEEN(found.files[path])) if path in found.files else ABSENT for path in paths)
        self._looks = None if found.failures else array("q", looks)
        return found

    def _expanded(self, found: Found) -> list[str]:
        absent: set[str] = set()
        walk = Walk(self.directories, found, absent)
        paths = {path for pattern in self._patterns for path in walk.expand(pattern.root, pattern.parts)}
        expanded = sorted(path for path in paths if not self._excluded(path))
        # What could not be read has no stamp that would tell when it can be.
        self._paths = None if absent or found.failures else expanded
        return expanded


def _looks(path: str) -> int:
    """How a file looks, as a number; OSError when it cannot be looked at."""
    try:
        return hash(SEEN(os.stat(path)))  # noqa: PTH116 - paths are text here
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


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
