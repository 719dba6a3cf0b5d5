"""Runs ``journalctl`` again and again, each time from the entry that was read last, and hands out what it writes."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

from monitor.core.accounting import Position
from monitor.core.backoff import Backoff
from monitor.core.errors import UnavailableError
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages, Origin
from monitor.sources._journal_entries import Entry, entries
from monitor.sources._receiving import Receiving
from monitor.sources._wake import Wake

BLOCK_BYTES = 262_144
IDLE_SECONDS = 1.0
CURSOR = "#cursor"
"""What follows the id of the journal in that of the ledger's row whose path is the cursor."""


class Journal(Receiving[str]):
    """One child at a time; receipts are cursors.

    Args:
        program: ``journalctl`` with what it is asked for.
        where: of which journal, for ids.
        start_at: ``end`` leaves out what is there when nothing was ever committed.
    """

    def __init__(
        self, config: MessageOptions, context: SourceContext, program: Sequence[str], where: str, start_at: str, *,
        once: bool,
    ) -> None:  # fmt: skip
        super().__init__(config, context, "journald")
        self._program = program
        self._where = where
        self._once = once
        self._at_end = start_at == "end"
        self._wake = Wake()
        states = {state.origin.file_id: state for state in context.resume}
        row = states.pop(f"{where}{CURSOR}", None)
        self._cursor = row.origin.path if row else None  # of the entry read last
        self._cursors = row.offset if row else 0  # noted in the ledger
        self._next = {file_id: state.offset for file_id, state in states.items()}
        self._thread.start()

    def _stir(self) -> None:
        self._wake.set()

    def committed(self, position: Position) -> None:
        """The cursor that was reached is noted with what is read next."""
        super().committed(position)
        if cursors := self._inbox.durable():
            self._note(cursors[-1])

    def close(self) -> None:
        """End the child."""
        if not self._closing:
            super().close()
            if not self._thread.is_alive():
                self._wake.close()

    # -- the receiving thread ----------------------------------------------------------------------------------

    def _receive(self) -> None:
        backoff = Backoff()
        while not self._closing and not self._caught_up:
            try:
                if self._cursor is None and self._at_end:
                    self._begin_at_the_end()
                self._follow(backoff)
            except (OSError, UnavailableError) as error:
                self._events.disconnected(self._where, str(error))
                self._rest(backoff.seconds())

    def _rest(self, seconds: float) -> None:
        now = self._context.clock.monotonic
        until = now() + seconds
        while not self._closing and now() < until:
            self._wake.wait(until - now())

    def _begin_at_the_end(self) -> None:
        """Note the newest entry that is there; of an empty journal, everything is new."""
        done = subprocess.run([*self._program, "--lines=1"], capture_output=True, check=False)
        if done.returncode:
            raise UnavailableError(_said(done.stderr) or f"journalctl ended with status {done.returncode}")
        self._at_end = False
        for entry in entries(done.stdout.splitlines()):
            self._cursor = entry.cursor
            self._next[self._file_id(entry)] = entry.number + 1
            self._note(entry.cursor)

    def _follow(self, backoff: Backoff) -> None:
        """One child, from its beginning to its end."""
        begin = [f"--cursor={self._cursor}"] if self._cursor else []
        end = [] if self._once else ["--follow"]
        said = ""
        child = subprocess.Popen([*self._program, *begin, *end], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout is not None  # noqa: S101 - it was asked for
        assert child.stderr is not None  # noqa: S101 - it was asked for
        try:
            with child.stdout, child.stderr:
                self._events.connected(self._where)
                self._read(child.stdout.fileno(), backoff)
                if not self._closing:
                    said = _said(child.stderr.read(BLOCK_BYTES))
        finally:
            child.kill()
            status = child.wait()
        if self._closing:
            return
        if status or not self._once:
            raise UnavailableError(said or f"journalctl ended with status {status}")
        self._caught_up = True
        self._context.wake()

    def _read(self, output: int, backoff: Backoff) -> None:
        """Until it ends, or we are to."""
        unfinished, expected = b"", self._cursor
        while not self._closing:
            wanted = [] if self._inbox.full else [output]
            readable, _, _ = select.select([*wanted, self._wake.fileno()], [], [], IDLE_SECONDS)
            self._wake.clear()
            if output not in readable:
                continue
            block = os.read(output, BLOCK_BYTES)
            *lines, unfinished = (unfinished + block).split(b"\n")
            found = list(entries(lines))
            if found:
                self._demand_next(found[0], expected)
                backoff.reset()
                expected = None
                self._hand_out(found)
            if not block:
                return

    def _demand_next(self, first: Entry, expected: str | None) -> None:
        """The first entry has to be the one read last, which is asked for again to see that it is still there."""
        if expected is None or first.cursor == expected:
            return
        journal, number, *_ = (part.partition("=")[2] for part in expected.split(";"))
        missing = first.number - int(number, 16) - 1 if first.journal == journal else 0
        self._events.records_lost(self._where, max(1, missing))

    def _hand_out(self, found: Sequence[Entry]) -> None:
        for file_id, group in groupby(found, self._file_id):
            known = self._next.get(file_id, 0)
            new = [entry for entry in group if entry.number >= known]
            for start in range(0, len(new), self._context.max_records):
                part = new[start : start + self._context.max_records]
                self._next[file_id] = max(entry.number for entry in part) + 1
                numbers = [entry.number for entry in part]
                origin = Origin(file_id, 0, self._where)
                messages = Messages(origin, [entry.record for entry in part], numbers, self._next[file_id])
                self._inbox.put(messages, part[-1].cursor)
        self._cursor = found[-1].cursor

    def _file_id(self, entry: Entry) -> str:
        return f"{self._where}/{entry.journal}"

    # -- the cursor --------------------------------------------------------------------------------------------

    def _note(self, cursor: str) -> None:
        """To be committed with what is read next; only the newest counts."""
        self._cursors += 1
        with suppress(IndexError):
            self._sightings.pop()
        self._sightings.append(Position(Origin(f"{self._where}{CURSOR}", 0, cursor), self._cursors, b""))


def _said(errors: bytes) -> str:
    """The last line of what a program complained of."""
    return errors.decode("utf-8", errors="replace").strip().rpartition("\n")[2]
