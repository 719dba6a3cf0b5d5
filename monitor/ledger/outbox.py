"""Alerts waiting for delivery: an append-only list with one cursor a sink. What every sink has is history."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.core.accounting import Release, Resolution
from monitor.core.alerts import Alert

DUPLICATES = "duplicate_alerts"
DROPPED = "dropped_alerts"

SUPPRESSED = "suppressed_by:"
"""Begins the name of what counts the alerts that a rule suppressed."""

SENT = "state NOT IN ('held', 'suppressed')"
"""Which alerts the sinks get."""

BY_STORM = "storm"
"""What suppressed a held alert that was withdrawn."""

PRUNED_PER_ALERT = 4
"""Old rows deleted for each new one: a backlog of old rows shrinks steadily and no commit pays for all of them."""


@dataclass(frozen=True, slots=True)
class Retention:
    """``max_alerts``: kept as history once every sink has them. ``max_pending``: kept for a sink that takes none."""

    max_alerts: int = 100_000
    max_pending: int = 1_000_000


def append(connection: sqlite3.Connection, alerts: Sequence[Alert], now: float) -> int:
    """Add alerts in order; how many were refused because the same alert (id and state) is there already.

    Of files ids are unique by construction, since alerts and progress are committed together: there a repetition is a
    fault of the program. A broker may deliver a message again, and its alert has the same id then. Neither is raised,
    because an error here would stop a stream for good at that record, but counted; whoever receives alerts never gets
    one twice from it.
    """
    inserted = sum(_insert(connection, alert, now) for alert in alerts)
    return len(alerts) - inserted


def _insert(connection: sqlite3.Connection, alert: Alert, now: float) -> int:
    row = connection.execute(
        "INSERT INTO outbox (id, state, stream, committed_at, body) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id, state) DO NOTHING",
        (alert.id, alert.state, alert.stream, now, encoded(alert)),
    )
    if row.rowcount and alert.state == "firing" and alert.episode is not None:
        connection.execute("INSERT INTO firing VALUES (?, ?)", (row.lastrowid, alert.episode.id))
    return row.rowcount


def resolve(connection: sqlite3.Connection, resolutions: Sequence[Resolution], now: float) -> None:
    """Say of alerts that what they told of is over. One that was deleted meanwhile is not told of again."""
    for resolution in resolutions:
        connection.execute("DELETE FROM firing WHERE episode = ?", (resolution.episode.id,))
        body = connection.execute(
            "SELECT body FROM outbox WHERE id = ? AND state = 'firing'", (resolution.episode.id,)
        ).fetchone()
        if body:
            append(connection, [_resolved(msgspec.json.decode(body[0], type=Alert), resolution)], now)


def release(connection: sqlite3.Connection, releases: Sequence[Release], now: float) -> None:
    """Send held alerts, behind all that were committed before."""
    for one in releases:
        alert = _held(connection, one.id)
        if alert:
            append(connection, [_standing(alert, one)], now)


def withdraw(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> None:
    """Keep held alerts as suppressed."""
    for alert_id in ids:
        alert = _held(connection, alert_id)
        if alert:
            append(connection, [msgspec.structs.replace(alert, state="suppressed", suppressed_by=BY_STORM)], now)


def _held(connection: sqlite3.Connection, alert_id: str) -> Alert | None:
    """The held alert of that id, which is held no more."""
    row = connection.execute(
        "DELETE FROM outbox WHERE id = ? AND state = 'held' RETURNING body", (alert_id,)
    ).fetchone()
    return msgspec.json.decode(row[0], type=Alert) if row else None


def _standing(alert: Alert, one: Release) -> Alert:
    """The alert as it is sent now."""
    fired = msgspec.structs.replace(alert, state="firing")
    if one.now is None:
        return fired
    summary = f"{one.now.summary}{alert.summary}"
    return msgspec.structs.replace(fired, count=one.now.count, episode=one.now.episode, summary=summary)


def _resolved(alert: Alert, resolution: Resolution) -> Alert:
    return msgspec.structs.replace(
        alert,
        state="resolved",
        detected_at=resolution.detected_at,
        count=resolution.count,
        episode=resolution.episode,
        summary=resolution.summary,
    )


def encoded(alert: Alert) -> bytes:
    """The alert as one JSON line; text that is not Unicode (file names need not be) is shown with U+FFFD."""
    try:
        return msgspec.json.encode(alert)
    except UnicodeEncodeError:
        return msgspec.json.encode(_unicode(msgspec.to_builtins(alert)))


def _unicode(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        case dict():
            return {_unicode(key): _unicode(item) for key, item in value.items()}
        case list() | tuple():
            return [_unicode(item) for item in value]
        case _:
            return value


def register(connection: sqlite3.Connection, sinks: Sequence[str]) -> None:
    """Give each sink a cursor; one that has none begins at the end, so that a new sink is not sent old history."""
    for sink in sinks:
        connection.execute(
            "INSERT INTO cursors VALUES (?1, ?2, seal(?1, ?2)) ON CONFLICT DO NOTHING", (sink, last(connection))
        )


def cursor(connection: sqlite3.Connection, sink: str) -> int:
    """The last alert a sink has acknowledged; 0 when it never did."""
    row = connection.execute("SELECT seq FROM cursors WHERE sink = ?", (sink,)).fetchone()
    return int(row[0]) if row else 0


def cursors(connection: sqlite3.Connection) -> dict[str, int]:
    """Every sink that ever acknowledged or was registered, and how far it came."""
    return dict(connection.execute("SELECT sink, seq FROM cursors ORDER BY sink").fetchall())


def last(connection: sqlite3.Connection) -> int:
    """The newest sequence number, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])


def pending(
    connection: sqlite3.Connection, sink: str, streams: Sequence[str] | None, limit: int
) -> list[tuple[int, bytes]]:
    """Alerts of these streams (None: of all) behind the sink's cursor, oldest first."""
    return sent_after(connection, cursor(connection, sink), streams, limit)


def sent_after(
    connection: sqlite3.Connection, seq: int, streams: Sequence[str] | None, limit: int
) -> list[tuple[int, bytes]]:
    """Alerts of these streams (None: of all) behind a place in the outbox, oldest first."""
    condition, values = _of(streams)
    rows = connection.execute(
        f"SELECT seq, body FROM outbox WHERE seq > ? AND {SENT} {condition} ORDER BY seq LIMIT ?",  # noqa: S608 - only marks
        (seq, *values, limit),
    )
    return [(seq, body) for seq, body in rows]


def newest(connection: sqlite3.Connection, streams: Sequence[str] | None, limit: int) -> list[tuple[int, bytes]]:
    """The last ``limit`` of them, oldest first."""
    condition, values = _of(streams)
    rows = connection.execute(
        f"SELECT seq, body FROM outbox WHERE {SENT} {condition} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - only marks
        (*values, limit),
    )
    return [(seq, body) for seq, body in rows][::-1]


def firing(connection: sqlite3.Connection, streams: Sequence[str], since: float, limit: int) -> list[bytes]:
    """The newest ``limit`` alerts whose episodes are not over, committed after ``since``, oldest first.

    Records that are told each by themselves have no episode and are not among them.
    """
    condition, values = _of(streams)
    rows = connection.execute(
        f"SELECT body FROM firing JOIN outbox USING (seq) WHERE committed_at > ? {condition} "  # noqa: S608 - only marks
        "ORDER BY seq DESC LIMIT ?",
        (since, *values, limit),
    )
    return [body for (body,) in rows][::-1]


def waiting(connection: sqlite3.Connection, sink: str, streams: Sequence[str] | None) -> tuple[int, float | None]:
    """How many alerts wait for the sink, and when the oldest of them was committed."""
    condition, values = _of(streams)
    count, oldest = connection.execute(
        f"SELECT count(*), min(committed_at) FROM outbox WHERE seq > ? AND {SENT} {condition}",  # noqa: S608 - only marks
        (cursor(connection, sink), *values),
    ).fetchone()
    return count, oldest


def _of(streams: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    if streams is None:
        return "", ()
    return f"AND stream IN ({','.join('?' * len(streams))})", tuple(streams)


def acknowledge(connection: sqlite3.Connection, sink: str, seq: int) -> None:
    """Move the sink's cursor forward; it never moves back."""
    connection.execute(
        "INSERT INTO cursors VALUES (?1, ?2, seal(?1, ?2)) ON CONFLICT (sink) "
        "DO UPDATE SET seq = ?2, seal = excluded.seal WHERE seq < ?2",
        (sink, seq),
    )


def prune(connection: sqlite3.Connection, retention: Retention, sinks: Sequence[str], added: int) -> dict[str, int]:
    """Delete a few of the oldest alerts where there are too many.

    An alert that one of ``sinks`` still waits for goes only beyond ``max_pending``. Returns how many of these were
    dropped, by stream.
    """
    # Asked for one by one, SQLite finds each at once; together it looks through the whole table.
    first = connection.execute("SELECT coalesce(min(seq), 0) FROM outbox").fetchone()[0]
    newest = last(connection)
    step = PRUNED_PER_ALERT * added
    delivered = min((cursor(connection, sink) for sink in sinks), default=newest)
    done = min(newest - retention.max_alerts, first - 1 + step, delivered)
    if done >= first:
        _delete(connection, done)
    lost = min(newest - retention.max_pending, first - 1 + step)
    if lost < first:
        return {}
    dropped = dict(
        connection.execute("SELECT stream, count(*) FROM outbox WHERE seq <= ? GROUP BY stream", (lost,)).fetchall()
    )
    _delete(connection, lost)
    return dropped


def _delete(connection: sqlite3.Connection, seq: int) -> None:
    for table in ("outbox", "firing"):
        connection.execute(f"DELETE FROM {table} WHERE seq <= ?", (seq,))  # noqa: S608 - our own names
