"""Decides what a file that is met for the first time is: one read before, a missed part of a log, or a new one.

In this order, because what is certain must not be taken by a guess: a remembered file at its old place; a remembered
file renamed beside it; new files and those rotated away unseen, either of which may hold remembered content; at last
files at a remembered place with other content.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from monitor.core.accounting import FileState, Position
from monitor.core.protocols import SourceEvents
from monitor.sources._identity import Locator, difference, is_evident, known_locator, locator_of, tail_before
from monitor.sources._memory import Memory
from monitor.sources._opening import Opened, Opener
from monitor.sources._scan import Directories, Entry
from monitor.sources._siblings import bases, is_compressed, is_rotated_name
from monitor.sources._tailed import NEWLINE, TailedFile
from monitor.sources._tracker import Tracker

LAST_LINE_BYTES = 262_144
"""How far back the start of an unfinished last line is looked for when reading starts at the end of a file."""

STAMP_SECONDS = 2.0
"""By how much the time stamp of a file may lie before the clock: some file systems keep no more than even seconds."""

MAX_VACANT = 64
"""Paths without a file beside which files are looked for that came and went between two scans."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A file that is not being read yet. ``home`` is the path its records are said to come from."""

    path: str
    home: str
    locator: Locator
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Names:
    """What the configuration says of paths: which are to be read, and which never are."""

    wanted: Callable[[str], bool]
    excluded: Callable[[str], bool]


class Admission:
    """Takes in strangers, remembering why. ``sightings`` are the places at which new files were begun."""

    def __init__(self, memory: Memory, tracker: Tracker, opener: Opener, events: SourceEvents, names: Names) -> None:
        self._memory = memory
        self._tracker = tracker
        self._opener = opener
        self._events = events
        self._names = names
        self._unlooked = {
            state.origin.path: round((state.committed_at - STAMP_SECONDS) * 1e9)
            for state in memory.all()
            if names.wanted(state.origin.path)
        }
        self._raced = False
        self._vacant: dict[str, int] = {}  # paths whose file has left, with the time of its last write
        self.sightings: list[Position] = []

    def admit(
        self, strangers: list[Stranger], directories: Directories, now: float, *, from_end: bool, thorough: bool
    ) -> None:
        """Begin to read these, and what belongs before them; those that cannot be opened now come again later.

        ``from_end``: what is new begins at its end. ``thorough``: look for renamed files, too.
        """
        others = [stranger for stranger in strangers if not self._resume(stranger, now)]
        if thorough or self._raced:
            self._find_renamed(directories, now)
        changed = [stranger for stranger in others if self._memory.at(stranger.locator)]
        for stranger in sorted(others, key=lambda stranger: stranger.mtime_ns):
            if stranger not in changed:
                self._begin(stranger, now, from_end=from_end)
        self._find_missed(directories, now)
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
        if self._names.wanted(state.origin.path):
            home = state.origin.path
        self._take_up(state, home, opened, now)
        if _locator_at(home) != opened.locator:
            self._leave(opened.locator, now)
        return True

    def _take_up(self, state: FileState, home: str, opened: Opened, now: float) -> None:
        self._track((state.origin.file_id, state.origin.epoch, state.offset), home, opened, now)
        self._memory.take(state)

    def _track(self, place: tuple[str, int, int], home: str, opened: Opened, now: float) -> TailedFile:
        file = TailedFile.begin(place, home, opened.fd, now)
        self._tracker.add(file)
        return file

    def _leave(self, locator: Locator, now: float) -> None:
        """What was just begun is no longer live under its home."""
        file = self._tracker[locator]
        file.leave(now)
        self._events.rotated(file.home, "rename")

    # -- files not read before ---------------------------------------------------------------------------------

    def _begin(self, stranger: Stranger, now: float, *, from_end: bool = False) -> bool:
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
            if self._is_copy(opened.fd, stranger):  # for as long as it looks like one
                undecided.append(stranger)
                return False
            self._adopt_or_begin(stranger, opened, now, from_end=from_end)
            return True

        return self._opener.attempt(stranger.path, now, take) is not None and not undecided

    def _adopt_or_begin(self, stranger: Stranger, opened: Opened, now: float, *, from_end: bool) -> None:
        if (state := self._memory.adoptable(opened.fd)) is not None:
            self._events.rotated(stranger.path, "copytruncate")
            self._take_up(state, stranger.home, opened, now)
        else:
            self._begin_new(stranger, opened, now, from_end=from_end)
        if stranger.path != stranger.home:
            self._leave(opened.locator, now)

    def _begin_new(self, stranger: Stranger, opened: Opened, now: float, *, from_end: bool) -> None:
        file_id, epoch = self._identity(stranger, opened)
        offset = _last_line(opened.fd, opened.status.st_size) if from_end else 0
        file = self._track((file_id, epoch, offset), stranger.home, opened, now)
        file.truncated = epoch > 0
        if epoch == 0:
            self.sightings.append(file.place())

    def _identity(self, stranger: Stranger, opened: Opened) -> tuple[str, int]:
        """A new id; or the old one in a new epoch, when the content of a remembered file was replaced in place."""
        for state in self._memory.at(opened.locator):
            self._events.identity_reset(stranger.path, difference(opened.fd, state) or "marker")
            if state.origin.path == stranger.path:
                self._memory.take(state)
                return state.origin.file_id, state.origin.epoch + 1
        return uuid4().hex, 0

    def _is_copy(self, fd: int, stranger: Stranger) -> bool:
        """Whether a part of a log repeats what is being read under the log's own name."""
        return stranger.path != stranger.home and any(
            is_evident(known) and difference(fd, known) is None
            for known in (file.evidence() for file in self._tracker.of_home(stranger.home))
        )

    # -- parts of a log that were never seen under its own name ------------------------------------------------

    def _find_missed(self, directories: Directories, now: float) -> None:
        """Files rotated away before any scan saw them: named as older parts, but younger than what was read last."""
        occupied = {file.home for file in self._tracker if not file.leaving}
        for home, since_ns in self._rotating().items():
            beside = _beside(home, directories)
            if beside is None:
                continue  # not readable now: it stays to be looked at
            parts = [part for path, _ in beside if (part := self._older_part(path, home)) and part.mtime_ns >= since_ns]
            begun = [self._begin(part, now) for part in sorted(parts, key=lambda part: part.mtime_ns)]
            if all(begun) and directories.settled(home):
                self._unlooked.pop(home, None)
                if home in occupied:
                    self._vacant.pop(home, None)

    def _rotating(self) -> dict[str, int]:
        """The paths beside which to look, with the time what was last read there was last written."""
        newest: dict[str, int] = {}
        for file in self._tracker:
            if file.leaving and not file.ended:
                self._vacant[file.home] = min(self._vacant.get(file.home, file.left_mtime_ns), file.left_mtime_ns)
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


def _last_line(fd: int, size: int) -> int:
    """Where the unfinished last line of a file begins: its size when the last line is complete."""
    end = tail_before(fd, size, LAST_LINE_BYTES)
    newline = end.rfind(NEWLINE)
    if newline < 0 and len(end) == size:
        return 0
    return size - len(end) + newline + 1 if newline >= 0 else size
