"""A made-up shop over weeks: it rises and falls by hour and weekday, grows by a hundredth a day, and is attacked twice.

Requests as those of `aemonitor data requests`, but denser: the hours of many of its days fall into one of ours.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.arrays import F64, I64
from monitor.core.clock import DAY_SECONDS
from monitor.datasets.requests import BROWSERS, HOSTS, requests

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""Midnight before day 1, a Monday."""

DRIFT = 1.01
"""So many times as much, each day: records, bytes and milliseconds."""
DRIFTING = ("bytes", "request_bytes", "duration_ms")
FIELDS = ("time", "client", "host", "method", "path", "status", "agent", "cached", *DRIFTING)

WEEK = (1.0, 1.05, 1.05, 1.0, 0.95, 0.6, 0.5)
"""Traffic from Monday to Sunday."""

SCANNER, SCANNED_ON, PROBES, SCAN_SECONDS = "192.0.2.66", 11, 600, 1200.0
PROBED = ("/.env", "/.git/config", "/wp-login.php", "/admin/", "/phpmyadmin/", "/cgi-bin/status", "/backup.zip", "/api")
PROBER = "python-requests/2.32"
"""A stranger looks for what should not be there: every two seconds for twenty minutes, and is sent away."""

INSIDER, STOLEN_ON, TAKEN, THEFT_SECONDS = "203.0.114.10", 22, 144, 6 * 3600.0
EXPORT, EXPORT_BYTES, EXPORT_TIMES, EXPORT_MS = "/export/orders.csv", 2_400_000.0, 20.0, 3_800.0
"""A customer of every day takes the export of all orders, twenty times as large as the shop's own report usually is:
one file in two and a half minutes, for six hours."""

ATTACKS = {SCANNED_ON: "scanner", STOLEN_ON: "exfiltration"}


def rows_of(day: int, total: int, days: int) -> int:
    """Benign records of a day, if days 1 to ``days`` have about ``total``."""
    return round(total * _traffic(day) / sum(_traffic(each) for each in range(1, days + 1)))


def _traffic(day: int) -> float:
    return WEEK[(day - 1) % 7] * DRIFT**day


def traffic(day: int, rows: int) -> pa.Table:
    """All records of a day in the order of time, those of an attack among them; days before 1 came before day 1."""
    parts = [_benign(day, rows)]
    if day == SCANNED_ON:
        parts.append(_scan(day))
    if day == STOLEN_ON:
        parts.append(_theft(day))
    table = pa.concat_tables(parts)
    return table.take(pc.sort_indices(table, sort_keys=[("time", "ascending")]))


def attack(client: object, path: object) -> str | None:
    """Which attack a record belongs to, None for a benign one."""
    if client == SCANNER:
        return "scanner"
    return "exfiltration" if client == INSIDER and path == EXPORT else None


def _benign(day: int, rows: int) -> pa.Table:
    batch = requests(rows, seed=100 + day)
    assert batch.times is not None
    columns = {field.name: column for field, column in batch.columns.items()}
    columns["time"] = _stamps(day, batch.times % DAY_SECONDS)
    return _drifted(day, {name: columns[name] for name in FIELDS})


def _scan(day: int) -> pa.Table:
    random = np.random.default_rng(day)
    columns = _constant(PROBES, client=SCANNER, host=HOSTS[0], method="GET", agent=PROBER, cached=False)
    probed = random.integers(0, len(PROBED), PROBES)
    columns["path"] = pa.array(PROBED).take(pa.array(probed))
    columns["status"] = pa.array(np.where(random.random(PROBES) < 0.9, 404.0, 403.0))
    columns["time"] = _moments(day, 11, SCAN_SECONDS, PROBES, random)
    columns["bytes"] = pa.array(np.rint(620 * random.lognormal(0.0, 0.08, PROBES)))
    columns["request_bytes"] = pa.array(np.rint(240 * random.lognormal(0.0, 0.05, PROBES)))
    columns["duration_ms"] = pa.array(np.round(6 * random.lognormal(0.0, 0.3, PROBES), 2))
    return _drifted(day, columns)


def _theft(day: int) -> pa.Table:
    random = np.random.default_rng(day)
    columns = _constant(TAKEN, client=INSIDER, host=HOSTS[1], method="GET", agent=BROWSERS[1], cached=False)
    columns |= _constant(TAKEN, path=EXPORT, status=200.0)
    columns["time"] = _moments(day, 9, THEFT_SECONDS, TAKEN, random)
    columns["bytes"] = pa.array(np.rint(EXPORT_BYTES * EXPORT_TIMES * random.lognormal(0.0, 0.1, TAKEN)))
    columns["request_bytes"] = pa.array(np.rint(380 * random.lognormal(0.0, 0.12, TAKEN)))
    columns["duration_ms"] = pa.array(np.round(EXPORT_MS * random.lognormal(0.0, 0.25, TAKEN), 2))
    return _drifted(day, columns)


def _moments(day: int, hour: int, seconds: float, count: int, random: np.random.Generator) -> pa.Array:
    """Times of an attack that begins at an hour, at about equal distances."""
    steps = np.arange(count) + random.uniform(-0.4, 0.4, count)
    return _stamps(day, hour * 3600.0 + (1 + steps) * seconds / count)


def _drifted(day: int, columns: dict[str, pa.Array]) -> pa.Table:
    """The columns with what grows from day to day."""
    for name in DRIFTING:
        grown: F64 = columns[name].to_numpy() * DRIFT**day
        columns[name] = pa.array(np.round(grown, 2 if name == "duration_ms" else 0))
    return pa.table({name: columns[name] for name in FIELDS})


def _constant(rows: int, **values: object) -> dict[str, pa.Array]:
    return {name: pa.array([value] * rows) for name, value in values.items()}


def _stamps(day: int, seconds: F64) -> pa.Array:
    """Moments in seconds since the day's midnight, as RFC 3339 in UTC with milliseconds."""
    moments: I64 = np.rint((FIRST_DAY + (day - 1) * DAY_SECONDS + seconds) * 1000).astype(np.int64)
    stamps = np.datetime_as_string(moments.astype("datetime64[ms]"))
    return pa.array(np.char.add(stamps, "Z").tolist(), pa.string())


def midnight(day: int) -> float:
    """When a day is over, in seconds since 1970."""
    return FIRST_DAY + day * DAY_SECONDS
