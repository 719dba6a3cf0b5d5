"""Follows log files through every kind of rotation; after a restart it goes on where the last commit left off.

Polling is what it relies on; a watch on the directories only makes it quicker. A file is known again by its place on
the disk and by its content, so neither a renamed file is read twice nor a new one skipped that got an old inode.

* Renamed or deleted files stay open and are read to their end; then, after ``rotate_grace_seconds`` without a write,
  an unfinished last line counts as complete.
* Truncation is found by size, and by reading the last 256 bytes again whenever there is something new. It cannot be
  found when the new content repeats the old at that place byte for byte.
* While the program was down: renamed files are found beside their old path by content; files that were created and
  rotated away meanwhile by their name (``access.log.1``, ``access.log-20240131``) and their time.
* Compressed files, and copies that ``copytruncate`` makes under a name that also matches, are not recognised as such
  yet: exclude them.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from monitor.core.accounting import Position
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk
from monitor.core.strict import StrictModel
from monitor.sources._admission import Admission, Names
from monitor.sources._identity import Locator, locator_of
from monitor.sources._memory import Memory
from monitor.sources._opening import Opener
from monitor.sources._patterns import excluded, parse, parse_exclusion
from monitor.sources._scan import Found, Scanner
from monitor.sources._tailed import Hole, Replaced, TailedFile
from monitor.sources._tracker import Tracker
from monitor.sources._turns import Row, Schedule
from monitor.sources._watch import Hint

EXAMPLE = """
include: [/var/log/nginx/access.log, "/var/log/apps/**/*.log"]
exclude: ["*.gz"]
start_at: beginning
"""


class Config(StrictModel):
    """Files to follow."""

    include: list[str] = Field(
        min_length=1,
        description="Paths or globs of the files to read; `**` matches any number of directories, links not followed.",
    )
    exclude: list[str] = Field(
        default=[], description="Globs of files to leave out; one without a slash is matched against the name alone."
    )
    start_at: Literal["beginning", "end"] = Field(
        default="beginning",
        description="Where to begin with files that are there at the very first start, when nothing is known of any "
        "file yet. Files that come later are always read from their beginning, known ones from their last commit.",
    )
    poll_ms: PositiveInt = Field(default=20, description="How often files that are being written to are looked at.")
    idle_poll_ms: PositiveInt = Field(default=250, description="How often quiet files are looked at.")
    scan_seconds: PositiveFloat = Field(default=1.0, description="How often directories are looked through.")
    rotate_grace_seconds: NonNegativeFloat = Field(
        default=5.0, description="How long a rotated file must be quiet before its last line counts as complete."
    )
    watch: Literal["auto", "poll"] = Field(
        default="auto", description="`auto` notices new files at once where the system can tell; `poll` never asks it."
    )
    max_open_files: PositiveInt = Field(
        default=1000, description="Files held open at the same time; beyond that idle ones are closed for a while."
    )
    read_bytes: PositiveInt = Field(default=2_097_152, description="Most bytes read of one file before the next one.")


def build(config: Config, context: SourceContext, *, once: bool = False) -> FileTail:
    """The source of a stream. With ``once`` it reads what is there, unfinished last lines too, and is exhausted."""
    return FileTail(config, context, once=once)


class FileTail:
    """Reads every file that matches. See ``monitor.core.protocols.Source`` for what it promises."""

    def __init__(self, config: Config, context: SourceContext, *, once: bool = False) -> None:
        self._config = config
        self._clock = context.clock
        self._events = context.events
        self._once = once
        self._names = _names(config)
        self._patterns = tuple(parse(glob) for glob in config.include)
        self._scanner = Scanner(self._patterns, self._names.excluded)
        self._opener = Opener(context.events, config.max_open_files)
        self._tracker = Tracker(self._opener, context.events, self._scanner.directories)
        self._memory = Memory(context.resume)
        self._admission = Admission(self._memory, self._tracker, self._opener, context.events, self._names)
        self._first_start = not context.resume
        self._schedule = Schedule(config.scan_seconds, config.idle_poll_ms / 1000)
        self._row = Row()
        self._hint = Hint(context.wake) if config.watch == "auto" and not once else None

    # -- what the driver asks ----------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """With ``once``: everything that can be read has been."""
        if not self._once or not self._schedule.scans or self._opener.short:
            return False
        return not any(file.active for file in self._tracker)

    @property
    def pause(self) -> float:
        """Seconds the driver may wait before it reads again, unless ``wake`` is called."""
        look = self._config.poll_ms if self._row.active else self._config.idle_poll_ms
        return max(0.0, min(look / 1000, self._schedule.next_scan - self._clock.monotonic()))

    @property
    def missing(self) -> list[str]:
        """Ids of remembered files that are not where they were; none before the first scan."""
        return self._memory.missing() if self._schedule.scans else []

    def sightings(self) -> list[Position]:
        """Where new files were begun, each told once. To be committed no later than the first records of the file.

        Without them a file is known only once a record of it was committed: one that was empty, or begun at its end,
        and then rotated while the program was down, would not be missed.
        """
        places, self._admission.sightings = self._admission.sightings, []
        return places

    def read(self, budget_bytes: int) -> list[Chunk]:
        """What is new, in turns of ``read_bytes``; with no budget it still looks for files and keeps them open."""
        now = self._clock.monotonic()
        scanned = self._schedule.scan_due(now, hinted=self._hint is not None and self._hint.given)
        if scanned:
            self._scan(now)
        chunks = self._turns(budget_bytes, now)
        for file in list(self._tracker) if self._once else list(self._row.active):
            may = file.active and self._opener.retries.may(file.file_id, now)
            if may and (ending := self._ending(file, now)) is not None:
                chunks.append(ending)
        if scanned:
            self._report()
        return chunks

    def committed(self, position: Position) -> None:
        """So much is durable."""
        self._tracker.commit(position)

    def close(self) -> None:
        """Close everything; what was read and not committed is read again next time."""
        if self._hint is not None:
            self._hint.close()
        for file in self._tracker:
            file.close()

    # -- reading -----------------------------------------------------------------------------------------------

    def _turns(self, budget_bytes: int, now: float) -> list[Chunk]:
        """Round robin until nobody has anything or the budget is spent; who had a turn stands behind the others."""
        chunks: list[Chunk] = []
        served: dict[TailedFile, None] = {}
        queue = deque(self._row.due(idle=self._schedule.idle_due(now)))
        while queue and budget_bytes > 0:
            file = queue.popleft()
            more, chunk = self._turn(file, min(budget_bytes, self._config.read_bytes), now)
            if chunk is not None:
                budget_bytes -= len(chunk.data)
                chunks.append(chunk)
                served[file] = None
            if more:
                queue.append(file)
        self._row.served(served)
        return chunks

    def _turn(self, file: TailedFile, limit: int, now: float) -> tuple[bool, Chunk | None]:
        """One read of one file: whether there may be more, and what there was."""
        if not file.active or file.ended or file.waits or not self._opener.retries.may(file.file_id, now):
            return False, None
        try:
            step = file.take(limit, now)
        except OSError as error:
            self._failed(file, error, now)
            return False, None
        if file.failing:
            file.failing = False
            self._opener.retries.succeeded(file.file_id)
        match step:
            case Chunk():
                return True, step
            case Replaced():
                self._events.rotated(file.home, "truncate")
                self._abandon(file, step.lost_bytes, "truncated")
            case Hole():
                self._abandon(file, step.skipped_bytes, "hole")
            case None:
                pass
        return step is not None, None

    def _ending(self, file: TailedFile, now: float) -> Chunk | None:
        """Bring a file that is over to its end, and close it when the last of it is durable."""
        try:
            if not file.ended and self._is_over(file, now) and file.at_end():
                ending = file.end()
                if self._once:
                    self._tracker.close(file)
                return ending
            if file.ended and file.committed >= file.handed:
                if file.at_end():
                    self._tracker.close(file)
                else:
                    file.go_on()
        except OSError as error:
            self._failed(file, error, now)
        return None

    def _is_over(self, file: TailedFile, now: float) -> bool:
        quiet = file.leaving and now - file.quiet_since >= self._config.rotate_grace_seconds
        return file.drained and (quiet or self._once) and not file.failing

    def _failed(self, file: TailedFile, error: OSError, now: float) -> None:
        """The file cannot be read now: it waits, others go on. With ``once`` there is no later, so it is given up."""
        file.failing = True
        self._opener.retries.failed(file.file_id, now)
        self._events.file_failed(file.home, error)
        if self._once:
            self._abandon(file, max(0, file.size - file.read_offset), "error")
            file.ended = True
        if self._once or error.errno == errno.ESTALE:  # a stale handle never recovers; the path may
            self._opener.close(file)

    def _abandon(self, file: TailedFile, count: int, reason: str) -> None:
        if count:
            self._events.bytes_abandoned(file.home, count, reason)

    # -- looking for files -------------------------------------------------------------------------------------

    def _scan(self, now: float) -> None:
        thorough = self._schedule.thorough(now)
        found = self._scanner.scan(thorough=thorough)
        for place, error in found.failures.items():
            self._opener.not_seen(place, error, now)
        self._opener.begin_scan(self._tracker)
        named = self._named(found)
        self._tracker.relink(named, found, now)
        self._admit(named, found, now, thorough=thorough)
        if not self._once:
            self._tracker.forget_finished(named)
        self._opener.retries.keep_only({*found.files, *found.failures, *(file.file_id for file in self._tracker)})
        self._row.arrange(self._tracker, now)
        self._schedule.scanned(now, self._opener, once=self._once)
        if self._hint is not None:
            self._hint.follow(self._patterns, (path for paths in named.values() for path in paths), self._events)

    def _named(self, found: Found) -> dict[Locator, list[str]]:
        """The paths of each file that is ours to read, sorted: a file is read once, whatever number of names it has."""
        named: dict[Locator, list[str]] = {}
        for path, status in found.files.items():
            locator = locator_of(status)
            if locator in self._tracker or self._opener.plain(path, status):
                named.setdefault(locator, []).append(path)
        return named

    def _admit(self, named: dict[Locator, list[str]], found: Found, now: float, *, thorough: bool) -> None:
        strangers = self._admission.strangers(named, found.files)
        from_end = self._first_start and self._config.start_at == "end"
        self._admission.admit(strangers, self._scanner.directories, now, from_end=from_end, thorough=thorough)
        self._first_start = self._first_start and self._opener.short

    def _report(self) -> None:
        files = list(self._tracker)
        self._events.files(sum(file.active for file in files), len(files))
        self._events.lag(sum(file.behind_bytes for file in files if file.active or not file.ended))


def _names(config: Config) -> Names:
    patterns = tuple(parse(glob) for glob in config.include)
    exclusions = tuple(parse_exclusion(glob) for glob in config.exclude)

    def is_excluded(path: str) -> bool:
        return excluded(path, exclusions)

    def is_wanted(path: str) -> bool:
        return any(pattern.matches(path) for pattern in patterns) and not is_excluded(path)

    return Names(is_wanted, is_excluded)
