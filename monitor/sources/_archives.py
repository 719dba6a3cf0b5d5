"""Finds what was missed of a log in its compressed older parts, so that nobody need be quicker than ``gzip``.

A compressed file is opened only when something may be missing that it can hold: a log was rotated while the program was
down, or truncated without a copy to be found. It is unpacked up to the place that was reached in what it may be; only
what stands behind is read.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

from monitor.core.accounting import FileState, Position
from monitor.core.protocols import SourceEvents
from monitor.sources._departed import Departed
from monitor.sources._epochs import Closed
from monitor.sources._examining import Damaged, Early, Want, contents, examined
from monitor.sources._identity import HEAD_BYTES, Locator, is_evident, known_locator, locator_of
from monitor.sources._links import places
from monitor.sources._memory import Memory
from monitor.sources._opening import Opened, Opener
from monitor.sources._packed import Found, PackedFile
from monitor.sources._scan import Directories
from monitor.sources._siblings import packed_homes
from monitor.sources._tracker import Tracker
from monitor.sources._unpacking import Unpacked

MAX_EXAMINED = 4096
"""Compressed files remembered as holding nothing that was missed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A compressed part of the log at ``home``. ``missed``: it is younger than what was last read there."""

    path: str
    home: str
    locator: Locator
    size: int
    mtime_ns: int
    missed: bool


@dataclass(slots=True)
class Examination:
    """One candidate being unpacked, a bit at a time."""

    candidate: Candidate
    opened: Opened
    unpacked: Unpacked
    steps: Generator[None, None, Want | None]


class Archives:
    """Looks into compressed files, one at a time. ``sightings`` are the places at which unseen ones were begun."""

    def __init__(
        self, memory: Memory, tracker: Tracker, opener: Opener, departed: Departed, events: SourceEvents,
        usable: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._memory = memory
        self._tracker = tracker
        self._opener = opener
        self._departed = departed
        self._events = events
        self._usable = usable
        self._queue: deque[Candidate] = deque()
        self._examined: dict[tuple[Locator, int, int], None] = {}
        self._current: Examination | None = None
        self._head = b""
        self._undecided: dict[str, str] = {}  # path -> home: missed, but they could not be looked into yet
        self.sightings: list[Position] = []

    @property
    def busy(self) -> bool:
        """Whether there is more to look into."""
        return self._current is not None or bool(self._queue)

    @property
    def waiting(self) -> bool:
        """Whether there are files that may hold what was missed, and nobody could look into them yet."""
        return self.busy or bool(self._undecided)

    def look(self, directories: Directories, since: Mapping[str, int]) -> None:
        """See which compressed files may hold what was missed; ``since`` says of each path from what time on."""
        self._undecided = {path: home for path, home in self._undecided.items() if os.path.exists(path)}  # noqa: PTH110
        homes = self._memory.homes() | set(self._departed.missed_at()) | since.keys() | set(self._undecided.values())
        if self.busy or not homes:
            return
        logs = {place: home for home in sorted(homes) for place in places(home)}
        found = [
            candidate
            for directory in dict.fromkeys(map(os.path.dirname, logs))
            for candidate in self._candidates(directories, directory, logs, since)
        ]
        self._queue.extend(sorted(found, key=lambda candidate: candidate.mtime_ns))
        for candidate in self._queue:
            self._undecide(candidate)

    def _candidates(
        self, directories: Directories, directory: str, logs: Mapping[str, str], since: Mapping[str, int]
    ) -> Iterable[Candidate]:
        """What is packed in a directory of a log; ``logs`` has the path of each by the places where it stands."""
        with suppress(OSError):
            for path, _ in directories.listed(directory):
                home = next((logs[place] for place in packed_homes(path) if place in logs), None)
                if home is not None and self._usable(path):
                    yield from self._candidate(path, home, since)

    def _candidate(self, path: str, home: str, since: Mapping[str, int]) -> Iterable[Candidate]:
        status = os.stat(path)  # noqa: PTH116 - paths are text here
        known = (locator_of(status), status.st_size, status.st_mtime_ns)
        if stat.S_ISREG(status.st_mode) and known not in self._examined and known[0] not in self._tracker:
            missed = path in self._undecided or (home in since and status.st_mtime_ns >= since[home])
            missed = missed or self._memory.expected(known[0]) is not None
            yield Candidate(path, home, *known, missed)

    # -- looking into one --------------------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Unpack a bit more."""
        while self._current is None and self._queue:
            self._open(self._queue.popleft(), now)
        if self._current is None:
            return
        try:
            next(self._current.steps)
        except StopIteration as found:
            self._finish(self._current, found.value, now)
        except Early:
            self._put_away(self._current, for_good=False)
        except (Damaged, OSError) as error:
            if isinstance(error, OSError):
                self._events.file_failed(self._current.candidate.path, error)
            self._undecide(self._current.candidate)
            self._put_away(self._current)

    def _undecide(self, candidate: Candidate) -> None:
        """It may take several attempts: until then it is to be known, here and in the ledger, that it was missed."""
        if candidate.missed:
            self._undecided[candidate.path] = candidate.home
            self.sightings += self._memory.expect(candidate.locator, candidate.home)

    def _open(self, candidate: Candidate, now: float) -> None:
        def take(opened: Opened) -> bool:
            if opened.locator != candidate.locator or opened.locator in self._tracker:
                return False
            unpacked = Unpacked(opened.fd, candidate.path)
            self._current = Examination(candidate, opened, unpacked, self._examine(candidate, unpacked))
            return True

        self._opener.attempt(candidate.path, now, take)

    def _examine(self, candidate: Candidate, unpacked: Unpacked) -> Generator[None, None, Want | None]:
        self._head = unpacked.read(HEAD_BYTES)
        return (yield from examined(unpacked, candidate.home, self._head, self._wants(candidate.home)))

    def _wants(self, home: str) -> list[Want]:
        """What may be missing; and what is read elsewhere, so that it is known when it is found here again."""
        missing = [Want(closed.evidence, closed) for closed in self._departed.wanted()]
        missing += [Want(state, state) for state in self._memory.lost(home)]
        # Of all files, since another name of one may be that of another log.
        read = [Want(evidence, file) for file in self._tracker for evidence in contents(file)]
        return [want for want in missing + read if is_evident(want.evidence)]

    def _finish(self, current: Examination, want: Want | None, now: float) -> None:
        self._undecided.pop(current.candidate.path, None)
        expected = self._memory.expected(current.candidate.locator)
        if expected is not None:
            self._memory.take(expected)
            # From now on it is known by that; but not by what is read and perhaps never committed.
            if want is not None and not isinstance(want.of, Closed):
                self.sightings.append(Position(replace(expected.origin, head=self._head, epoch=1), 0, b""))
        if want is None and current.candidate.missed:
            self._events.rotated(current.candidate.home, "rename")
            self._begin(current, (expected.origin.file_id if expected else uuid4().hex, 0), now)
        elif want is not None and isinstance(want.of, Closed):
            self._departed.found(want.of)
            if self._tracker.has(want.of.evidence.origin.file_id):  # read to its end, and still there
                self._put_away(current)
                return
            self._events.adopted(current.candidate.home)
            self._events.rotated(current.candidate.home, "copytruncate")
            self._begin(current, want.of.successor(), now, None if want.of.ended else want.of.committed)
        elif want is not None and isinstance(want.of, FileState):
            self._memory.take(want.of)
            if known_locator(want.of) != current.candidate.locator:
                self._events.adopted(current.candidate.home)
            self._begin(current, (want.of.origin.file_id, want.of.origin.epoch), now)
        else:
            self._put_away(current)

    def _begin(self, current: Examination, place: tuple[str, int], now: float, committed: int | None = None) -> None:
        self._current = None
        seen = current.candidate
        found = Found(seen.home, seen.locator, seen.size, seen.mtime_ns, self._head)
        committed = current.unpacked.offset if committed is None else committed
        file = PackedFile.unpack(place, found, current.unpacked, now, committed)
        self._tracker.add(file)
        if committed == file.read_offset:
            self.sightings.append(file.place())
        self._tracker.reorder()

    def _put_away(self, current: Examination, *, for_good: bool = True) -> None:
        """Nothing in it is missing, as far as it can be unpacked now; it is looked at again when it has changed."""
        self._current = None
        current.unpacked.close()
        self._opener.give_back(current.opened)
        candidate = current.candidate
        if not for_good:
            return
        self._examined[candidate.locator, candidate.size, candidate.mtime_ns] = None
        for oldest in list(self._examined)[:-MAX_EXAMINED]:
            del self._examined[oldest]

    def close(self) -> None:
        """Close what is being looked into; may be called twice."""
        self._queue.clear()
        if self._current is not None:
            self._put_away(self._current)
