"""The ledger as its users see it: commit outcomes, resume files, drain the outbox, look at history."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from monitor.core.accounting import Counts, DeadLetter, FileState, Memory, Outcome, Position
from monitor.core.clock import DAY_SECONDS, Clock, SystemClock
from monitor.core.errors import CannotCreateError, PermissionDeniedError
from monitor.ledger import accounts, damage, files, history, limits, memories, outbox, progress, ranges, schema, seals
from monitor.ledger.accounts import StreamAccount
from monitor.ledger.damage import Recovery
from monitor.ledger.errors import DAMAGED_OR_BUSY, FAULTS, translated
from monitor.ledger.limits import PastChange
from monitor.ledger.lock import DirectoryLock
from monitor.ledger.outbox import Retention

FORGET_SECONDS = 7 * DAY_SECONDS
"""How long the place in a file that is gone is kept: it may be on a disk that is not mounted."""


class Ledger:
    """The durable state of one state directory.

    Any thread may call any method: one connection and one lock serve them all, since a commit takes a fraction of a
    millisecond and senders read a few alerts at a time. A reader in another process never waits for a writer.
    ``close`` may be called twice; nothing else may be called after it.
    """

    def __init__(
        self, file: Path, connection: sqlite3.Connection, lock: DirectoryLock | None, clock: Clock, retention: Retention
    ) -> None:
        self._file = file
        self._connection = connection
        self._directory_lock = lock
        self._clock = clock
        self._retention = retention
        self._turn = threading.Lock()
        self._sinks: tuple[str, ...] = ()
        self._closed = False

    @classmethod
    def open(
        cls,
        state_dir: Path,
        *,
        read_only: bool = False,
        clock: Clock | None = None,
        retention: Retention | None = None,
        recovery: Recovery | None = None,
    ) -> Ledger:
        """Open the ledger of a directory, making both if they are not there.

        ``read_only`` takes no lock and works beside a running daemon. With ``recovery`` a damaged ledger is put aside
        and a new one begun; without, that is an error.

        Raises:
            TryLaterError: another process holds the directory.
            PermissionDeniedError, CannotCreateError: the directory or its files cannot be made or used.
            NoInputError: ``read_only`` and there is no ledger.
            StateError: the ledger is damaged (it was put aside) or of another version.
            LedgerUnavailableError: the disk is full or fails.
        """
        clock, retention = clock or SystemClock(), retention or Retention()
        file = state_dir / files.NAME
        if read_only:
            return cls(file, files.open_reader(state_dir), None, clock, retention)
        files.make_directory(state_dir)
        lock = _locked(state_dir)
        try:
            return cls(file, files.open_writer(state_dir, clock, recovery), lock, clock, retention)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Make everything durable, also against a power cut, and give the directory up."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            try:
                if self._directory_lock is not None:
                    self._connection.execute("PRAGMA synchronous = FULL")
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                # The log is on the disk by now; merging it needs room and is done at the next start just as well.
                if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL":
                    raise translated(error, self._file) from error
            finally:
                self._connection.close()
                if self._directory_lock is not None:
                    self._directory_lock.release()

    # -- progress ----------------------------------------------------------------------------------------------

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Make outcomes durable in one transaction: all of them or, on any error, none.

        Raises:
            LedgerUnavailableError: the disk is full or fails; call again with the same outcomes later.
            ProgressError: a position lies before what is committed, or bytes would count twice; a fault of the program.
            StateError: the file is damaged.
        """
        now = self._clock.now()
        with self._transaction() as connection:
            for outcome in outcomes:
                self._commit_one(connection, outcome, now)

    def _commit_one(self, connection: sqlite3.Connection, outcome: Outcome, now: float) -> None:
        progress.advance(connection, outcome.stream, outcome.positions, now)
        progress.add(connection, outcome.stream, outcome.counts)
        ranges.add(connection, outcome)
        if outcome.alerts:
            duplicates = outbox.append(connection, outcome.alerts, now)
            progress.add_one(connection, outcome.stream, outbox.DUPLICATES, duplicates)
            dropped = outbox.prune(connection, self._retention, self._sinks, len(outcome.alerts))
            for stream, count in dropped.items():
                progress.add_one(connection, stream, outbox.DROPPED, count)
        for rule, count in outcome.suppressed.items():
            progress.add_one(connection, outcome.stream, f"{outbox.SUPPRESSED}{rule}", count)
        outbox.withdraw(connection, outcome.withdrawn, now)
        outbox.release(connection, outcome.released, now)
        outbox.resolve(connection, outcome.resolved, now)
        if outcome.dead_letters:
            history.bury(connection, outcome.stream, outcome.dead_letters, now)
            progress.add_one(connection, outcome.stream, history.DEAD_LETTERS, len(outcome.dead_letters))
        memories.drop(connection, outcome.stream, outcome.dropped)
        memories.change(connection, outcome.stream, outcome.memories)
        if outcome.limit_changes:
            limits.add(connection, outcome.stream, outcome.limit_changes, now)

    def resume(self, stream: str) -> list[FileState]:
        """What is known of the stream's files; empty means that it has never committed anything."""
        with self._query() as connection:
            return progress.resume(connection, stream)

    def begin(self, stream: str) -> Literal["beginning", "end"] | None:
        """Where a stream without any progress is to begin, if this ledger replaced a damaged one.

        Raises:
            StateError: what was noted of it is damaged.
        """
        with self._query() as connection:
            return damage.begin_of(schema.note_after_damage(connection), stream)

    def forget(self, stream: str, file_ids: Sequence[str], *, idle_seconds: float = FORGET_SECONDS) -> int:
        """Drop what is known of files that are gone, unless they were committed to lately; how many were dropped.

        Their records stay in the totals.
        """
        with self._transaction() as connection:
            dropped = progress.forget(connection, stream, file_ids, self._clock.now() - idle_seconds)
            ranges.settle_files(connection, stream, dropped)
        return len(dropped)

    def place(self, stream: str, positions: Sequence[Position]) -> None:
        """Go on at these places from now on, without having read what lies before them.

        Raises:
            ProgressError: one lies before what is committed in the same epoch.
        """
        with self._transaction() as connection:
            progress.advance(connection, stream, positions, self._clock.now())
            for position in positions:
                ranges.put(connection, stream, position, position.offset, Counts())

    def forget_memories(self, stream: str) -> None:
        """Drop what the stream remembers of keys."""
        with self._transaction() as connection:
            memories.drop(connection, stream, list(memories.held(connection, stream)))

    def account(self, stream: str) -> StreamAccount:
        """Everything that was counted of a stream, file by file, at one moment."""
        with self._snapshot() as connection:
            return accounts.of_stream(connection, stream)

    def broken_table(self) -> str | None:
        """A table with a row that is not as it was committed; None when all are sound."""
        with self._snapshot() as connection:
            return seals.broken(connection)

    def streams(self) -> list[str]:
        """The names of all streams that ever committed anything."""
        with self._query() as connection:
            return progress.streams(connection)

    def counts(self, stream: str) -> Counts:
        """The stream's totals since the ledger was made."""
        return progress.counted(self._totals(stream))

    def duplicate_alerts(self, stream: str) -> int:
        """Alerts that were committed twice and refused the second time; of files, any is a fault of the program."""
        return self._totals(stream).get(outbox.DUPLICATES, 0)

    def dropped_alerts(self, stream: str) -> int:
        """Alerts deleted before every sink had taken them, because a sink has been down for very long."""
        return self._totals(stream).get(outbox.DROPPED, 0)

    def suppressed(self, stream: str) -> dict[str, int]:
        """Alerting records that each rule suppressed."""
        totals, prefix = self._totals(stream), outbox.SUPPRESSED
        return {name.removeprefix(prefix): count for name, count in totals.items() if name.startswith(prefix)}

    def dead_letter_count(self, stream: str) -> int:
        """Dead letters ever committed; only the newest are kept."""
        return self._totals(stream).get(history.DEAD_LETTERS, 0)

    def _totals(self, stream: str) -> dict[str, int]:
        with self._query() as connection:
            return progress.totals(connection, stream)

    def memories(self, stream: str) -> dict[str, Memory]:
        """What the stream remembers of keys as of the last commit, by name; each is read when it is asked for."""
        with self._query() as connection:
            held = memories.held(connection, stream)
        return {name: Memory(made_by, partial(self._memory, stream, name)) for name, made_by in held.items()}

    def limit_changes(self, stream: str, limit: int = limits.MAX_CHANGES) -> list[PastChange]:
        """How the stream's limit moved, newest first."""
        with self._query() as connection:
            return limits.newest(connection, stream, limit)

    def _memory(self, stream: str, name: str) -> Mapping[str, Any]:
        with self._query() as connection:
            return memories.state(connection, stream, name)

    # -- outbox ------------------------------------------------------------------------------------------------

    def register(self, sinks: Sequence[str]) -> None:
        """Name the sinks there are now. Call before alerts are committed that they are to get.

        A sink seen for the first time begins with the next alert; one seen before goes on where it was. History is
        kept until all of these have it; others no longer hold it back.
        """
        with self._transaction() as connection:
            outbox.register(connection, sinks)
        self._sinks = tuple(sinks)

    def pending(self, sink: str, streams: Sequence[str] | None = None, limit: int = 256) -> list[tuple[int, bytes]]:
        """Alerts the sink has not acknowledged, in commit order; of ``streams`` only, if they are given.

        A sink that was never registered begins at the oldest alert kept.
        """
        with self._query() as connection:
            found = outbox.pending(connection, sink, streams, limit)
            newest = outbox.last(connection)
            passed = not found and outbox.cursor(connection, sink) < newest
        if passed:  # only alerts of other streams: step over them, so that they do not count as waiting
            self.acknowledge(sink, newest)
        return found

    def newest(self, streams: Sequence[str] | None, limit: int) -> list[tuple[int, bytes]]:
        """The last ``limit`` alerts that were told, of ``streams`` only if they are given, each with its place."""
        with self._query() as connection:
            return outbox.newest(connection, streams, limit)

    def sent_after(self, sequence: int, streams: Sequence[str] | None, limit: int = 256) -> list[tuple[int, bytes]]:
        """The first ``limit`` of those that stand behind a place."""
        with self._query() as connection:
            return outbox.sent_after(connection, sequence, streams, limit)

    def acknowledge(self, sink: str, sequence: int) -> None:
        """The sink has taken everything up to and including ``sequence``. Never moves back."""
        with self._transaction() as connection:
            outbox.acknowledge(connection, sink, sequence)

    def firing(self, streams: Sequence[str], *, within_seconds: float, limit: int) -> list[bytes]:
        """The newest alerts of these streams that told of episodes which are not over, oldest first.

        Only those committed in the last ``within_seconds``, and ``limit`` at most.
        """
        with self._query() as connection:
            return outbox.firing(connection, streams, self._clock.now() - within_seconds, limit)

    def pending_count(self, sink: str, streams: Sequence[str] | None = None) -> int:
        """How many alerts wait for the sink."""
        return self.outbox_state(sink, streams)[0]

    def oldest_pending_seconds(self, sink: str, streams: Sequence[str] | None = None) -> float:
        """How long the oldest of them has waited; 0 when none does."""
        return self.outbox_state(sink, streams)[1]

    def outbox_state(self, sink: str, streams: Sequence[str] | None = None) -> tuple[int, float]:
        """``pending_count`` and ``oldest_pending_seconds`` at one moment."""
        with self._query() as connection:
            count, oldest = outbox.waiting(connection, sink, streams)
        return count, 0.0 if oldest is None else max(0.0, self._clock.now() - oldest)

    def sinks(self) -> list[str]:
        """Every sink that has a place in the outbox, configured or not."""
        with self._query() as connection:
            return list(outbox.cursors(connection))

    # -- history -----------------------------------------------------------------------------------------------

    def alerts(
        self,
        stream: str | None = None,
        limit: int = 100,
        since: float | None = None,
        which: history.Which = "sent",
    ) -> list[bytes]:
        """Alerts as JSON lines, newest first; ``since`` in seconds since 1970, by the time of their commit."""
        with self._query() as connection:
            return history.alerts(connection, stream, limit, since, which)

    def alert(self, id_prefix: str) -> bytes | None:
        """The alert whose id begins so, None if there is none; UsageError if several do."""
        with self._query() as connection:
            return history.alert(connection, id_prefix)

    def episodes(self, wanted: history.Wanted) -> history.EpisodePage:
        """A page of what was told, newest first, each episode once."""
        with self._query() as connection:
            return history.episodes(connection, wanted)

    def told(self, alert_id: str) -> tuple[bytes, bytes | None, bytes | None] | None:
        """An alert, that its episode is over, and the last alert that told it is worse; None if there is none."""
        with self._snapshot() as connection:
            return history.told(connection, alert_id)

    def dead_letters(self, stream: str, limit: int = 100) -> list[DeadLetter]:
        """Records that could not be parsed, newest first."""
        with self._query() as connection:
            return history.dead_letters(connection, stream, limit)

    # -- one connection for all threads ------------------------------------------------------------------------

    @contextmanager
    def _query(self) -> Generator[sqlite3.Connection, None, None]:
        with self._turn:
            try:
                yield self._connection
            except FAULTS:
                raise
            except DAMAGED_OR_BUSY as error:
                raise translated(error, self._file) from error

    @contextmanager
    def _snapshot(self) -> Generator[sqlite3.Connection, None, None]:
        """Several queries that see the file as of one moment, whatever is committed meanwhile."""
        with self._query() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        """All or nothing: whatever goes wrong inside, the file is as before and the next call may try again."""
        with self._query() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # after some errors SQLite has already rolled back
                    connection.execute("ROLLBACK")
                raise


def _locked(state_dir: Path) -> DirectoryLock:
    try:
        return DirectoryLock(state_dir)
    except PermissionError as error:
        raise PermissionDeniedError(f"may not write in state_dir {state_dir}: {error.strerror}") from error
    except OSError as error:
        raise CannotCreateError(f"cannot make {state_dir / 'lock'}: {error.strerror}") from error
