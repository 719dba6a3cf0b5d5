"""Looks for files now and then; where all is as it was and nothing is expected, thousands cost next to nothing.

Every look tells what is there from what could not be looked at, takes in what is new, lets go of what is gone, and
remembers whether anything was left open. As long as nothing was, and no file had anything since, the next look ends
with the comparison of what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.core.protocols import SourceContext
from monitor.sources._admission import Admission
from monitor.sources._archives import Archives
from monitor.sources._copies import Copies
from monitor.sources._departed import Departed
from monitor.sources._identity import Locator, locator_of
from monitor.sources._memory import Memory
from monitor.sources._missed import Missed
from monitor.sources._opening import Opener
from monitor.sources._patterns import Pattern
from monitor.sources._retention import Retention
from monitor.sources._scan import Found, Scanner
from monitor.sources._strangers import Names, Start
from monitor.sources._tailed import TailedFile
from monitor.sources._tracker import Tracker
from monitor.sources._turns import Row, Schedule
from monitor.sources._watch import Hint


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. ``start``: of what is there at the very first start, when nothing is known of any file.

    ``once``: what is read to its end is never looked at again. ``watched``: the system may tell of changes.
    """

    patterns: Sequence[Pattern]
    names: Names
    start: Start
    once: bool
    watched: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What discovery shares with those who read the files."""

    scanner: Scanner
    opener: Opener
    tracker: Tracker
    memory: Memory
    departed: Departed
    missed: Missed
    copies: Copies


class Discovery:
    """Keeps ``row`` and the tracker in step with what is there, at the times of ``schedule``."""

    def __init__(self, context: SourceContext, wanted: Wanted, parts: Parts, schedule: Schedule) -> None:
        self._clock, self._events, self._wanted = context.clock, context.events, wanted
        self._scanner, self._opener, self._tracker = parts.scanner, parts.opener, parts.tracker
        self._memory, self._departed, self._missed = parts.memory, parts.departed, parts.missed
        self._copies = parts.copies
        self.admission = Admission(
            self._memory, self._tracker, self._opener, self._departed, self._missed, context.events, wanted.names
        )
        self.archives = Archives(
            self._memory, self._tracker, self._opener, self._departed, context.events,
            lambda path: not wanted.names.excluded(path),
        )  # fmt: skip
        self.retention = Retention()
        self.row = Row()
        self.schedule = schedule
        self._first_start = not context.resume
        self._there_first: frozenset[str] = frozenset()  # those that still wait for a descriptor, among others
        self._complete = False  # the last look took in all that there is
        self._calm = False  # every file is read and committed, and none has had anything since
        self._hint = Hint(context.wake) if wanted.watched else None

    def due(self, now: float) -> bool:
        """Whether it is time to look."""
        return self.schedule.scan_due(now, hinted=self._hint is not None and self._hint.given)

    def look(self, now: float) -> bool:
        """Look for files; False where all is as it was and nothing has to be done."""
        began = self._clock.monotonic()
        thorough = self.schedule.thorough(now)
        news = thorough or not (self._calm and self._expects_nothing() and self._scanner.unchanged())
        if news:
            self._take_in(self._scanner.scan(thorough=thorough), now, thorough=thorough)
        self.row.arrange(self._tracker if news else self.row.due(idle=True), now)
        took = self._clock.monotonic() - began
        self.schedule.scanned(now, took, self._opener, once=self._wanted.once)
        watching = self._hint is not None and self._hint.working
        self._events.scanned(took, "inotify" if watching else "poll")
        return news

    def settle(self) -> None:
        """All that the last look brought has been dealt with: see whether anything is left open."""
        self._calm = self._complete and self._expects_nothing() and all(map(_is_settled, self._tracker))

    def served(self, due: Iterable[TailedFile], served: list[TailedFile]) -> None:
        """These had their turn, and some of them had something."""
        self.row.served(served)
        self._calm = self._calm and not served and all(map(_is_settled, due))

    def close(self) -> None:
        """Stop watching, and close what is being looked into; may be called twice."""
        if self._hint is not None:
            self._hint.close()
        self.archives.close()

    # -- one look ----------------------------------------------------------------------------------------------

    def _expects_nothing(self) -> bool:
        """Whether nothing has to be tried again, and no file is expected that was missed, or is a copy."""
        waits = self._opener.short or self._opener.retries.waits or self.archives.waiting
        return not (waits or self._missed.expects() or self._departed.wanted() or self._departed.takers())

    def _take_in(self, found: Found, now: float, *, thorough: bool) -> None:
        """Deal with what was found."""
        for place, error in found.failures.items():
            self._opener.not_seen(place, error, now)
        self._opener.begin_scan(self._tracker)
        named = self._named(found)
        self._tracker.relink(named, found, now, thorough=thorough)
        self._admit(named, found, now, thorough=thorough)
        self._forget(named, found, now)
        if self._hint is not None:
            paths = (path for paths in named.values() for path in paths)
            self._hint.follow(self._wanted.patterns, paths, self._events)
        self._complete = not found.failures and all(locator in self._tracker for locator in named)

    def _named(self, found: Found) -> dict[Locator, list[str]]:
        """The paths of each file that is ours to read, sorted: a file is read once, whatever number of names it has."""
        named: dict[Locator, list[str]] = {}
        for path, status in found.files.items():
            locator = locator_of(status)
            if locator in self._tracker or self._opener.plain(path, status):
                named.setdefault(locator, []).append(path)
        return named

    def _admit(self, named: dict[Locator, list[str]], found: Found, now: float, *, thorough: bool) -> None:
        strangers = self.admission.strangers(named, found.files)
        if self._first_start and not self.schedule.scans:
            self._there_first = frozenset(found.files)
        missed_since = self._missed.rotating()
        self.admission.admit(
            strangers,
            self._scanner.directories,
            now,
            start_of=lambda path: self._wanted.start if path in self._there_first else Start.WHOLE,
            thorough=thorough,
        )
        if thorough or missed_since or self._departed.missed_at():
            self.archives.look(self._scanner.directories, missed_since)
        if not self._opener.short:
            self._there_first = frozenset()

    def _forget(self, named: dict[Locator, list[str]], found: Found, now: float) -> None:
        self._departed.forget(now, waiting=self.archives.waiting or self._opener.short)
        self._copies.forget_gone()
        if not self._wanted.once:
            self._tracker.forget_finished(named)
        self._opener.retries.keep_only({*found.files, *found.failures, *(file.file_id for file in self._tracker)})
        self.retention.dropped(self._tracker.dropped(), now)
        if not found.failures and self.retention.check_due(now):
            self.retention.missed(self._memory.missing(), now)


def _is_settled(file: TailedFile) -> bool:
    """Whether all of a file is read and committed, and it is not on its way to its end."""
    return (file.ended or not file.leaving) and not file.held and not file.behind_bytes
