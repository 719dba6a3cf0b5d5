"""Made-up traffic of a small web shop, and faults planted in it: what ``aemonitor demo`` learns and must find.

The traffic has the structure real services have: each route has its own sizes, durations and outcomes, the upstream
time is part of the duration, a cache hit is fast and has no upstream. So a value can be wrong although every part of
it has been seen before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.app.alerting import rfc3339

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """How one route behaves: medians of size and duration, and how often it is asked for, cached and failing."""

    method: str
    path: str
    share: float
    size_bytes: float
    duration_ms: float
    cached: float = 0.0
    failing: float = 0.0


ROUTES = (
    Route("GET", "/", 0.20, 14_000, 35, cached=0.6),
    Route("GET", "/products", 0.22, 32_000, 60, cached=0.5),
    Route("GET", "/products/search", 0.14, 9_000, 120),
    Route("GET", "/static/app.js", 0.16, 180_000, 8, cached=0.95),
    Route("POST", "/cart/items", 0.12, 640, 70, failing=0.01),
    Route("POST", "/checkout", 0.05, 1_100, 310, failing=0.02),
    Route("POST", "/login", 0.08, 480, 150, failing=0.05),
    Route("GET", "/health", 0.03, 24, 2),
)
AGENTS = ("Mozilla/5.0 Firefox/132.0", "Mozilla/5.0 Chrome/131.0", "Mozilla/5.0 Safari/18.1", "ShopApp/4.2 (Android)")
REGIONS = ("eu-west", "eu-north", "us-east")
HOSTS = ("web-1", "web-2", "web-3")


class Shop:
    """An endless, seeded sequence of benign records."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._shares = np.array([route.share for route in ROUTES])

    def record(self, now: float) -> Record:
        """One benign request at ``now`` (seconds since 1970)."""
        draw = self._random
        route = ROUTES[int(draw.choice(len(ROUTES), p=self._shares / self._shares.sum()))]
        hit = bool(draw.random() < route.cached)
        failed = bool(draw.random() < route.failing)
        duration = route.duration_ms * float(draw.lognormal(0.0, 0.25)) * (0.15 if hit else 1.0)
        record: Record = {
            "time": rfc3339(now),
            "host": str(draw.choice(HOSTS)),
            "region": str(draw.choice(REGIONS, p=[0.5, 0.2, 0.3])),
            "method": route.method,
            "path": route.path,
            "status": (401 if route.path == "/login" else 503) if failed else 200,
            "bytes": int(route.size_bytes * float(draw.lognormal(0.0, 0.12)) * (0.3 if failed else 1.0)),
            "duration_ms": round(duration, 2),
            "cache": "hit" if hit else "miss",
            "agent": str(draw.choice(AGENTS, p=[0.25, 0.4, 0.15, 0.2])),
            "workers_busy": int(draw.binomial(16, 0.35)),
            "tls": True,
        }
        if not hit:
            record["upstream_ms"] = round(duration * float(draw.uniform(0.75, 0.95)), 2)
        return record

    def records(self, count: int, start: float, rate: float) -> Iterator[Record]:
        """``count`` requests from ``start`` on, ``rate`` a second on average."""
        gaps = self._random.exponential(1.0 / rate, count)
        for moment in start + np.cumsum(gaps):
            yield self.record(float(moment))


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to spoil a record; ``field`` is the one an alert has to name."""

    name: str
    field: str
    spoil: Callable[[Record], object]


def _set(field: str, value: Any) -> Callable[[Record], object]:
    return lambda record: record.__setitem__(field, value)


def _scaled(field: str, factor: float) -> Callable[[Record], object]:
    return lambda record: record.__setitem__(field, round(record[field] * factor, 2))


def _without(field: str) -> Callable[[Record], object]:
    return lambda record: record.pop(field)


FAULTS = (
    Fault("slow request", "duration_ms", _set("duration_ms", 9_200.0)),
    Fault("very slow request", "duration_ms", _set("duration_ms", 61_000.0)),
    Fault("negative duration", "duration_ms", _set("duration_ms", -5.0)),
    Fault("huge answer", "bytes", _set("bytes", 52_428_800)),
    Fault("answer ten times too large", "bytes", _scaled("bytes", 1_000)),
    Fault("size is not a number", "bytes", _set("bytes", "n/a")),
    Fault("unknown status", "status", _set("status", 418)),
    Fault("server error never seen", "status", _set("status", 500)),
    Fault("path traversal", "path", _set("path", "/static/../../../../etc/passwd")),
    Fault("injection", "path", _set("path", "/products?id=1%27%20UNION%20SELECT%20password--")),
    Fault("scanner", "agent", _set("agent", "sqlmap/1.8.2#stable (https://sqlmap.org)")),
    Fault("unknown client", "agent", _set("agent", "curl/8.9.1")),
    Fault("unknown method", "method", _set("method", "TRACE")),
    Fault("unknown host", "host", _set("host", "web-99")),
    Fault("host missing", "host", _without("host")),
    Fault("region missing", "region", _set("region", None)),
    Fault("constant changed", "tls", _set("tls", False)),
    Fault("no worker left", "workers_busy", _set("workers_busy", 64)),
    Fault("unknown cache state", "cache", _set("cache", "bypass")),
    Fault("upstream slower than possible", "upstream_ms", _set("upstream_ms", 30_000.0)),
)


def line(record: Record) -> str:
    """A record as the log line it would be."""
    return json.dumps(record)
