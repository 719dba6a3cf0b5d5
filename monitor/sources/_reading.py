"""Gives every file its turn, and brings those that are over to their end: nothing is closed that was not committed."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.core.accounting import Position
from monitor.core.protocols import SourceEvents
from monitor.core.records import Chunk
from monitor.sources._copies import Copies
from monitor.sources._departed import Departed
from monitor.sources._epochs import Hole, Replaced
from monitor.sources._opening import Opener
from monitor.sources._packed import PackedFile
from monitor.sources._tailed import TailedFile
from monitor.sources._tracker import Tracker


@dataclass(frozen=True, slots=True)
class Manner:
    """``turn_bytes`` of one file, then the next; a rotated file is over when it was quiet for ``grace_seconds``.

    ``once``: every file is over when nothing more is there.
    """

    turn_bytes: int
    grace_seconds: float
    once: bool


class Reading:
    """Reads files by turns. ``sightings`` are the ends of files that were given up."""

    def __init__(
        self, tracker: Tracker, opener: Opener, copies: Copies, departed: Departed, events: SourceEvents, manner: Manner
    ) -> None:
        self._tracker = tracker
        self._opener = opener
        self._copies = copies
        self._departed = departed
        self._events = events
        self._manner = manner
        self._held: list[tuple[TailedFile, Replaced]] = []
        self.sightings: list[Position] = []

    @property
    def holds(self) -> bool:
        """Whether files were found truncated, whose copies have to be looked for before they are read on."""
        return bool(self._held)

    def turns(self, due: Iterable[TailedFile], budget_bytes: int, now: float) -> tuple[list[Chunk], list[TailedFile]]:
        """Round robin until nobody has anything or the budget is spent; and who had something, in that order."""
        chunks: list[Chunk] = []
        served: dict[TailedFile, None] = {}
        queue = deque(due)
        while queue and budget_bytes > 0:
            file = queue.popleft()
            more, chunk = self._turn(file, min(budget_bytes, self._manner.turn_bytes), now)
            if chunk is not None:
                budget_bytes -= len(chunk.data)
                chunks.append(chunk)
                served[file] = None
            if more:
                queue.append(file)
        return chunks, list(served)

    def judge(self, now: float) -> None:
        """See which of the new files are copies, before anything of any file is read."""
        for file in [file for file in self._tracker if not file.cleared]:
            if file.active and not file.ended and self._opener.retries.may(file.file_id, now):
                self._judge(file, now)

    def release(self) -> None:
        """Copies have been looked for: what is in no copy is lost."""
        for file, replaced in self._held:
            file.held = False
            self.sightings.append(file.place())
            if not self._departed.copied(replaced.closed):
                self._events.rotated(file.home, "truncate")
                self._abandon(file, replaced.lost_bytes, "truncated")
        self._held.clear()

    def endings(self, files: Iterable[TailedFile], now: float) -> list[Chunk]:
        """The last chunks of those that are over; whose last chunk is durable is closed."""
        able = [file for file in files if file.active and self._opener.retries.may(file.file_id, now)]
        return [ending for file in able if (ending := self._ending(file, now)) is not None]

    def give_up(self, files: Iterable[tuple[TailedFile, str]]) -> list[Chunk]:
        """Read no more of these rotated files, whatever is left in them; a limit forbids to hold them any longer."""
        return [self._give_up(file, reason) for file, reason in files]

    # -- one file ----------------------------------------------------------------------------------------------

    def _turn(self, file: TailedFile, limit: int, now: float) -> tuple[bool, Chunk | None]:
        """One read of one file: whether there may be more, and what there was."""
        if not file.active or file.ended or file.waits or not self._opener.retries.may(file.file_id, now):
            return False, None
        if not (file.cleared or self._judge(file, now)):
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
                self._tracker.rename(file, step.closed.evidence.origin.file_id)
                self._departed.close(step.closed, now)
                self._held.append((file, step))
                return False, None
            case Hole():
                self._abandon(file, step.skipped_bytes, "hole")
            case None:
                pass
        return step is not None, None

    def _judge(self, file: TailedFile, now: float) -> bool:
        try:
            self._copies.judge(file, now)
        except OSError as error:
            self._failed(file, error, now)
        return file.cleared

    def _ending(self, file: TailedFile, now: float) -> Chunk | None:
        try:
            if not file.ended and self._is_over(file, now) and file.at_end():
                return self._end(file)
            if file.ended and file.committed >= file.handed:
                self._let_go(file, now)
        except OSError as error:
            self._failed(file, error, now)
        return None

    def _is_over(self, file: TailedFile, now: float) -> bool:
        quiet = file.leaving and now - file.quiet_since >= self._manner.grace_seconds
        return file.drained and (quiet or self._manner.once) and not file.failing and not file.held

    def _end(self, file: TailedFile) -> Chunk:
        if isinstance(file, PackedFile):
            reason, count = file.damage
            self._abandon(file, count, "damaged" if reason else "")
        ending = file.end()
        if self._manner.once:
            self._tracker.close(file)
        return ending

    def _let_go(self, file: TailedFile, now: float) -> None:
        if file.given_up_at:
            self._pass_by(file)
        elif not file.at_end():
            file.go_on()
            return
        self._departed.close(file.closed(), now)  # should it be deleted, a copy of it may come under the same name
        self._tracker.close(file)

    def _pass_by(self, file: TailedFile) -> None:
        """Make durable that the rest of a file is not read, now that all that was read of it is."""
        if not isinstance(file, PackedFile):
            file.begin_at(file.given_up_at)
            self.sightings.append(file.place())

    def _give_up(self, file: TailedFile, reason: str) -> Chunk:
        try:
            unread = file.unread_bytes()
        except OSError:
            unread = max(0, file.size - file.read_offset)
        file.given_up_at = file.read_offset + unread
        self._abandon(file, unread, reason)
        return file.end()

    def _failed(self, file: TailedFile, error: OSError, now: float) -> None:
        """The file cannot be read now: it waits, others go on. With ``once`` there is no later, so it is given up."""
        file.failing = True
        self._opener.retries.failed(file.file_id, now)
        self._events.file_failed(file.home, error)
        if self._manner.once:
            self._abandon(file, file.size - file.read_offset, "error")
            file.ended = True
        if self._manner.once or error.errno == errno.ESTALE:  # a stale handle never recovers; the path may
            self._opener.close(file)

    def _abandon(self, file: TailedFile, count: int, reason: str) -> None:
        if count > 0:
            self._events.bytes_abandoned(file.home, count, reason)
