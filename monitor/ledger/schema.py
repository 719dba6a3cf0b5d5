"""The tables, and how a file of an older version becomes one of this version.

The integer key of ``outbox`` only grows, so that a commit touches the last page alone: with random keys every commit
dirtied pages all over the file, and under a crash loop nothing progressed. Tables with other keys (files, counters,
cursors) have few rows; only ``remembered`` has as many as there are keys remembered, and a commit writes those it saw.
Device and inode numbers are text: they are unsigned 64-bit, SQLite's integers are signed.
Paths are blobs: file names need not be UTF-8.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

from monitor.core.errors import StateError

VERSION = 2

MEMORIES = """
CREATE TABLE memories (
  id INTEGER PRIMARY KEY, stream TEXT NOT NULL, name TEXT NOT NULL, made_by TEXT NOT NULL,
  version INTEGER NOT NULL, seen INTEGER NOT NULL, UNIQUE (stream, name)
);
CREATE TABLE remembered (
  memory INTEGER NOT NULL, key BLOB NOT NULL, seen INTEGER NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (memory, key)
) WITHOUT ROWID;
"""

TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
  stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
  marker BLOB NOT NULL, tail_bytes INTEGER NOT NULL, head BLOB NOT NULL,
  device TEXT NOT NULL, inode TEXT NOT NULL, path BLOB NOT NULL, committed_at REAL NOT NULL,
  PRIMARY KEY (stream, file_id)
) WITHOUT ROWID;
CREATE TABLE counters (
  stream TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, state TEXT NOT NULL,
  stream TEXT NOT NULL, committed_at REAL NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX outbox_id ON outbox (id, state);
CREATE INDEX outbox_stream ON outbox (stream, seq);
CREATE TABLE cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL,
  offset INTEGER NOT NULL, path BLOB NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,
  bytes INTEGER NOT NULL, committed_at REAL NOT NULL
);
CREATE INDEX dead_letters_stream ON dead_letters (stream, seq, bytes);
{MEMORIES}
"""

MIGRATIONS: Mapping[int, str] = MappingProxyType({1: MEMORIES})
"""``MIGRATIONS[n]`` turns a file of version n into one of version n + 1."""


def create(connection: sqlite3.Connection, version: int = VERSION) -> None:
    """Make all tables in an empty file, in one transaction."""
    connection.executescript(f"BEGIN IMMEDIATE; {TABLES}")
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(version),))
    connection.execute("COMMIT")


def migrate(connection: sqlite3.Connection, target: int = VERSION, migrations: Mapping[int, str] = MIGRATIONS) -> None:
    """Bring the file to ``target``, one version a transaction, so that a crash leaves a complete older or newer one.

    Raises:
        StateError: the file is not a ledger, or of a newer version than this program knows.
        sqlite3.Error: the file cannot be written; it is of the last version that was completed.
    """
    version = stored_version(connection)
    if version > target:
        raise StateError(
            f"the ledger has schema version {version}, this program knows up to {target}: "
            "install the newer program again, or restore the state directory from before its upgrade"
        )
    for step in range(version, target):
        connection.executescript(f"BEGIN IMMEDIATE; {migrations[step]}")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(step + 1),))
        connection.execute("COMMIT")


def require_current(connection: sqlite3.Connection) -> None:
    """For those who may not change the file: StateError unless it is of this program's version."""
    if (version := stored_version(connection)) != VERSION:
        raise StateError(
            f"the ledger has schema version {version}, this program reads {VERSION}: "
            "use the program of the daemon that writes it, or start the newer daemon once"
        )


def stored_version(connection: sqlite3.Connection) -> int:
    """The schema version the file says it has; StateError when it says none."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
        return int(row[0])
    except (sqlite3.OperationalError, TypeError, ValueError) as error:
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
            raise  # it could not be read at all, which says nothing of what it is
        raise StateError(f"the file is a database but not a ledger: {error}") from error
