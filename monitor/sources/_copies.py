"""Tells a copy of what is read from a file of its own, so that ``copytruncate`` and ``cp`` have nothing read twice.

Before the first byte of a new file is read, it is compared with every file that begins alike:

* It differs, or goes on where the other ends: a file of its own, read from its start.
* The other's content has left its place, by truncation or deletion: the copy goes on where reading stopped there.
* The other is still there, read as far as the copy goes, and the copy has not grown for ``copy_hold_seconds``: it is
  passed over (or read, as configured). Whatever is appended to it later is read.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from monitor.core.accounting import Position
from monitor.core.protocols import SourceEvents
from monitor.core.records import Chunk
from monitor.sources._identity import (
    HEAD_BYTES,
    copied_until,
    difference,
    is_evident,
    locator_of,
    tail_before,
)
from monitor.sources._memory import Memory
from monitor.sources._packed import PackedFile
from monitor.sources._tailed import Closed, TailedFile, open_regular
from monitor.sources._tracker import Tracker

CLOSED_SECONDS = 60.0
"""How long a copy may take to show up after its original was truncated or deleted."""

MAX_CLOSED = 256
"""Epochs remembered for that; of some thousand bytes each."""

COMPARED_BYTES = 2_097_152
"""Most bytes of each of two files compared before others have their turn."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``hold_seconds``: how long a copy must not grow; ``ignored``: whether it is passed over then."""

    hold_seconds: float
    ignored: bool


@dataclass(frozen=True, slots=True)
class Original:
    """A file in the epoch in which it was met, and the size it had before the copy was there: a copy is no smaller."""

    file: TailedFile
    epoch: int
    least_size: int


@dataclass(slots=True)
class Suspicion:
    """What one file may be a copy of. ``covered``: all of it was read in the first of the originals."""

    originals: list[Original]
    quiet_since: float
    size: int = 0
    compared: int = 0
    covered: bool = False

    def acquit(self) -> None:
        """The first of the originals is another file after all; begin with the next."""
        self.originals.pop(0)
        self.compared, self.covered = 0, False

    def look(self, size: int, now: float) -> None:
        """See whether the copy has grown."""
        if size != self.size:
            self.size, self.quiet_since, self.covered = size, now, False
            self.compared = min(self.compared, size)


class Copies:
    """Judges files before they are read. ``sightings`` are the places at which copies are begun.

    ``endings`` are chunks that say of which epochs nothing will follow.
    """

    def __init__(self, tracker: Tracker, memory: Memory, events: SourceEvents, rules: Rules) -> None:
        self._tracker = tracker
        self._memory = memory
        self._events = events
        self._rules = rules
        self._closed: dict[Closed, float] = {}  # with the time until which it is remembered
        self._takers: dict[TailedFile, float] = {}  # that went on with such an epoch: there may be more copies of it
        self._suspicions: dict[TailedFile, Suspicion] = {}
        self.sightings: list[Position] = []
        self.endings: list[Chunk] = []

    # -- epochs whose content is gone from its place -----------------------------------------------------------

    def close(self, closed: Closed, now: float) -> None:
        """A copy of this may turn up, or be there already."""
        if is_evident(closed.evidence) or (closed.evidence.origin.head and not closed.evidence.offset):
            self._closed[closed] = now + CLOSED_SECONDS
        else:
            self._drop(closed)

    def _drop(self, closed: Closed) -> None:
        if not closed.ended:
            self.endings.append(closed.dropped())

    def forget(self, now: float, *, waiting: bool) -> None:
        """Forget the files that are gone, and the epochs for which no copy has come; but not while one may be there.

        ``waiting``: there are files that could not be looked into yet.
        """
        kept = [(closed, until) for closed, until in self._closed.items() if waiting or until > now]
        before, self._closed = self._closed, dict(kept[-MAX_CLOSED:])
        for closed in [closed for closed in before if closed not in self._closed]:
            self._drop(closed)
        self._takers = {file: until for file, until in self._takers.items() if waiting or until > now}
        self._suspicions = {file: known for file, known in self._suspicions.items() if file.active}

    def compares(self) -> bool:
        """Whether a file is being compared: there is work to do at once."""
        return any(known.compared < known.size for known in self._suspicions.values())

    def wanted(self) -> list[Closed]:
        """The epochs for which no copy has come yet."""
        return list(self._closed)

    def taken(self, file: TailedFile, now: float) -> None:
        """This goes on with what has left its place; whatever else is a copy of that has nothing that is unread."""
        self._takers[file] = now + CLOSED_SECONDS

    def found(self, closed: Closed) -> None:
        """Its copy has come."""
        del self._closed[closed]

    def missed_at(self) -> list[str]:
        """The paths that these were read under, each once."""
        return list(dict.fromkeys(closed.evidence.origin.path for closed in self._closed))

    def fits(self, fd: int, home: str) -> bool:
        """Whether an open file holds what one of them had."""
        mtime_ns = os.fstat(fd).st_mtime_ns
        return any(closed.may_be(mtime_ns) and _repeats(fd, closed, home) for closed in self._closed)

    # -- judging -----------------------------------------------------------------------------------------------

    def judge(self, file: TailedFile, now: float) -> None:
        """See what a file is that is not ``cleared`` yet; unless it is by then, wait and ask again.

        Raises:
            OSError: it cannot be read now.
        """
        size = os.fstat(file.fd).st_size
        file.drained = size == 0  # and so it may come to its end
        if size == 0:
            return
        suspicion = self._suspicions.get(file) or self._suspect(file, now)
        grown = size != suspicion.size
        suspicion.look(size, now)
        if self._goes_on(file, now) or self._is_another(file) or (grown and self._is_remembered(file, now)):
            return
        while suspicion.originals and not file.cleared:
            if not self._compare(file, suspicion, now):
                return
        if not file.cleared:
            self._clear(file)

    def _is_another(self, file: TailedFile) -> bool:
        """Whether it is one more copy of what was gone on with in another one; only what it has more is read then."""
        for taker in [taker for taker in self._takers if self._tracker.get(taker.locator) is taker is not file]:
            until = copied_until(file.fd, taker.evidence(), file.home)
            if until is not None:
                if taker.drained or taker.ended or not taker.active:
                    self._begin(file, file.last_line(until))
                return True
        return False

    def _goes_on(self, file: TailedFile, now: float) -> bool:
        """Whether it holds what has left its place elsewhere; then what was unread there is read here."""
        mtime_ns = os.fstat(file.fd).st_mtime_ns
        for closed in [closed for closed in self._closed if closed.may_be(mtime_ns)]:
            match copied_until(file.fd, closed.evidence, file.home):
                case None:
                    continue
                case closed.evidence.offset if not self._tracker.has(closed.evidence.origin.file_id):
                    self._go_on(file, closed, now)
                case until:
                    self._begin(file, until)
            self.found(closed)
            return True
        return False

    def _go_on(self, file: TailedFile, closed: Closed, now: float) -> None:
        """Read on in the copy what is unread."""
        self._events.rotated(file.home, "copytruncate")
        self._events.adopted(file.home)
        old_id = file.file_id
        file.continue_from(closed)
        self.taken(file, now)
        self._tracker.rename(file, old_id)
        self._suspicions.pop(file, None)

    def _is_remembered(self, file: TailedFile, now: float) -> bool:
        """Whether it holds what left its place while the program was down."""
        state = self._memory.adoptable(file.fd)
        if state is not None:
            self._memory.take(state)
            self._go_on(file, Closed(state, state.offset), now)
            return True
        until = self._memory.repeated(file.fd, file.home)
        if until is not None:
            self._begin(file, until)
        return until is not None

    def _begin(self, file: TailedFile, offset: int) -> None:
        self._events.rotated(file.home, "copytruncate")
        self._events.adopted(file.home)
        self._pass_over(file, offset)

    def _suspect(self, file: TailedFile, now: float) -> Suspicion:
        head = os.pread(file.fd, HEAD_BYTES, 0)
        alike = [
            Original(known, known.epoch, 0 if file.met_earlier else known.scanned_size)
            for known in self._tracker
            if _may_be_copied(known, file, head)
        ]
        self._suspicions[file] = Suspicion(alike, now)
        return self._suspicions[file]

    def _compare(self, file: TailedFile, suspicion: Suspicion, now: float) -> bool:
        """Compare a bit more with the first original; False when nothing more can be said now."""
        original = suspicion.originals[0]
        if self._tracker.get(original.file.locator) is not original.file:
            suspicion.acquit()
            return True
        if original.file.epoch != original.epoch:  # truncated, and this is no copy by which reading could go on
            if suspicion.covered:
                self._ignore(file)
            else:
                suspicion.acquit()
            return True
        if suspicion.compared < suspicion.size:
            return self._compare_bytes(file, original.file, suspicion, now)
        return self._decide(file, original, suspicion, now)

    def _decide(self, file: TailedFile, original: Original, suspicion: Suspicion, now: float) -> bool:
        """Judge a file that repeats the original byte for byte as far as it goes."""
        match _still_has(original.file, file, suspicion.size):
            case None:
                return self._is_replaced(original.file, now)
            case False:
                suspicion.acquit()  # replaced before anything of it was read, which nobody could notice
                return True
            case True:
                suspicion.covered = _is_durable(original.file, suspicion.size)
        if now - suspicion.quiet_since < self._rules.hold_seconds or not suspicion.covered:
            return False
        if suspicion.size >= original.least_size and self._rules.ignored:
            self._ignore(file)
        else:
            suspicion.acquit()
        return True

    def _ignore(self, file: TailedFile) -> None:
        """Pass over the lines; an unfinished last one may yet become another one than in the original."""
        self._events.copy_ignored(file.home)
        self._pass_over(file, file.last_line(os.fstat(file.fd).st_size))

    def _is_replaced(self, original: TailedFile, now: float) -> bool:
        """Truncated a moment ago: reading will find that out, unless the descriptor for it is the one of the copy."""
        if not original.active:
            self.close(original.closed(), now)
            self._tracker.drop(original)
        return False

    def _compare_bytes(self, file: TailedFile, original: TailedFile, suspicion: Suspicion, now: float) -> bool:
        place = suspicion.compared
        data = os.pread(file.fd, COMPARED_BYTES, place)  # the copy first: what it has, the original had before
        try:
            with _content(original) as fd:
                theirs = os.pread(fd, len(data), place)
                if theirs == data:
                    suspicion.compared += len(data)
                    return suspicion.compared == suspicion.size
                if difference(fd, original.evidence()) is not None:
                    return self._is_replaced(original, now)
                if data.startswith(theirs) and os.fstat(fd).st_nlink == 0:
                    return self._succeed(file, original, now)
        except OSError:
            pass  # it cannot be looked at: better to read something twice than not at all
        suspicion.acquit()
        return True

    def _succeed(self, file: TailedFile, original: TailedFile, now: float) -> bool:
        """The original was deleted and this has all of it and more: it was replaced, as an editor or rsync does it."""
        if not original.at_end():
            return False  # once it has been read
        self._tracker.drop(original)
        self._go_on(file, original.closed(), now)
        return True

    def _pass_over(self, file: TailedFile, offset: int) -> None:
        file.begin_at(offset)
        self.sightings.append(file.place())
        self._suspicions.pop(file, None)

    def _clear(self, file: TailedFile) -> None:
        """It is a file of its own."""
        file.cleared = True
        self.sightings.append(file.place())
        if file.leaving:
            self._events.rotated(file.home, "rename")
        self._suspicions.pop(file, None)


def _repeats(fd: int, closed: Closed, home: str) -> bool:
    return copied_until(fd, closed.evidence, home) is not None


def _is_durable(original: TailedFile, size: int) -> bool:
    """Whether so much of a file was read, and the lines in it committed."""
    return original.read_offset >= size and original.committed >= min(size, original.line_start)


def _still_has(original: TailedFile, copy: TailedFile, size: int) -> bool | None:
    """Whether the original begins and ends, up to the size of the copy, as that does; None: it has changed."""
    head, tail = os.pread(copy.fd, HEAD_BYTES, 0), tail_before(copy.fd, size)
    try:
        with _content(original) as fd:
            if os.pread(fd, len(head), 0) == head and tail_before(fd, size) == tail:
                return True
            return None if difference(fd, original.evidence()) is not None else False
    except OSError:
        return False


def _may_be_copied(known: TailedFile, file: TailedFile, head: bytes) -> bool:
    """Whether the known file begins alike, and this one is not just what follows it after a rotation."""
    if known is file or not known.cleared or not known.head or isinstance(known, PackedFile):
        return False
    if not (known.head.startswith(head) or head.startswith(known.head)):
        return False
    follows = known.leaving and not file.leaving and known.home == file.home
    return not follows or (known.active and os.fstat(known.fd).st_nlink == 0)


@contextmanager
def _content(file: TailedFile) -> Generator[int]:
    """A descriptor of the file, opened for a moment when it is closed.

    Raises:
        OSError: it is no longer there.
    """
    if file.active:
        yield file.fd
        return
    fd, status = open_regular(file.path or file.home)
    try:
        if locator_of(status) != file.locator:
            raise FileNotFoundError(file.path)
        yield fd
    finally:
        os.close(fd)
