"""A made-up web service: requests of every type of field, each of which can be told from the others, but never exactly.

The service is the same whatever the seed; the next seed is the next four weeks of it. Every route has its own methods,
sizes, durations and outcomes; load follows the hour of day and slows everything; a cached answer is fast and has no
upstream; a phone is sent less and waits longer. All of it is noisy and heavy-tailed, and what is rare is still benign.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import without_lines

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
SEED_WEEKS, SEEDS = 4, 250
"""So many seeds have weeks of their own; then they begin again."""

MEAN_GAP_SECONDS = 40.0
BUSIEST_SECONDS = 14 * 3600
"""The load is highest at this time of day (UTC), and lowest twelve hours later."""
LOAD_MINUTES = 120
"""After so long the random part of the load has forgotten what it was."""

WORKERS = 64
SLOWEST_QUEUE_MS = 60.0
"""How long a request waits, about, when every worker is busy."""
CLIENTS = 300
NEWCOMERS = CLIENTS + 16
"""Clients are numbered: those known, then the crawler and the machines, and from here on those that come once."""
NEW_CLIENTS = 0.02
"""Share of requests from an address that never comes again."""
FAILOVERS = 0.0005
"""Share of requests that another host answers than the one of the client's network."""
NOT_MODIFIED_BYTES = 180.0
ERROR_BYTES = 620.0
HEADER_BYTES = 380.0


@dataclass(frozen=True, slots=True)
class Route:
    """How one route behaves: medians, and shares by day and by night (of all requests, before they add up to 1).

    ``items`` is how many numbers stand in the place of ``{}``; ``spread`` the deviation of the logarithm of a size;
    ``upload`` the median size of a request's body; ``outcomes`` the status codes of an answer that is not cached.
    """

    method: str
    path: str
    day: float
    night: float
    size: float
    spread: float
    duration_ms: float
    cached: float
    upload: float
    outcomes: tuple[tuple[int, float], ...]
    items: int = 0


ROUTES = (
    Route("GET", "/", 0.16, 0.06, 14_000, 0.10, 38, 0.55, 0, ((200, 0.995), (503, 0.005))),
    Route("GET", "/items/{}", 0.24, 0.10, 32_000, 0.30, 70, 0.40, 0, ((200, 0.96), (404, 0.04)), 2000),
    Route("GET", "/search", 0.12, 0.05, 9_000, 0.45, 140, 0.05, 0, ((200, 0.985), (400, 0.01), (504, 0.005))),
    Route("GET", "/static/app.js", 0.14, 0.06, 181_000, 0.01, 6, 0.93, 0, ((200, 1.0),)),
    Route("GET", "/images/{}", 0.12, 0.05, 95_000, 0.55, 11, 0.85, 0, ((200, 0.99), (404, 0.01)), 400),
    Route("POST", "/cart/items", 0.09, 0.03, 640, 0.12, 85, 0, 210, ((201, 0.97), (409, 0.03))),
    Route("POST", "/login", 0.06, 0.03, 480, 0.06, 190, 0, 140, ((200, 0.9), (401, 0.1))),
    Route("POST", "/orders", 0.03, 0.01, 1_150, 0.15, 420, 0, 900, ((201, 0.96), (402, 0.03), (503, 0.01))),
    Route("DELETE", "/cart/items/{}", 0.02, 0.01, 90, 0.05, 45, 0, 0, ((204, 0.98), (404, 0.02)), 60),
    Route("GET", "/health", 0.02, 0.12, 24, 0.0, 2, 0, 0, ((200, 1.0),)),
    Route("GET", "/export/orders.csv", 0.002, 0.30, 2_400_000, 0.60, 3_800, 0, 0, ((200, 0.98), (504, 0.02))),
    Route("PUT", "/stock/{}", 0.01, 0.18, 310, 0.10, 60, 0, 4_200, ((200, 0.97), (409, 0.03)), 2000),
)
HOSTS = ("web-1", "web-2", "web-3", "web-4")
BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15",
)
PHONES = ("ShopApp/4.2 (Android 15)", "ShopApp/4.1 (iOS 18.1)", "ShopApp/3.9 (Android 13)")
MACHINES = {"/health": "kube-probe/1.31", "/export/orders.csv": "reporting/2.3", "/stock/{}": "warehouse-sync/7"}
"""Who asks for the routes that no person asks for."""
CRAWLER, CRAWLED = "Mozilla/5.0 (compatible; Googlebot/2.1)", 0.004

AGENTS = (*BROWSERS, *PHONES, *MACHINES.values(), CRAWLER)


def requests(rows: int, seed: int) -> RecordBatch:
    """Benign requests in the order of time, keyed by client; all fields as columns, ``times`` and ``keys`` besides."""
    random = np.random.default_rng(seed)
    times, load = _moments(rows, seed, random)
    routes = _routes(load, random)
    clients, agents, phone = _visitors(routes, random)
    cached = random.random(rows) < _of(routes, "cached")
    status = _outcomes(routes, cached, random)
    sizes = _sizes(routes, status, phone, random)
    workers = random.binomial(WORKERS, np.clip(0.08 + 0.75 * load, 0, 1))
    queued = SLOWEST_QUEUE_MS * (workers / WORKERS) ** 3 * random.lognormal(0.0, 0.15, rows)
    durations, upstream = _durations(routes, load, sizes, phone, cached, status, random)
    uploads = _of(routes, "upload") + HEADER_BYTES * random.lognormal(0.0, 0.12, rows) + 60 * phone
    usual = np.where(clients < NEWCOMERS, clients % len(HOSTS), 0)
    hosts = np.where(random.random(rows) < FAILOVERS, random.integers(0, len(HOSTS), rows), usual)
    stamps = np.datetime_as_string((times * 1000).astype("datetime64[ms]"))
    names = _addresses(clients)
    text, number = FieldType.TEXT, FieldType.NUMBER
    columns = {
        Field("time", text): pa.array(np.char.add(stamps, "Z").tolist(), pa.string()),
        Field("client", text): names,
        Field("host", text): _named(HOSTS, hosts),
        Field("method", text): _named([route.method for route in ROUTES], routes),
        Field("path", text): _paths(routes, random),
        Field("status", number): pa.array(status.astype(np.float64)),
        Field("bytes", number): pa.array(np.rint(sizes)),
        Field("request_bytes", number): pa.array(np.rint(uploads)),
        Field("duration_ms", number): pa.array(np.round(queued + durations, 2)),
        Field("upstream_ms", number): pa.array(np.round(upstream, 2), mask=cached),
        Field("queue_ms", number): pa.array(np.round(queued, 2)),
        Field("cached", FieldType.BOOLEAN): pa.array(cached),
        Field("agent", text): _named(AGENTS, agents),
        Field("workers_busy", number): pa.array(workers.astype(np.float64)),
    }
    return RecordBatch(without_lines(), columns, np.ones(rows, dtype=np.bool_), times=times, keys=names)


def _moments(rows: int, seed: int, random: np.random.Generator) -> tuple[F64, F64]:
    """When each request comes, seconds since 1970 [n], and how busy the service is then, 0 to 1 [n]."""
    start = (FIRST_DAY + timedelta(weeks=SEED_WEEKS * ((seed - 1) % SEEDS))).timestamp()
    minutes = np.arange(0.0, 1.3 * MEAN_GAP_SECONDS * rows + 2 * DAY_SECONDS, 60.0)  # more than are needed
    wave = 0.5 + 0.4 * np.cos(2 * np.pi * (minutes - BUSIEST_SECONDS) / DAY_SECONDS)
    window = np.hanning(LOAD_MINUTES + 2)
    slow = np.convolve(random.standard_normal(len(minutes) + len(window) - 1), window / np.linalg.norm(window), "valid")
    load = np.clip(wave + 0.07 * slow, 0.02, 1.0)
    # Requests come evenly in a time that passes the faster the busier the service is.
    passed = np.cumsum(load / 0.5 * 60.0 / MEAN_GAP_SECONDS)
    moments = np.interp(np.cumsum(random.exponential(1.0, rows)), passed, minutes)
    return np.round(start + moments, 3), np.interp(moments, minutes, load)


def _routes(load: F64, random: np.random.Generator) -> I64:
    """Which route each request asks for, [n]: the busier the service, the more as by day."""
    day, night = (np.cumsum([getattr(route, time) for route in ROUTES]) for time in ("day", "night"))
    shares = load[:, np.newaxis] * (day / day[-1]) + (1 - load[:, np.newaxis]) * (night / night[-1])  # [n, routes]
    chosen: I64 = (random.random(len(load))[:, np.newaxis] > shares[:, :-1]).sum(axis=1)
    return chosen


def _visitors(routes: I64, random: np.random.Generator) -> tuple[I64, I64, Bools]:
    """Client, agent and whether it is a phone, [n] each. A few clients ask for most; a machine has its own address."""
    rows = len(routes)
    clients = np.minimum(random.zipf(1.25, rows), 10**6) % CLIENTS
    new = random.random(rows) < NEW_CLIENTS
    clients[new] = NEWCOMERS + random.integers(0, 10**6, int(new.sum()))
    browsers, phones = len(BROWSERS), len(PHONES)
    agents = clients % (browsers + phones)
    updated = random.random(rows) < 0.05  # who has two devices uses the other one
    agents[updated] = random.integers(0, browsers + phones, int(updated.sum()))
    crawled = random.random(rows) < CRAWLED
    agents[crawled], clients[crawled] = AGENTS.index(CRAWLER), CLIENTS
    for place, path in enumerate(MACHINES, 1):
        asked = routes == next(i for i, route in enumerate(ROUTES) if route.path == path)
        agents[asked], clients[asked] = browsers + phones + place - 1, CLIENTS + place
    return clients, agents, (agents >= browsers) & (agents < browsers + phones)


def _outcomes(routes: I64, cached: Bools, random: np.random.Generator) -> I64:
    """Status codes, [n]: of the route's outcomes, and of cached answers some that have not changed."""
    status = np.empty(len(routes), dtype=np.int64)
    for place, route in enumerate(ROUTES):
        asked = routes == place
        codes, shares = zip(*route.outcomes, strict=True)
        status[asked] = random.choice(codes, int(asked.sum()), p=shares)
    return np.where(cached, np.where(random.random(len(routes)) < 0.3, 304, 200), status)


def _sizes(routes: I64, status: I64, phone: Bools, random: np.random.Generator) -> F64:
    """Bytes of the answers, [n]: what the route sends, less to a phone, little of an error, now and then far more."""
    noise = random.standard_normal(len(routes))
    pages = _of(routes, "size") * np.exp(_of(routes, "spread") * noise) * np.where(phone, 0.7, 1.0)
    pages *= np.where(random.random(len(routes)) < 0.004, random.uniform(2.0, 5.0, len(routes)), 1.0)
    short = np.where(status == 304, NOT_MODIFIED_BYTES, ERROR_BYTES) * np.exp(0.08 * noise)
    return np.where(status >= 300, short, pages)


def _durations(
    routes: I64, load: F64, sizes: F64, phone: Bools, cached: Bools, status: I64, random: np.random.Generator
) -> tuple[F64, F64]:
    """Milliseconds from the first worker on, and of the upstream's part in it, [n] each.

    The upstream slows with the load and with what it makes; sending takes time by size, more to a phone.
    """
    rows = len(routes)
    work = _of(routes, "duration_ms") * (0.8 + 1.2 * load**2) * random.lognormal(0.0, 0.25, rows)
    work *= np.where(random.random(rows) < 0.01, random.lognormal(1.0, 0.5, rows), 1.0)  # a lock, a full disk
    work = np.where(status == 504, 5000 + 40 * random.exponential(1.0, rows), work)
    sending = sizes / np.where(phone, 2_500.0, 12_000.0) * random.lognormal(0.0, 0.2, rows)
    upstream = np.where(cached, 0.12 * work, work)
    return upstream + sending + random.exponential(1.5, rows), upstream


def _of(routes: I64, name: str) -> F64:
    """A property of each request's route, [n]."""
    return np.array([getattr(route, name) for route in ROUTES], dtype=np.float64)[routes]


def _paths(routes: I64, random: np.random.Generator) -> pa.Array:
    """Paths with their numbers, some asked for far more often than others, [n]."""
    items = np.maximum(np.array([route.items for route in ROUTES])[routes], 1)
    numbers = (1 + np.floor(items * random.random(len(routes)) ** 2)).astype(np.int64)
    return pa.array([ROUTES[at].path.format(n) for at, n in zip(routes.tolist(), numbers.tolist(), strict=True)])


def _named(names: tuple[str, ...] | list[str], codes: I64) -> pa.Array:
    return pa.array(names).take(pa.array(codes))


def _addresses(clients: I64) -> pa.Array:
    """IPv4 addresses, [n]: each host serves a network; new clients come from others, machines from ours."""
    distinct, codes = np.unique(clients, return_inverse=True)
    return _named([_address(int(client)) for client in distinct], codes)


def _address(client: int) -> str:
    if client < CLIENTS:
        return f"203.0.{113 + client % 4}.{1 + client // 4}"
    if client < NEWCOMERS:
        return f"10.0.0.{client - CLIENTS + 1}"
    return f"198.51.{client // 250 % 250}.{1 + client % 250}"
