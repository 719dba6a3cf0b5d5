"""The tables, and how a file of an older version becomes one of this version.

The integer key of ``outbox`` only grows, so that a commit touches the last page alone: with random keys every commit
dirtied pages all over the file, and under a crash loop nothing progressed. Tables with other keys (files, ranges,
counters, cursors) have few rows; only ``remembered`` has as many as there are keys remembered, and a commit writes
those it saw.
Device and inode numbers are text: they are unsigned 64-bit, SQLite's integers are signed.
Paths are blobs: file names need not be UTF-8.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

from monitor.core.errors import StateError
from monitor.ledger import progress
from monitor.ledger.seals import SEALED, reseal

VERSION = 5

MEMORIES = """
CREATE TABLE memories (
  id INTEGER PRIMARY KEY, stream TEXT NOT NULL, name TEXT NOT NULL, made_by TEXT NOT NULL,
  version INTEGER NOT NULL, seen INTEGER NOT NULL, UNIQUE (stream, name)
);
CREATE TABLE remembered (
  memory INTEGER NOT NULL, key BLOB NOT NULL, seen INTEGER NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (memory, key)
) WITHOUT ROWID;
"""

FILES = """
CREATE TABLE files (
  stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
  marker BLOB NOT NULL, tail_bytes INTEGER NOT NULL, head BLOB NOT NULL,
  device TEXT NOT NULL, inode TEXT NOT NULL, path BLOB NOT NULL, committed_at REAL NOT NULL,
  marks BLOB NOT NULL DEFAULT x'', seal BLOB NOT NULL, PRIMARY KEY (stream, file_id)
) WITHOUT ROWID;
"""
COUNTERS = """
CREATE TABLE counters (
  stream TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, seal BLOB NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
"""
CURSORS = "CREATE TABLE cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID;"
RANGES = """
CREATE TABLE ranges (
  stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
  read INTEGER NOT NULL, scored INTEGER NOT NULL, unparsed INTEGER NOT NULL, filtered INTEGER NOT NULL,
  sampled_out INTEGER NOT NULL, marker BLOB NOT NULL, tail_bytes INTEGER NOT NULL, seal BLOB NOT NULL,
  PRIMARY KEY (stream, file_id, epoch, start)
) WITHOUT ROWID;
"""
LIMIT_CHANGES = """
CREATE TABLE limit_changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, committed_at REAL NOT NULL,
  old REAL NOT NULL, new REAL NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX limit_changes_stream ON limit_changes (stream, seq);
"""
FIRING = """
CREATE TABLE firing (seq INTEGER PRIMARY KEY, episode TEXT NOT NULL);
CREATE INDEX firing_episode ON firing (episode);
"""

TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
{FILES}
{COUNTERS}
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, state TEXT NOT NULL,
  stream TEXT NOT NULL, committed_at REAL NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX outbox_id ON outbox (id, state);
CREATE INDEX outbox_stream ON outbox (stream, seq);
{CURSORS}
CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL,
  offset INTEGER NOT NULL, path BLOB NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,
  bytes INTEGER NOT NULL, committed_at REAL NOT NULL
);
CREATE INDEX dead_letters_stream ON dead_letters (stream, seq, bytes);
{MEMORIES}
{RANGES}
{LIMIT_CHANGES}
{FIRING}
"""


def _sealed(table: str, definition: str) -> str:
    """Make a table anew with its seals; its other columns are those it had."""
    columns = SEALED[table].removesuffix(", marks")  # which no older version had
    copy = f"INSERT INTO {table} ({columns}, seal) SELECT {columns}, x'' FROM unsealed"  # noqa: S608 - our own names
    return f"ALTER TABLE {table} RENAME TO unsealed; {definition} {copy}; DROP TABLE unsealed; {reseal(table)};"


SETTLED = """
INSERT INTO counters SELECT stream, 'settled_' || name, value FROM counters
  WHERE name IN ('read', 'scored', 'unparsed', 'filtered', 'sampled_out', 'bytes');
"""
"""What was counted before ranges were kept is settled: it cannot be proven any more, but the sums go on."""

SEALS = "".join(
    [SETTLED, *map(_sealed, ("files", "counters", "cursors"), (FILES, COUNTERS, CURSORS)), RANGES, LIMIT_CHANGES]
)

FINGERPRINTS = f"UPDATE files SET head = fingerprint(head); {reseal('files')};"  # noqa: S608 - our own names
"""Until then the first bytes of each file stood in the ledger as they are."""

MIGRATIONS: Mapping[int, str] = MappingProxyType({1: MEMORIES, 2: SEALS, 3: FIRING, 4: FINGERPRINTS})
"""``MIGRATIONS[n]`` turns a file of version n into one of version n + 1. Texts they share with ``TABLES`` are frozen:
whoever changes one of those tables gives the migration a copy of the old text."""


def create(connection: sqlite3.Connection, version: int = VERSION, *, note: str | None = None) -> None:
    """Make all tables in an empty file, in one transaction; ``note`` says how a ledger after damage begins."""
    connection.executescript(f"BEGIN IMMEDIATE; {TABLES}")
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(version),))
    if note is not None:
        connection.execute("INSERT INTO meta VALUES ('after_damage', ?)", (note,))
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
    if version == target:
        return
    connection.create_function("fingerprint", 1, progress.fingerprint, deterministic=True)
    connection.execute("PRAGMA secure_delete = ON")  # what a version no longer keeps is not left behind in the file
    for step in range(version, target):
        connection.executescript(f"BEGIN IMMEDIATE; {migrations[step]}")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(step + 1),))
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA secure_delete = OFF")


def note_after_damage(connection: sqlite3.Connection) -> str | None:
    """The note the ledger was made with, None for one that began as usual."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'after_damage'").fetchone()
    return str(row[0]) if row else None


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
