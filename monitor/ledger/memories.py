"""What is remembered of keys, as of the last commit: one row a key, written whenever the key was seen."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitor.core.accounting import MemoryChange
from monitor.core.errors import StateError

VERSION = 1
"""Of the states that are put together here (see ``KeyedEncoder``); each memory says of which it is."""

NO_KEY = b"\xff"
"""Stands for the key None; in UTF-8 no text begins so."""

REMEMBER = """
INSERT INTO remembered VALUES (?, ?, ?, ?)
ON CONFLICT (memory, key) DO UPDATE SET seen = excluded.seen, numbers = excluded.numbers
"""

FIND = "SELECT id, seen FROM memories WHERE stream = ? AND name = ?"

FORGET = "DELETE FROM remembered WHERE memory = ? AND key = ?"


def change(connection: sqlite3.Connection, stream: str, changes: Sequence[MemoryChange]) -> None:
    """Write the keys that were seen and delete those that were forgotten."""
    for one in changes:
        memory, seen = _memory(connection, stream, one)
        connection.executemany(FORGET, [(memory, _blob(key)) for key in one.forgotten])
        connection.executemany(REMEMBER, sorted(_rows(memory, seen, one.updated)))  # each page of the file once
        connection.execute("UPDATE memories SET seen = ? WHERE id = ?", (seen + len(one.updated), memory))


def drop(connection: sqlite3.Connection, stream: str, names: Sequence[str]) -> None:
    """Delete these memories."""
    for name in names:
        for memory, _ in connection.execute(FIND, (stream, name)).fetchall():
            connection.execute("DELETE FROM remembered WHERE memory = ?", (memory,))
            connection.execute("DELETE FROM memories WHERE id = ?", (memory,))


def held(connection: sqlite3.Connection, stream: str) -> dict[str, str]:
    """The memories of a stream, and what each was made by."""
    rows = connection.execute("SELECT name, made_by FROM memories WHERE stream = ? ORDER BY name", (stream,))
    return dict(rows.fetchall())


def state(connection: sqlite3.Connection, stream: str, name: str) -> Mapping[str, Any]:
    """The whole of a memory, as an encoder takes it over; the key seen last stands last.

    Raises:
        StateError: the rows hold what no commit ever wrote.
    """
    rows = connection.execute(
        "SELECT version, key, numbers FROM memories JOIN remembered ON memory = id "
        "WHERE stream = ? AND name = ? ORDER BY remembered.seen",
        (stream, name),
    ).fetchall()
    try:
        keys, values = [_key(key) for _, key, _ in rows], [_numbers(numbers) for _, _, numbers in rows]
    except (TypeError, ValueError, struct.error) as error:
        raise StateError(f"remembered keys: a row of the ledger is damaged: {error}") from error
    return {"version": rows[0][0] if rows else VERSION, "keys": keys, "values": values}


def _memory(connection: sqlite3.Connection, stream: str, one: MemoryChange) -> tuple[int, int]:
    """The memory's id, and how many sights of keys were written to it; it is made if it is not there."""
    connection.execute(
        "INSERT INTO memories (stream, name, made_by, version, seen) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
        (stream, one.name, one.made_by, VERSION),
    )
    memory, seen = connection.execute(FIND, (stream, one.name)).fetchone()
    return memory, seen


def _rows(
    memory: int, seen: int, updated: Mapping[str | None, Sequence[float]]
) -> Iterator[tuple[int, bytes, int, bytes]]:
    for number, (key, numbers) in enumerate(updated.items(), seen + 1):
        yield memory, _blob(key), number, struct.pack(f"<{len(numbers)}d", *numbers)


def _blob(key: str | None) -> bytes:
    return NO_KEY if key is None else key.encode("utf-8", "surrogatepass")


def _key(blob: bytes) -> str | None:
    return None if blob == NO_KEY else str(blob, "utf-8", "surrogatepass")


def _numbers(blob: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(blob) // 8}d", blob))
