"""Knows beside which logs parts may lie that were rotated away before any scan saw them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from monitor.core.accounting import FileState
from monitor.sources._identity import TICK_SECONDS, locator_of
from monitor.sources._links import older_part_of
from monitor.sources._memory import Memory
from monitor.sources._opening import Opener
from monitor.sources._scan import Entry
from monitor.sources._siblings import is_compressed
from monitor.sources._strangers import Names, Stranger
from monitor.sources._tracker import Tracker

MAX_VACANT = 64
"""Paths without a file beside which files are looked for that came and went between two scans."""


class Missed:
    """The paths to look beside: of what was committed last before a downtime, and of files that have left."""

    def __init__(self, memory: Memory, tracker: Tracker, opener: Opener, names: Names) -> None:
        self._memory = memory
        self._tracker = tracker
        self._opener = opener
        self._names = names
        self._unlooked = {
            state.origin.path: self._read_until_ns(state) for state in memory.all() if names.wanted(state.origin.path)
        }
        self._vacant: dict[str, int] = {}  # paths whose file has left, with the time of its last write

    def homes(self) -> set[str]:
        """The paths whose file has left."""
        return set(self._vacant)

    def looked(self, home: str, *, occupied: bool) -> None:
        """All that lies beside it was begun; a path that has no file yet is to be looked beside again."""
        self._unlooked.pop(home, None)
        if occupied:
            self._vacant.pop(home, None)

    def vacate(self, home: str, since_ns: int) -> None:
        """What was read under this path is gone from there: what came after may have gone, too."""
        self._vacant[home] = min(self._vacant.get(home, since_ns), since_ns)

    def expects(self) -> bool:
        """Whether there is a path to look beside, apart from those of files that are on their way to their end."""
        return bool(self._unlooked or self._vacant)

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

    def is_missed(self, part: Stranger, since_ns: int) -> bool:
        """Whether a part is younger than ``since_ns``, or at least than what was read at its place before.

        What replaced that there may have been rotated away, and wait for a descriptor while newer parts are read.
        """
        replaced = [state for state in self._memory.at(part.locator)[:1] if state.origin.path == part.home]
        return part.mtime_ns >= min([since_ns, *map(self._read_until_ns, replaced)])

    def _read_until_ns(self, state: FileState) -> int:
        """The time up to which nothing that came under the path of this state can have been missed."""
        return round((state.committed_at - TICK_SECONDS - self._names.scan_seconds) * 1e9)

    def older_parts(self, home: str, found: Iterable[tuple[str, Entry]]) -> Iterator[Stranger]:
        """Those among the files ``found`` that are older parts of the log at ``home`` and are not known yet."""
        is_older_part = older_part_of(home)
        for path, _ in found:
            if is_older_part(path) and (part := self._stranger(path, home)) is not None:
                yield part

    def _stranger(self, path: str, home: str) -> Stranger | None:
        if is_compressed(path) or self._names.excluded(path):
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
