"""Decides what a file that is met for the first time is: one read before, a missed part of a log, or a new one.

In this order, because what is certain must not be taken by a guess: a remembered file at its old place; a remembered
file renamed beside it; new files and those rotated away unseen, either of which may hold remembered content; at last
files at a remembered place with other content.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from monitor.core.accounting import Position
from monitor.core.protocols import SourceEvents
from monitor.sources._departed import Departed
from monitor.sources._epochs import Closed
from monitor.sources._identity import Locator, difference
from monitor.sources._memory import Memory
from monitor.sources._missed import Missed
from monitor.sources._opening import Opened, Opener
from monitor.sources._resuming import Resumption
from monitor.sources._scan import Directories
from monitor.sources._siblings import bases
from monitor.sources._strangers import Names, Start, Stranger, beside, locator_at
from monitor.sources._tracker import Tracker


class Admission:
    """Takes in strangers, remembering why. ``sightings`` are the places at which new files were begun."""

    def __init__(
        self, memory: Memory, tracker: Tracker, opener: Opener, departed: Departed, missed: Missed,
        events: SourceEvents, names: Names,
    ) -> None:  # fmt: skip
        self._memory = memory
        self._departed = departed
        self._missed = missed
        self._resumption = Resumption(memory, tracker, opener, events, names)
        self._tracker = tracker
        self._opener = opener
        self._events = events
        self._names = names
        self._waiting = memory.waiting()
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
        unread = set(self._memory.waiting())
        left = [one for one in strangers if one.locator in unread or not self._resumption.resume(one, now)]
        if thorough or self._resumption.again:
            self._resumption.find_renamed(directories, now)
        others = {stranger.locator: stranger for stranger in left if stranger.locator not in self._tracker}
        waiting = [others.pop(locator) for locator in self._waiting if locator in others]
        for stranger in waiting:
            if not self._resumption.resume(stranger, now):
                self._begin(stranger, now)
        changed = [stranger for stranger in others.values() if self._memory.at(stranger.locator)]
        new = sorted((one for one in others.values() if one not in changed), key=lambda stranger: stranger.mtime_ns)
        for stranger in new:
            self._begin(stranger, now, start_of(stranger.path))
        self._find_missed(directories, now)
        self._find_copies(directories, now)
        for stranger in changed:
            self._begin(stranger, now)
        self._waiting = self._still_waiting([*waiting, *changed, *new, *strangers])
        self._tracker.reorder()

    def strangers(self, named: dict[Locator, list[str]], files: dict[str, os.stat_result]) -> list[Stranger]:
        """Those of the files found that are not being read; a rotated part belongs to its log, if that is read, too."""
        homes = self._tracker.homes() | self._memory.homes() | self._missed.homes() | files.keys()
        return [
            Stranger(paths[0], self._home_of(paths[0], homes), locator, files[paths[0]].st_mtime_ns)
            for locator, paths in named.items()
            if locator not in self._tracker
        ]

    def _home_of(self, path: str, homes: set[str]) -> str:
        return next((base for base in bases(path) if base in homes and self._names.wanted(base)), path)

    def _still_waiting(self, strangers: list[Stranger]) -> list[Locator]:
        """The places, each once, where something is known to be that is not read yet: what comes later waits longer.

        Else a copy might get the descriptor that its original waits for, and count as a file of its own.
        """
        places = dict.fromkeys(stranger.locator for stranger in strangers)
        return [place for place in places if place not in self._tracker and self._memory.at(place)]

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
            if self._resumption.recognise(opened, stranger.home, now):
                return True
            self._adopt_or_begin(stranger, opened, now, start)
            return True

        attempted = self._opener.attempt(stranger.path, now, take)
        if attempted is None and start is Start.WHOLE and locator_at(stranger.path) == stranger.locator:
            self._expect(stranger)
        return attempted is not None and not undecided

    def _expect(self, stranger: Stranger) -> None:
        """It is there and cannot be opened yet: should it be rotated away before it can, more may follow it unseen."""
        if unknown := self._memory.expect(stranger.locator, stranger.home):
            self.sightings += unknown
            self._missed.vacate(stranger.home, stranger.mtime_ns)

    def _adopt_or_begin(self, stranger: Stranger, opened: Opened, now: float, start: Start) -> None:
        if (state := self._memory.adoptable(opened.fd)) is not None:
            self._events.rotated(stranger.path, "copytruncate")
            self._events.adopted(stranger.path)
            self._resumption.take_up(state, stranger.home, opened, now)
            self._departed.taken(self._tracker[opened.locator], now)
        else:
            self._begin_new(stranger, opened, now, start)
        if stranger.path != stranger.home:
            self._tracker[opened.locator].leave(now)

    def _begin_new(self, stranger: Stranger, opened: Opened, now: float, start: Start) -> None:
        file_id, epoch = self._identity(stranger, opened, now)
        file = self._resumption.track((file_id, epoch, 0), stranger.home, opened, now)
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
                self._departed.close(Closed(state, state.offset), now)
                return uuid4().hex, state.origin.epoch + 1
        return uuid4().hex, 0

    # -- parts of a log that were never seen under its own name ------------------------------------------------

    def _find_missed(self, directories: Directories, now: float) -> None:
        """Files rotated away before any scan saw them: named as older parts, but younger than what was read last."""
        occupied = {file.home for file in self._tracker if not file.leaving}
        for home, since_ns in self._missed.rotating().items():
            found = beside(home, directories)
            if found is None:
                continue  # not readable now: it stays to be looked at
            older = self._missed.older_parts(home, found)
            parts = [part for part in older if self._missed.is_missed(part, since_ns)]
            begun = [self._begin(part, now) for part in sorted(parts, key=lambda part: part.mtime_ns)]
            if all(begun) and directories.settled(home):
                self._missed.looked(home, occupied=home in occupied)

    def _find_copies(self, directories: Directories, now: float) -> None:
        """Copies, beside a log that was truncated, that no glob of ours names."""
        for home in self._departed.missed_at():
            for part in self._missed.older_parts(home, beside(home, directories) or ()):
                if part.locator not in self._tracker:
                    self._opener.attempt(part.path, now, partial(self._take_copy, part, now))

    def _take_copy(self, part: Stranger, now: float, opened: Opened) -> bool:
        if opened.locator in self._tracker or not self._departed.fits(opened.fd, part.home):
            return False
        self._begin_new(part, opened, now, Start.WHOLE)
        self._tracker[opened.locator].leave(now)
        return True
