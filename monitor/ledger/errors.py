"""What can go wrong with the ledger, told apart by what its caller can do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from monitor.core.errors import AemonitorError, StateError, UnavailableError


class LedgerUnavailableError(UnavailableError):
    """Nothing was committed: the disk is full or fails, or another program holds the file. Call again with the same."""


class ProgressError(AemonitorError):
    """A position would move backwards: a fault of the program, stopped before it makes a record count twice."""


TRANSIENT = frozenset(
    {"SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM",
     "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT"}
)  # fmt: skip
"""Results of SQLite after which the file is as good as before; all others mean that its content is not what it was."""


FAULTS = (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)
"""Errors of SQLite that are ours: they are not translated, so that they are seen."""


DAMAGED_OR_BUSY = (sqlite3.Error, UnicodeDecodeError)
"""What using the file may raise; the latter when a damaged file makes SQLite name things in no encoding at all."""


def translated(error: Exception, file: Path) -> AemonitorError:
    """The error of SQLite as one of ours: try again, or do not trust the file."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if "_".join(name.split("_")[:2]) in TRANSIENT:
        return LedgerUnavailableError(
            f"cannot use {file} now: {error} ({name}); nothing is lost, it will be tried again. "
            "Check free space and that the directory can be written"
        )
    return StateError(
        f"{file} cannot be trusted: {error} ({name or type(error).__name__}); stop the daemon and check it"
    )
