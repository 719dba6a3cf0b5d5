"""Every row that decides what is read, counted or delivered carries a hash of itself: no flipped bit moves a place.

SQLite's own check sees a broken page, not a wrong number in a sound one; and a wrong offset or cursor would skip what
nobody has read.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

SEAL_BYTES = 8

SEALED: Mapping[str, str] = MappingProxyType(
    {
        "files": "stream, file_id, epoch, offset, marker, tail_bytes, head, device, inode, path, committed_at, marks",
        "ranges": "stream, file_id, epoch, start, stop, read, scored, unparsed, filtered, sampled_out, "
        "marker, tail_bytes",
        "counters": "stream, name, value",
        "cursors": "sink, seq",
    }
)
"""The tables that are sealed, and what their column ``seal`` is made of, in this order."""


def seal(*values: str | bytes | float | None) -> bytes:
    """The hash of a row's values as SQLite holds them.

    >>> seal("web", 1) == seal("web", 1), seal("web", 1) == seal("web", 2), len(seal())
    (True, False, 8)
    """
    text = repr(values).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=SEAL_BYTES).digest()


def install(connection: sqlite3.Connection) -> None:
    """Make ``seal(...)`` known to the statements of this connection."""
    connection.create_function("seal", -1, seal, deterministic=True)


def reseal(table: str) -> str:
    """The statement that seals every row of a table as it stands; for migrations."""
    return f"UPDATE {table} SET seal = seal({SEALED[table]})"  # noqa: S608 - names of our own tables


def broken(connection: sqlite3.Connection) -> str | None:
    """The first table with a row that is not as it was committed; None when all are."""
    for table, columns in SEALED.items():
        query = f"SELECT count(*) FROM {table} WHERE seal IS NOT seal({columns})"  # noqa: S608 - our own names
        if connection.execute(query).fetchone()[0]:
            return table
    return None
