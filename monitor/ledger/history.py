"""What is kept for people: alerts, newest first, and a bounded ring of dead letters a stream."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from monitor.core.accounting import DeadLetter
from monitor.core.errors import UsageError
from monitor.core.records import Origin

DEAD_LETTERS = "dead_letters"

MAX_DEAD_LETTERS = 1_000
MAX_DEAD_LETTER_BYTES = 1 << 20
"""Of one stream: enough to see what kinds of bad records there are, too little for a flood to fill the disk."""

MAX_TEXT_BYTES = 4_096
"""Of one dead letter."""


def alerts(connection: sqlite3.Connection, stream: str | None, limit: int, since: float | None) -> list[bytes]:
    """The newest alerts as JSON lines, newest first; ``since`` is in seconds since 1970, of the commit."""
    rows = connection.execute(
        "SELECT body FROM outbox WHERE (?1 IS NULL OR stream = ?1) AND (?2 IS NULL OR committed_at >= ?2) "
        "ORDER BY seq DESC LIMIT ?3",
        (stream, since, limit),
    )
    return [body for (body,) in rows]


def alert(connection: sqlite3.Connection, id_prefix: str) -> bytes | None:
    """The newest state of the one alert whose id begins so; None when there is none.

    Raises:
        UsageError: several alerts begin so.
    """
    rows = connection.execute(
        "SELECT id, body FROM outbox WHERE substr(id, 1, ?1) = ?2 AND id >= ?2 ORDER BY seq DESC LIMIT 10",
        (len(id_prefix), id_prefix),
    ).fetchall()
    ids = list(dict.fromkeys(found for found, _ in rows))
    if len(ids) > 1:
        raise UsageError(f"several alerts begin with {id_prefix!r}: {', '.join(sorted(ids))}; give more of the id")
    return rows[0][1] if rows else None


def bury(connection: sqlite3.Connection, stream: str, letters: Sequence[DeadLetter], now: float) -> None:
    """Keep the newest dead letters of a stream, at most ``MAX_DEAD_LETTERS`` and ``MAX_DEAD_LETTER_BYTES``."""
    for letter in letters[-MAX_DEAD_LETTERS:]:
        text = letter.text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]
        reason = letter.reason[:MAX_TEXT_BYTES].encode("utf-8", "replace").decode()
        path = os.fsencode(letter.origin.path)
        connection.execute(
            "INSERT INTO dead_letters (stream, file_id, epoch, offset, path, reason, text, bytes, committed_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stream, letter.origin.file_id, letter.origin.epoch, letter.offset, path, reason,
                text.decode("utf-8", "ignore"), len(text) + len(reason) + len(path), now,
            ),
        )  # fmt: skip
    _trim(connection, stream)


def _trim(connection: sqlite3.Connection, stream: str) -> None:
    """Delete from the oldest on until both caps hold; the newest one always stays."""
    rows = connection.execute("SELECT seq, bytes FROM dead_letters WHERE stream = ? ORDER BY seq DESC", (stream,))
    held = 0
    for index, (seq, size) in enumerate(rows):
        held += size
        if index and (index >= MAX_DEAD_LETTERS or held > MAX_DEAD_LETTER_BYTES):
            connection.execute("DELETE FROM dead_letters WHERE stream = ? AND seq <= ?", (stream, seq))
            return


def dead_letters(connection: sqlite3.Connection, stream: str, limit: int) -> list[DeadLetter]:
    """The newest dead letters of a stream, newest first."""
    rows = connection.execute(
        "SELECT file_id, epoch, path, offset, reason, text FROM dead_letters "
        "WHERE stream = ? ORDER BY seq DESC LIMIT ?",
        (stream, limit),
    )
    return [
        DeadLetter(Origin(file_id, epoch, os.fsdecode(path)), offset, reason, text)
        for file_id, epoch, path, offset, reason, text in rows
    ]
