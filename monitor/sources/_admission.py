"""Decides what a file that is met for the first time is: one read before, a missed part of a log, or a new one.

In this order, because what is certain must not be taken by a guess: a remembered file at its old place; a remembered
file renamed beside it; new files and those rotated away unseen, either of which may hold remembered content; at last
files at a remembered place with other content.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from uuid import uuid4

from monitor.core.accounting import FileState, Position
from monitor.core.protocols import SourceEvents
from monitor.sources._copies import Copies
from monitor.sources._identity import (
    TICK_SECONDS,
    Locator,
    difference,
    is_evident,
    is_unread,
    known_locator,
    locator_of,
)
from monitor.sources._memory import Memory
from monitor.sources._opening import Opened, Opener
from monitor.sources._scan import Directories, Entry
from monitor.sources._siblings import bases, is_compressed, is_rotated_name
from monitor.sources._tailed import Closed, TailedFile
from monitor.sources._tracker import Tracker

MAX_VACANT = 64
"""Paths without a file beside which files are looked for that came and went between two scans."""


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


class Admission:
    """Takes in strangers, remembering why. ``sightings`` are the places at which new files were begun."""

    def __init__(
        self, memory: Memory, tracker: Tracker, opener: Opener, copies: Copies, events: SourceEvents, names: Names
    ) -> None:
        self._memory = memory
        self._copies = copies
        self._tracker = tracker
        self._opener = opener
        self._events = events
        self._names = names
        self._unlooked = {
            state.origin.path: round((state.committed_at - TICK_SECONDS - names.scan_seconds) * 1e9)
            for state in memory.all()
            if names.wanted(state.origin.path)
        }
        self._raced = False
        self._vacant: dict[str, int] = {}  # paths whose file has left, with the time of its last write
        self.sightings: list[Position] = []

    def admit(
        self,
        strangers: list[Stranger],
        directories: Directories,
        now: float,
        *,
        start_of: Callable[[str], Start],
        thorough: bool,
    ) -> None:
        """Begin to read these, and what belongs before them; those that cannot be opened now come again later.

        ``start_of``: where what is new under a path begins. ``thorough``: look for renamed files, too.
        """
        others = [stranger for stranger in strangers if not self._resume(stranger, now)]
        if thorough or self._raced:
            self._find_renamed(directories, now)
        changed = [stranger for stranger in others if self._memory.at(stranger.locator)]
        for stranger in sorted(others, key=lambda stranger: stranger.mtime_ns):
            if stranger not in changed:
                self._begin(stranger, now, start_of(stranger.path))
        self._find_missed(directories, now)
        self._find_copies(directories, now)
        for stranger in changed:
            self._begin(stranger, now)
        self._tracker.reorder()

    def strangers(self, named: dict[Locator, list[str]], files: dict[str, os.stat_result]) -> list[Stranger]:
        """Those of the files found that are not being read; a rotated part belongs to its log, if that is read, too."""
        homes = self._tracker.homes() | self._memory.homes() | self._vacant.keys() | files.keys()
        return [
            Stranger(paths[0], self._home_of(paths[0], homes), locator, files[paths[0]].st_mtime_ns)
            for locator, paths in named.items()
            if locator not in self._tracker
        ]

    def _home_of(self, path: str, homes: set[str]) -> str:
        return next((base for base in bases(path) if base in homes and self._names.wanted(base)), path)

    # -- files read before -------------------------------------------------------------------------------------

    def _resume(self, stranger: Stranger, now: float) -> bool:
        """Go on with a remembered file at its old place; False when it has to be looked at otherwise."""
        if not self._memory.at(stranger.locator):
            return False

        # When it cannot be opened now, its place stays remembered and it comes again.
        attempted = self._opener.attempt(stranger.path, now, lambda opened: self._recognise(opened, stranger.home, now))
        return attempted in (True, None)

    def _find_renamed(self, directories: Directories, now: float) -> None:
        """Remembered files that were rotated while nobody watched: same directory, any name, content as evidence."""
        self._raced = False
        inodes: dict[str, dict[int, str]] = {}
        for state in self._memory.all():
            home = state.origin.path
            if not self._names.wanted(home) or known_locator(state) in self._tracker:
                continue
            directory = os.path.dirname(home)  # noqa: PTH120 - paths are text here
            if directory not in inodes:
                inodes[directory] = {entry.inode: path for path, entry in _beside(home, directories) or ()}
                self._raced = self._raced or not directories.settled(home)
            path = inodes[directory].get(state.origin.inode, home)
            if path != home and (is_evident(state) or is_rotated_name(path, home)):
                self._resume_renamed(state, path, now)

    def _resume_renamed(self, state: FileState, path: str, now: float) -> None:
        def take(opened: Opened) -> bool:
            if opened.locator != known_locator(state):
                self._raced = True  # renamed again since the directory was read
                return False
            return self._recognise(opened, state.origin.path, now)

        self._opener.attempt(path, now, take)

    def _recognise(self, opened: Opened, home: str, now: float) -> bool:
        """Go on with the file if it is remembered at this place with this content, whatever it is called now."""
        if opened.locator in self._tracker:
            return False
        state = self._memory.recognise(opened.fd, opened.locator)
        if state is None:
            return False
        if is_unread(state):
            if is_compressed(opened.path):
                return False
            return self._begin_expected(state, home, opened, now)
        if self._names.wanted(state.origin.path):
            home = state.origin.path
        self._take_up(state, home, opened, now)
        if _locator_at(home) != opened.locator:
            self._leave(opened.locator, now)
        return True

    def _begin_expected(self, state: FileState, home: str, opened: Opened, now: float) -> bool:
        """Begin with what was seen before, but never looked into: it may be a copy."""
        self._memory.take(state)
        file = self._track((state.origin.file_id, state.origin.epoch, 0), home, opened, now)
        file.cleared, file.met_earlier = False, True
        if self._names.wanted(home) and _locator_at(home) != opened.locator:
            self._tracker[opened.locator].leave(now)
        return True

    def _take_up(self, state: FileState, home: str, opened: Opened, now: float) -> None:
        self._track((state.origin.file_id, state.origin.epoch, state.offset), home, opened, now)
        self._memory.take(state)

    def _track(self, place: tuple[str, int, int], home: str, opened: Opened, now: float) -> TailedFile:
        file = TailedFile.begin(place, home, opened.fd, now)
        file.path = opened.path
        self._tracker.add(file)
        return file

    def _leave(self, locator: Locator, now: float) -> None:
        """What was just begun is no longer live under its home."""
        file = self._tracker[locator]
        file.leave(now)
        self._events.rotated(file.home, "rename")

    # -- files not read before ---------------------------------------------------------------------------------

    def _begin(self, stranger: Stranger, now: float, start: Start = Start.WHOLE) -> bool:
        """Read a file from its start, or go on where its content was read elsewhere; False when it must come again."""
        undecided: list[Stranger] = []

        def take(opened: Opened) -> bool:
            if opened.locator != stranger.locator:  # renamed since it was found
                undecided.append(stranger)
                return False
            if (reopened := self._tracker.known(opened, now)) is not None:
                return reopened
            if self._recognise(opened, stranger.home, now):
                return True
            self._adopt_or_begin(stranger, opened, now, start)
            return True

        attempted = self._opener.attempt(stranger.path, now, take)
        if attempted is None and start is Start.WHOLE and _locator_at(stranger.path) == stranger.locator:
            self.sightings += self._memory.expect(stranger.locator, stranger.home)
        return attempted is not None and not undecided

    def _adopt_or_begin(self, stranger: Stranger, opened: Opened, now: float, start: Start) -> None:
        if (state := self._memory.adoptable(opened.fd)) is not None:
            self._events.rotated(stranger.path, "copytruncate")
            self._events.adopted(stranger.path)
            self._take_up(state, stranger.home, opened, now)
            self._copies.taken(self._tracker[opened.locator], now)
        else:
            self._begin_new(stranger, opened, now, start)
        if stranger.path != stranger.home:
            self._tracker[opened.locator].leave(now)

    def _begin_new(self, stranger: Stranger, opened: Opened, now: float, start: Start) -> None:
        file_id, epoch = self._identity(stranger, opened, now)
        file = self._track((file_id, epoch, 0), stranger.home, opened, now)
        if start is Start.END:
            file.begin_at(file.last_line(opened.status.st_size))
        file.truncated = epoch > 0
        # What is there at the very first start is what was asked for, twice if it is there twice.
        file.cleared = epoch > 0 or (start is not Start.WHOLE and stranger.path == stranger.home)
        if epoch == 0 and (file.cleared or opened.status.st_size == 0):
            self.sightings.append(file.place())  # of others once it is known that they are no copies

    def _identity(self, stranger: Stranger, opened: Opened, now: float) -> tuple[str, int]:
        """A new id; in a new epoch when the content of a remembered file was replaced in place."""
        for state in self._memory.at(opened.locator):
            self._events.identity_reset(stranger.path, difference(opened.fd, state) or "marker")
            if state.origin.path == stranger.path:
                self._memory.take(state)
                self._copies.close(Closed(state, state.offset), now)
                return uuid4().hex, state.origin.epoch + 1
        return uuid4().hex, 0

    # -- parts of a log that were never seen under its own name ------------------------------------------------

    def _find_missed(self, directories: Directories, now: float) -> None:
        """Files rotated away before any scan saw them: named as older parts, but younger than what was read last."""
        occupied = {file.home for file in self._tracker if not file.leaving}
        for home, since_ns in self.rotating().items():
            beside = _beside(home, directories)
            if beside is None:
                continue  # not readable now: it stays to be looked at
            parts = [part for path, _ in beside if (part := self._older_part(path, home)) and part.mtime_ns >= since_ns]
            begun = [self._begin(part, now) for part in sorted(parts, key=lambda part: part.mtime_ns)]
            if all(begun) and directories.settled(home):
                self._unlooked.pop(home, None)
                if home in occupied:
                    self._vacant.pop(home, None)

    def _find_copies(self, directories: Directories, now: float) -> None:
        """Copies, beside a log that was truncated, that no glob of ours names."""
        for home in self._copies.missed_at():
            for path, _ in _beside(home, directories) or ():
                if (part := self._older_part(path, home)) and part.locator not in self._tracker:
                    self._opener.attempt(path, now, partial(self._take_copy, part, now))

    def _take_copy(self, part: Stranger, now: float, opened: Opened) -> bool:
        if opened.locator in self._tracker or not self._copies.fits(opened.fd, part.home):
            return False
        self._begin_new(part, opened, now, Start.WHOLE)
        self._tracker[opened.locator].leave(now)
        return True

    def vacate(self, home: str, since_ns: int) -> None:
        """What was read under this path is gone from there: what came after may have gone, too."""
        self._vacant[home] = min(self._vacant.get(home, since_ns), since_ns)

    def rotating(self) -> dict[str, int]:
        """The paths beside which to look, with the time what was last read there was last written."""
        newest: dict[str, int] = {}
        for file in self._tracker:
            if file.held or (file.leaving and not file.ended):
                self.vacate(file.home, file.left_mtime_ns)
            if file.home in self._unlooked:
                newest[file.home] = max(newest.get(file.home, 0), file.mtime_ns)
        self._vacant = dict(list(self._vacant.items())[-MAX_VACANT:])
        # The clock may have been set since the last commit; two time stamps of one file system can be compared anyway.
        since = {home: min(ns, newest.get(home, ns)) for home, ns in self._unlooked.items()}
        return since | {home: min(ns, since.get(home, ns)) for home, ns in self._vacant.items()}

    def _older_part(self, path: str, home: str) -> Stranger | None:
        if not is_rotated_name(path, home) or is_compressed(path) or self._names.excluded(path):
            return None
        try:
            status = os.stat(path)  # noqa: PTH116 - paths are text here
        except OSError:
            return None
        known = self._tracker.get(locator_of(status))
        if known is not None and (known.active or known.same_as(status)):
            return None  # but the place of a finished file that was deleted may be another's now
        if not self._opener.plain(path, status):
            return None
        return Stranger(path, home, locator_of(status), status.st_mtime_ns)


def _beside(home: str, directories: Directories) -> list[tuple[str, Entry]] | None:
    """What is in the directory of ``home``; None when that cannot be read now."""
    try:
        return directories.beside(home)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def _locator_at(path: str) -> Locator | None:
    try:
        return locator_of(os.stat(path))  # noqa: PTH116 - paths are text here
    except OSError:
        return None
