"""Tells a copy of what is read from a file of its own, so that ``copytruncate`` and ``cp`` have nothing read twice.

Before the first byte of a new file is read, it is compared with every file that begins alike:

* It differs, or goes on where the other ends: a file of its own, read from its start.
* The other's content has left its place, by truncation or deletion: the copy goes on where reading stopped there.
* The other is still there, read as far as the copy goes, and the copy has not grown for ``copy_hold_seconds``: it is
  passed over (or read, as configured). Whatever is appended to it later is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from monitor.core.accounting import Position
from monitor.core.protocols import SourceEvents
from monitor.sources._departed import Departed
from monitor.sources._epochs import Closed
from monitor.sources._identity import HEAD_BYTES, copied_until, difference
from monitor.sources._memory import Memory
from monitor.sources._suspicion import Original, Suspicion, content, is_durable, is_replaced, may_be_copied, still_has
from monitor.sources._tailed import TailedFile
from monitor.sources._tracker import Tracker

COMPARED_BYTES = 2_097_152
"""Most bytes of each of two files compared before others have their turn."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``hold_seconds``: how long a copy must not grow; ``ignored``: whether it is passed over then."""

    hold_seconds: float
    ignored: bool


class Copies:
    """Judges files before they are read. ``sightings`` are the places at which copies are begun."""

    def __init__(
        self, tracker: Tracker, memory: Memory, departed: Departed, events: SourceEvents, rules: Rules
    ) -> None:
        self._tracker = tracker
        self._memory = memory
        self._departed = departed
        self._events = events
        self._rules = rules
        self._suspicions: dict[TailedFile, Suspicion] = {}
        self.sightings: list[Position] = []

    def forget_gone(self) -> None:
        """Forget the files that are no longer open."""
        self._suspicions = {file: known for file, known in self._suspicions.items() if file.active}

    def compares(self) -> bool:
        """Whether a file is being compared: there is work to do at once."""
        return any(known.compared < known.size for known in self._suspicions.values())

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
        if suspicion is None:
            return
        grown = size != suspicion.size
        suspicion.look(size, now)
        if (
            self._goes_on(file, suspicion, now)
            or self._is_another(file)
            or (grown and self._is_remembered(file, suspicion, now))
        ):
            return
        if suspicion.repeated is not None:
            self._pass_over_once_quiet(file, suspicion, suspicion.repeated, now)
            return
        while suspicion.originals and not file.cleared:
            if not self._compare(file, suspicion, now):
                return
        if not file.cleared:
            self._clear(file)

    def _is_another(self, file: TailedFile) -> bool:
        """Whether it is one more copy of what was gone on with in another one; only what it has more is read then."""
        for taker in [
            taker for taker in self._departed.takers() if self._tracker.get(taker.locator) is taker is not file
        ]:
            until = copied_until(file.fd, taker.evidence(), file.home)
            if until is not None:
                if taker.drained or taker.ended or not taker.active:
                    self._begin(file, file.last_line(until))
                return True
        return False

    def _goes_on(self, file: TailedFile, suspicion: Suspicion, now: float) -> bool:
        """Whether it holds all that was read of what has left its place elsewhere; what was unread is read here then.

        A copy that ends before the place that was reached may still be being made.
        """
        mtime_ns = os.fstat(file.fd).st_mtime_ns
        held = [
            (closed, until)
            for closed in self._departed.wanted()
            if closed.may_be(mtime_ns) and (until := copied_until(file.fd, closed.evidence, file.home)) is not None
        ]
        if not held:
            return False
        closed, until = max(held, key=lambda one: one[1] == one[0].evidence.offset)
        whole = until == closed.evidence.offset
        if whole and not self._tracker.has(closed.evidence.origin.file_id):
            self._go_on(file, closed, now)
        elif whole:
            self._begin(file, until)
        else:
            suspicion.repeated = until
        self._departed.found(closed, whole=whole)
        return whole

    def _go_on(self, file: TailedFile, closed: Closed, now: float) -> None:
        """Read on in the copy what is unread."""
        self._events.rotated(file.home, "copytruncate")
        self._events.adopted(file.home)
        old_id = file.file_id
        file.continue_from(closed)
        self._departed.taken(file, now)
        self._tracker.rename(file, old_id)
        self._suspicions.pop(file, None)

    def _is_remembered(self, file: TailedFile, suspicion: Suspicion, now: float) -> bool:
        """Whether it holds all that was read of what left its place while the program was down."""
        state = self._memory.adoptable(file.fd)
        if state is not None:
            self._memory.take(state)
            self._go_on(file, Closed(state, state.offset), now)
            return True
        if suspicion.repeated is None:
            suspicion.repeated = self._memory.repeated(file.fd, file.home)
        return False

    def _pass_over_once_quiet(self, file: TailedFile, suspicion: Suspicion, repeated: int, now: float) -> None:
        """It ends before the place that was reached: perhaps it is still being made, and will hold what is unread."""
        if now - suspicion.quiet_since >= self._rules.hold_seconds:
            self._begin(file, repeated)

    def _begin(self, file: TailedFile, offset: int) -> None:
        self._events.rotated(file.home, "copytruncate")
        self._events.adopted(file.home)
        self._pass_over(file, offset)

    def _suspect(self, file: TailedFile, now: float) -> Suspicion | None:
        """See which files it may be a copy of; None while one of them has to be read before that can be said."""
        head = os.pread(file.fd, HEAD_BYTES, 0)
        alike = [known for known in self._tracker if may_be_copied(known, file, head)]
        if any(map(is_replaced, alike)):
            return None
        originals = [Original(known, known.epoch, 0 if file.met_earlier else known.scanned_size) for known in alike]
        self._suspicions[file] = Suspicion(originals, now)
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
        match still_has(original.file, self._tracker.whereabouts(original.file), file, suspicion.size):
            case None:
                return self._is_replaced(original.file, now)
            case False:
                suspicion.acquit()  # replaced before anything of it was read, which nobody could notice
                return True
            case True:
                suspicion.covered = is_durable(original.file, suspicion.size)
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
            self._departed.close(original.closed(), now)
            self._tracker.drop(original)
        return False

    def _compare_bytes(self, file: TailedFile, original: TailedFile, suspicion: Suspicion, now: float) -> bool:
        place = suspicion.compared
        data = os.pread(file.fd, COMPARED_BYTES, place)  # the copy first: what it has, the original had before
        try:
            with content(original, self._tracker.whereabouts(original)) as fd:
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
