"""Goes on with files that were read before: at their old place, or renamed beside it, by their content."""

from __future__ import annotations

from monitor.core.accounting import FileState
from monitor.core.protocols import SourceEvents
from monitor.sources._identity import Locator, is_evident, is_unread, known_locator
from monitor.sources._links import around, older_part_of
from monitor.sources._memory import Memory
from monitor.sources._opening import Opened, Opener
from monitor.sources._scan import Directories
from monitor.sources._siblings import is_compressed
from monitor.sources._strangers import Names, Stranger, beside, locator_at
from monitor.sources._tailed import TailedFile
from monitor.sources._tracker import Tracker


class Resumption:
    """Takes up what is remembered. ``again``: look for renamed files at the next scan, too.

    One was renamed while its directory was read, or waits for a descriptor, which a copy of it must not get before it.
    """

    def __init__(self, memory: Memory, tracker: Tracker, opener: Opener, events: SourceEvents, names: Names) -> None:
        self._memory = memory
        self._tracker = tracker
        self._opener = opener
        self._events = events
        self._names = names
        self.again = False

    def resume(self, stranger: Stranger, now: float) -> bool:
        """Go on with a remembered file at its old place; False when it has to be looked at otherwise."""
        if not self._memory.at(stranger.locator):
            return False

        # When it cannot be opened now, its place stays remembered and it comes again.
        attempted = self._opener.attempt(stranger.path, now, lambda opened: self.recognise(opened, stranger.home, now))
        return attempted in (True, None)

    def find_renamed(self, directories: Directories, now: float) -> None:
        """Remembered files that were rotated while nobody watched: same directory, any name, content as evidence."""
        self.again = False
        inodes: dict[tuple[str, ...], dict[int, str]] = {}
        for state in self._memory.all():
            home = state.origin.path
            if not self._names.wanted(home) or known_locator(state) in self._tracker:
                continue
            directories_of = tuple(around(home))
            if directories_of not in inodes:
                inodes[directories_of] = {entry.inode: path for path, entry in beside(home, directories) or ()}
                self.again = self.again or not directories.settled(home)
            path = inodes[directories_of].get(state.origin.inode, home)
            if path != home and (is_evident(state) or older_part_of(home)(path)):
                self._resume_renamed(state, path, now)

    def _resume_renamed(self, state: FileState, path: str, now: float) -> None:
        def take(opened: Opened) -> bool:
            if opened.locator != known_locator(state):
                self.again = True  # renamed again since the directory was read
                return False
            return self.recognise(opened, state.origin.path, now)

        if self._opener.attempt(path, now, take) is None:
            self.again = self.again or self._opener.short

    def recognise(self, opened: Opened, home: str, now: float) -> bool:
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
        self.take_up(state, home, opened, now)
        if locator_at(home) != opened.locator:
            self._leave(opened.locator, now)
        return True

    def _begin_expected(self, state: FileState, home: str, opened: Opened, now: float) -> bool:
        """Begin with what was seen before, but never looked into: it may be a copy."""
        self._memory.take(state)
        file = self.track((state.origin.file_id, state.origin.epoch, 0), home, opened, now)
        file.cleared, file.met_earlier = False, True
        if self._names.wanted(home) and locator_at(home) != opened.locator:
            self._tracker[opened.locator].leave(now)
        return True

    def take_up(self, state: FileState, home: str, opened: Opened, now: float) -> None:
        file = self.track((state.origin.file_id, state.origin.epoch, state.offset), home, opened, now)
        file.marks = state.marks
        self._memory.take(state)

    def track(self, place: tuple[str, int, int], home: str, opened: Opened, now: float) -> TailedFile:
        file = TailedFile.begin(place, home, opened.fd, now)
        file.path = opened.path
        self._tracker.add(file)
        return file

    def _leave(self, locator: Locator, now: float) -> None:
        """What was just begun is no longer live under its home."""
        file = self._tracker[locator]
        file.leave(now)
        self._events.rotated(file.home, "rename")
