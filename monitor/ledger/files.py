"""Opening the ledger's file: made complete or not at all, checked at every start, never replaced silently."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from monitor.core.clock import Clock
from monitor.core.durable import sync_directory
from monitor.core.errors import CannotCreateError, NoInputError, PermissionDeniedError, StateError
from monitor.ledger import damage, schema, seals
from monitor.ledger.damage import Recovery
from monitor.ledger.errors import DAMAGED_OR_BUSY, LedgerUnavailableError, translated

NAME = "ledger.sqlite3"

BUSY_SECONDS = 5.0
"""How long a write waits for another process (``alerts label``, a backup) before it is reported and tried again."""


def make_directory(directory: Path) -> None:
    """Create the state directory, for the owner alone.

    Raises:
        PermissionDeniedError: the operating system does not let us.
        CannotCreateError: it cannot be made for another reason (a file stands there, no space).
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot create state_dir {directory}: {error.strerror}") from error
    except OSError as error:
        raise CannotCreateError(f"cannot create state_dir {directory}: {error.strerror}") from error


def open_writer(directory: Path, clock: Clock, recovery: Recovery | None = None) -> sqlite3.Connection:
    """The ledger of a directory, made if there is none; the caller holds the directory's lock.

    Raises:
        StateError: it is damaged (and was put aside) and there is no ``recovery``, or it is of a newer version, or no
            ledger at all.
        LedgerUnavailableError: it cannot be read or written now.
    """
    file = directory / NAME
    try:
        return _opened(file, recovery)
    except DAMAGED_OR_BUSY as error:
        found = translated(error, file)
        if isinstance(found, StateError):
            found = damage.put_aside(file, str(error), clock)
        if recovery is None or not isinstance(found, StateError):
            raise found from error
    recovery.tell(found)
    try:
        return _opened(file, recovery)
    except DAMAGED_OR_BUSY as error:
        raise translated(error, file) from error


def _opened(file: Path, recovery: Recovery | None) -> sqlite3.Connection:
    if not file.exists():
        damaged = damage.evidence(file.parent, NAME)
        if damaged and recovery is None:
            raise damage.refuse_after(damaged[-1], NAME)
        _create(file, recovery.note() if damaged and recovery else None)
    return _checked(file)


def open_reader(directory: Path) -> sqlite3.Connection:
    """The ledger for reading only, while a daemon may be writing it. Nothing is created, changed or put aside.

    Raises:
        NoInputError: there is no ledger.
        PermissionDeniedError: it may not be read.
        StateError, LedgerUnavailableError: as for writing.
    """
    file = directory / NAME
    try:
        file.stat()
        connection = _connect(file, "ro")
        schema.require_current(connection)
    except FileNotFoundError as error:
        raise NoInputError(f"there is no ledger at {file}: has a daemon run with this state_dir?") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"may not read {file}: {error.strerror}") from error
    except DAMAGED_OR_BUSY as error:
        found = translated(error, file)
        if isinstance(found, LedgerUnavailableError):
            _require_rights(file)
        raise found from error
    return connection


def _require_rights(file: Path) -> None:
    """Tell a reader that lacks rights from one that has met a fault of the disk.

    Asked and not tried: to open the file and close it again would give up the locks that this process holds on it.

    Raises:
        PermissionDeniedError: a file of the ledger may not be read, or one that has to stand beside it not be made.
    """
    parts = [part for suffix in ("", "-wal", "-shm") if (part := file.with_name(NAME + suffix)).exists()]
    unread = next((part for part in parts if not os.access(part, os.R_OK, effective_ids=True)), None)
    if unread is not None:
        raise PermissionDeniedError(f"may not read {unread}; run this as the daemon's user")
    if len(parts) == 1 and not os.access(file.parent, os.W_OK, effective_ids=True):
        raise PermissionDeniedError(
            f"may not read {file}: while no daemon runs, that takes the right to write in {file.parent}; "
            "run this as the daemon's user"
        )


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    # One connection serves several threads, which take turns by the ledger's lock.
    connection = sqlite3.connect(
        f"file:{quote(str(file.absolute()))}?mode={mode}",
        uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False,
    )  # fmt: skip
    seals.install(connection)
    return connection


def _create(file: Path, note: str | None) -> None:
    """Make the file under another name first: an empty ledger.sqlite3 is then always damage, never a first start."""
    new = file.with_name(NAME + ".new")
    new.unlink(missing_ok=True)
    connection = _connect(new, "rwc")
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        schema.create(connection, note=note)
    finally:
        connection.close()
    new.chmod(0o600)
    new.rename(file)
    sync_directory(file.parent)


def _checked(file: Path) -> sqlite3.Connection:
    if file.stat().st_size == 0:
        raise sqlite3.DatabaseError("the file is empty")
    connection = _connect(file, "rw")
    try:
        _quick_check(connection)
        # WAL: readers do not stop the writer; NORMAL: a power cut may undo the last commits, together with their
        # progress, so that their records are read again; nothing half a commit ever shows.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        schema.migrate(connection)
        # SQLite opens what it may not write, and says so at the first write only.
        connection.executescript("BEGIN IMMEDIATE; UPDATE meta SET value = value; ROLLBACK")
        _demand_sealed(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _quick_check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _demand_sealed(connection: sqlite3.Connection) -> None:
    if (table := seals.broken(connection)) is not None:
        raise sqlite3.DatabaseError(f"a row of its table {table} is not as it was committed")
