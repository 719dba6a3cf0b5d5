"""How the limits of streams moved: the newest changes of each, kept for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.accounting import LimitChange

MAX_CHANGES = 1_000
"""Of one stream. A limit moves four times a day at most: this is most of a year."""


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change, and when it was committed, in seconds since 1970."""

    time: float
    change: LimitChange


def add(connection: sqlite3.Connection, stream: str, changes: Sequence[LimitChange], now: float) -> None:
    """Keep these changes; the oldest ones go when there are too many."""
    connection.executemany(
        "INSERT INTO limit_changes (stream, committed_at, old, new, reason) VALUES (?, ?, ?, ?, ?)",
        [(stream, now, change.old, change.new, change.reason) for change in changes],
    )
    connection.execute(
        "DELETE FROM limit_changes WHERE stream = ?1 AND seq <= "
        "(SELECT seq FROM limit_changes WHERE stream = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        (stream, MAX_CHANGES),
    )


def newest(connection: sqlite3.Connection, stream: str, limit: int) -> list[PastChange]:
    """The newest changes of a stream, newest first."""
    rows = connection.execute(
        "SELECT committed_at, old, new, reason FROM limit_changes WHERE stream = ? ORDER BY seq DESC LIMIT ?",
        (stream, limit),
    )
    return [PastChange(time, LimitChange(*change)) for time, *change in rows]
