"""What is kept for people: alerts, newest first, and a bounded ring of dead letters a stream."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from monitor.core.accounting import DeadLetter
from monitor.core.errors import UsageError
from monitor.core.records import Origin
from monitor.ledger.outbox import SENT

DEAD_LETTERS = "dead_letters"

MAX_DEAD_LETTERS = 1_000
MAX_DEAD_LETTER_BYTES = 1 << 20
"""Of one stream: enough to see what kinds of bad records there are, too little for a flood to fill the disk."""

MAX_TEXT_BYTES = 4_096
"""Of one dead letter."""

MAX_LOOKED_AT = 10_000
"""Alerts that one page of episodes is chosen from, whatever is asked for: a quarter of a second."""

FIRST_LOOKED_AT = 500
"""So many are enough for most pages."""

Which = Literal["sent", "suppressed", "all"]
STATES: dict[Which, str] = {"sent": SENT, "suppressed": "state = 'suppressed'", "all": "state <> 'held'"}
"""Which alerts are asked for, as SQL."""

SEVERITY, EPISODE = (f"json_extract(CAST(body AS TEXT), '$.{name}')" for name in ("severity", "episode.id"))
EPISODES = f"""
WITH record AS (
  SELECT seq, id, body, state = 'suppressed' AS hushed, {SEVERITY} AS severity, {EPISODE} AS episode FROM outbox
  WHERE seq >= :floor AND seq < :ceiling AND state IN ('firing', 'suppressed') AND (:stream IS NULL OR stream = :stream)
), worse AS MATERIALIZED (
  SELECT seq, episode, severity FROM record WHERE id <> episode AND NOT hushed
), told AS (
  SELECT seq, body, hushed, episode IS NOT NULL AS lasting,
    coalesce((SELECT severity FROM worse WHERE episode = id ORDER BY seq DESC LIMIT 1), severity) AS severity,
    (SELECT body FROM outbox AS over WHERE over.id = record.id AND over.state = 'resolved') AS resolved
  FROM record WHERE seq < :before AND (episode IS NULL OR episode = id)
), stated AS (
  SELECT *, CASE WHEN hushed THEN 'suppressed' WHEN resolved IS NOT NULL THEN 'resolved'
    WHEN lasting THEN 'firing' ELSE 'record' END AS state
  FROM told
)
SELECT seq, state, severity, body, resolved FROM stated
WHERE CASE WHEN :state IS NULL THEN state <> 'suppressed' ELSE state = :state END
  AND (:severity IS NULL OR severity = :severity)
ORDER BY seq DESC LIMIT :limit
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which episodes to list, None being any, and with ``before`` what comes behind the page that ended there.

    ``state`` is that of ``ToldEpisode``; those that were suppressed are listed only where they are asked for.
    """

    stream: str | None = None
    state: str | None = None
    severity: str | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ToldEpisode:
    """An episode as it was told: its first alert, and the one that said it is over, both as JSON.

    ``state`` is firing, resolved, record where a record was told by itself, or suppressed where nobody was told.
    ``severity`` is the worst it was told with.
    """

    state: str
    severity: str
    first: bytes
    resolved: bytes | None


@dataclass(frozen=True, slots=True)
class EpisodePage:
    """Some episodes, newest first; ``before`` is where the next page begins, None behind the last one.

    A page may be empty and not the last: only so many alerts are looked at for one.
    """

    episodes: Sequence[ToldEpisode]
    before: int | None


def alerts(
    connection: sqlite3.Connection, stream: str | None, limit: int, since: float | None, which: Which = "sent"
) -> list[bytes]:
    """The newest alerts as JSON lines, newest first; ``since`` is in seconds since 1970, of the commit."""
    rows = connection.execute(
        "SELECT body FROM outbox WHERE (?1 IS NULL OR stream = ?1) AND (?2 IS NULL OR committed_at >= ?2) "  # noqa: S608
        f"AND {STATES[which]} ORDER BY seq DESC LIMIT ?3",
        (stream, since, limit),
    )
    return [body for (body,) in rows]


def episodes(connection: sqlite3.Connection, wanted: Wanted) -> EpisodePage:
    """What was told, newest first, each episode once however often it was told of."""
    oldest, newest = connection.execute("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM outbox").fetchone()
    before = newest + 1 if wanted.before is None else min(wanted.before, newest + 1)
    floor: int = before
    rows: list[Any] = []
    for looked_at in (FIRST_LOOKED_AT, MAX_LOOKED_AT):
        if len(rows) < wanted.limit and floor > oldest:
            floor = max(oldest, before - looked_at)
            rows = _told_between(connection, wanted, floor, before)
    last = rows[-1][0] if len(rows) == wanted.limit else floor
    return EpisodePage([ToldEpisode(*row[1:]) for row in rows], last if last > oldest else None)


def _told_between(connection: sqlite3.Connection, wanted: Wanted, floor: int, before: int) -> list[Any]:
    given = {
        "floor": floor, "before": before, "ceiling": before + MAX_LOOKED_AT, "limit": wanted.limit,
        "stream": wanted.stream, "state": wanted.state, "severity": wanted.severity,
    }  # fmt: skip
    return connection.execute(EPISODES, given).fetchall()


def told(connection: sqlite3.Connection, alert_id: str) -> tuple[bytes, bytes | None, bytes | None] | None:
    """An alert as it was told, that its episode is over, and the last alert that told it is worse; None: there is none.

    Whether it became worse is looked for among the ``MAX_LOOKED_AT`` alerts behind it.
    """
    first = connection.execute(
        f"SELECT seq, stream, body, coalesce({EPISODE}, id) FROM outbox "  # noqa: S608 - our own names
        "WHERE id = ? AND state IN ('firing', 'suppressed')",
        (alert_id,),
    ).fetchone()
    if first is None:
        return None
    seq, stream, body, episode = first
    over = connection.execute("SELECT body FROM outbox WHERE id = ? AND state = 'resolved'", (episode,)).fetchone()
    worse = connection.execute(
        f"SELECT body FROM outbox WHERE seq > ? AND seq < ? AND state = 'firing' AND stream = ? AND {EPISODE} = ? "  # noqa: S608
        "ORDER BY seq DESC LIMIT 1",
        (seq, seq + MAX_LOOKED_AT, stream, alert_id),
    ).fetchone()
    return body, over and over[0], worse and worse[0]


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
