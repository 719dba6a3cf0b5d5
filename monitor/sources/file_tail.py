"""Follows log files through every kind of rotation; after a restart it goes on where the last commit left off.

Polling is what it relies on; a watch on the directories only makes it quicker. A file is known again by its place on
the disk and by its content, so neither a renamed file is read twice nor a new one skipped that got an old inode.

* Renamed or deleted files stay open and are read to their end; then, after ``rotate_grace_seconds`` without a write,
  an unfinished last line counts as complete.
* Truncation is found by size, and by reading the last 256 bytes again whenever there is something new. It cannot be
  found when the new content repeats the old at that place byte for byte.
* While the program was down: renamed files are found beside their old path by content; files that were created and
  rotated away meanwhile by their name (``access.log.1``, ``access.log-20240131``) and their time.
* A copy, as ``copytruncate`` and ``cp`` make it, is recognised by its content before anything of it is read: when the
  original is truncated, reading goes on in the copy where it had come to; otherwise the copy is passed over.
* Rotated parts that were compressed (gzip, bzip2, xz, zstd) are unpacked only for what was missed in them: after a
  rotation while the program was down, say. Compressed files that match are not read as logs of their own.
* Nothing unread is let go of, unless a limit for rotated files is exceeded; that is counted and logged as an error.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from monitor.core.accounting import Position
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk
from monitor.core.strict import StrictModel
from monitor.sources._copies import Copies, Rules
from monitor.sources._departed import Departed
from monitor.sources._discovery import Discovery, Parts, Wanted
from monitor.sources._epochs import Closed
from monitor.sources._limits import RotatedLimits, pinned_bytes
from monitor.sources._memory import Memory
from monitor.sources._missed import Missed
from monitor.sources._opening import Opener
from monitor.sources._patterns import parse
from monitor.sources._reading import Manner, Reading
from monitor.sources._scan import Scanner
from monitor.sources._strangers import Names, Start
from monitor.sources._tracker import Tracker
from monitor.sources._turns import Schedule

EXAMPLE = """
include: [/var/log/nginx/access.log, "/var/log/apps/**/*.log"]
exclude: ["*.tmp"]
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
    scan_seconds: PositiveFloat = Field(
        default=1.0,
        description="How often directories are looked through; less often, up to 1.8, where that takes over 10 ms.",
    )
    rotate_grace_seconds: NonNegativeFloat = Field(
        default=5.0, description="How long a rotated file must be quiet before its last line counts as complete."
    )
    watch: Literal["auto", "poll"] = Field(
        default="auto", description="`auto` notices new files at once where the system can tell; `poll` never asks it."
    )
    copy_hold_seconds: NonNegativeFloat = Field(
        default=5.0,
        description="How long a new file that repeats another one byte for byte must not grow before it counts as a "
        "copy. Until then nothing of it is read.",
    )
    duplicate_files: Literal["ignore", "read"] = Field(
        default="ignore",
        description="What to do with a copy of a file that is still there. `ignore` passes over what is the same and "
        "reads only what is appended to the copy later; `read` reads it as a file of its own.",
    )
    max_open_files: PositiveInt | None = Field(
        default=None,
        description="Files held open at the same time; beyond that idle ones are closed for a while. By default 1000, "
        "or fewer where the process may not open so many; a number that it may not open is an error.",
    )
    max_rotated_files: PositiveInt = Field(
        default=500, description="Rotated files held open to be read to their end; beyond that the oldest are given up."
    )
    max_pinned_bytes: PositiveInt = Field(
        default=68_719_476_736,
        description="Disk space that deleted files may take because they are held open; beyond that the oldest are "
        "given up.",
    )
    max_rotated_age_seconds: PositiveFloat = Field(
        default=604_800.0, description="How long a rotated file is held open at the most, even while it is written to."
    )
    read_bytes: PositiveInt = Field(default=2_097_152, description="Most bytes read of one file before the next one.")


def build(config: Config, context: SourceContext, *, once: bool = False) -> FileTail:
    """The source of a stream. With ``once`` it reads what is there, unfinished last lines too, and is exhausted."""
    return FileTail(config, context, once=once)


class FileTail:
    """Reads every file that matches. See ``monitor.core.protocols.Source`` for what it promises."""

    def __init__(self, config: Config, context: SourceContext, *, once: bool = False) -> None:
        events, names = context.events, Names.of(config.include, config.exclude, config.scan_seconds)
        wanted = _wanted(config, names, once=once)
        self._config, self._clock, self._events, self._once = config, context.clock, events, once
        self._limits = _limits(config)
        scanner = Scanner(wanted.patterns, names.excluded, context.clock)
        self._opener = Opener(events, config.max_open_files)
        self._tracker = Tracker(self._opener, events, scanner.directories, self._lost, context.boundary)
        memory = Memory(context.resume)
        self._departed = Departed()
        self._missed = Missed(memory, self._tracker, self._opener, names)
        self._copies = Copies(self._tracker, memory, self._departed, events, _rules(config, once=once))
        parts = Parts(scanner, self._opener, self._tracker, memory, self._departed, self._missed, self._copies)
        self._schedule = Schedule(config.scan_seconds, config.idle_poll_ms / 1000)
        self._discovery = Discovery(context, wanted, parts, self._schedule)
        self._archives, self._row = self._discovery.archives, self._discovery.row
        manner = Manner(config.read_bytes, config.rotate_grace_seconds, once)
        self._reading = Reading(self._tracker, self._opener, self._copies, self._departed, events, manner)

    # -- what the driver asks ----------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """With ``once``: everything that can be read has been."""
        if not self._once or not self._schedule.scans or self._opener.short or self._archives.busy:
            return False
        return not any(file.active for file in self._tracker)

    @property
    def pause(self) -> float:
        """Seconds the driver may wait before it reads again, unless ``wake`` is called."""
        if self._archives.busy or self._copies.compares():
            return 0.0
        look = self._config.poll_ms if self._row.active else self._config.idle_poll_ms
        return max(0.0, min(look / 1000, self._schedule.next_scan - self._clock.monotonic()))

    def forgettable(self) -> list[str]:
        """Ids of files that every complete scan has missed for seven days, each told once: forget their progress."""
        due = self._discovery.retention.due()
        self._discovery.retention.forget(due)
        return [file_id for file_id in due if not self._tracker.has(file_id)]  # a copy may have gone on under it

    def sightings(self) -> list[Position]:
        """Where new files were begun, each told once. To be committed no later than the first records of the file.

        Without them a file is known only once a record of it was committed: one that was empty, or begun at its end,
        and then rotated while the program was down, would not be missed. Of copies they say that what stands before was
        read elsewhere; so they are also to be committed before what came to stand in the original's place.
        """
        tellers = (self._discovery.admission, self._archives, self._copies, self._reading)
        places = [place for teller in tellers for place in teller.sightings]
        for teller in tellers:
            teller.sightings = []
        return places

    def read(self, budget_bytes: int) -> list[Chunk]:
        """What is new, in turns of ``read_bytes``; with no budget it still looks for files and keeps them open."""
        now = self._clock.monotonic()
        news = self._discovery.due(now) and self._look(now)
        self._archives.work(now)
        chunks = self._turns(budget_bytes, now)
        if self._reading.holds:  # a copy that was made before the truncation has to be found before what comes after
            news |= self._look(now)
            self._reading.release()
            chunks += self._turns(budget_bytes - sum(len(chunk.data) for chunk in chunks), now)
        chunks += self._departed.told()
        chunks += self._reading.endings(list(self._tracker) if self._once else list(self._row.active), now)
        if news:
            chunks += self._reading.give_up(self._limits.exceeded(self._tracker, now))
            self._report(now)
            self._discovery.settle()
        return chunks

    def committed(self, position: Position) -> None:
        """So much is durable."""
        self._tracker.commit(position)

    def close(self) -> None:
        """Close everything; what was read and not committed is read again next time."""
        self._discovery.close()
        for file in self._tracker:
            file.close()

    # -- what that takes ---------------------------------------------------------------------------------------

    def _look(self, now: float) -> bool:
        """Look for files, and see which of the new ones are copies; False where all is as it was."""
        news = self._discovery.look(now)
        if news:
            self._reading.judge(now)
        return news

    def _turns(self, budget_bytes: int, now: float) -> list[Chunk]:
        due = self._row.due(idle=self._schedule.idle_due(now))
        chunks, served = self._reading.turns(due, budget_bytes, now)
        self._discovery.served(due, served)
        return chunks

    def _lost(self, closed: Closed) -> None:
        self._departed.close(closed, self._clock.monotonic())
        self._missed.vacate(closed.evidence.origin.path, closed.mtime_ns)

    def _report(self, now: float) -> None:
        files = list(self._tracker)
        for file in files:
            file.scanned_size = file.size
        self._events.files(sum(file.active for file in files), len(files))
        unended = [file for file in files if file.active or not file.ended]
        self._events.lag(sum(file.behind_bytes for file in unended))
        oldest = min((file.unread_since(now) for file in unended), default=now)
        self._events.unread(now - oldest, sum(pinned_bytes(file) for file in files))


def _limits(config: Config) -> RotatedLimits:
    return RotatedLimits(config.max_rotated_files, config.max_pinned_bytes, config.max_rotated_age_seconds)


def _rules(config: Config, *, once: bool) -> Rules:
    """What is read once does not grow meanwhile."""
    return Rules(0.0 if once else config.copy_hold_seconds, config.duplicate_files == "ignore")


def _wanted(config: Config, names: Names, *, once: bool) -> Wanted:
    patterns = tuple(parse(glob) for glob in config.include)
    return Wanted(patterns, names, Start[config.start_at.upper()], once, watched=config.watch == "auto" and not once)
