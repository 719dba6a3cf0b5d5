"""Generated input of the benchmarks: seeded, so that every run reads the same bytes."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

SENSORS = 16
START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = 50_000
"""Rows made at once. A process that is started counts the memory of the one that starts it: that one stays small."""

PATHS = ("/", "/products", "/products/search", "/cart", "/checkout", "/static/app.js", "/static/site.css", "/api/items")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1",
)
MESSAGES = (
    "Accepted publickey for {u} from 10.0.{a}.{b} port {p} ssh2: ED25519 SHA256:q8Zk1",
    "Failed password for invalid user {u} from 10.0.{a}.{b} port {p} ssh2",
    "pam_unix(sshd:session): session opened for user {u}(uid={p}) by (uid=0)",
    "Connection closed by authenticating user {u} 10.0.{a}.{b} port {p} [preauth]",
    "Received disconnect from 10.0.{a}.{b} port {p}:11: disconnected by user",
)
USERS = ("alice", "bob", "carol", "dave", "deploy", "backup")


def sensor_values(random: np.random.Generator, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Readings [count, 16] that hang together: three hidden causes and a little noise."""
    causes = random.normal(size=(count, 3))
    mixing = np.random.default_rng(7).normal(size=(3, SENSORS))
    readings: np.ndarray[tuple[int, int], np.dtype[np.float64]] = causes @ mixing + 0.1 * random.normal(
        size=(count, SENSORS)
    )
    return np.round(20 + 5 * readings, 2)


def json_lines(random: np.random.Generator, count: int) -> Iterator[str]:
    """Sensor readings: 16 numbers, one of 1,000 devices, two categories and a time; about 270 bytes."""
    values = sensor_values(random, count)
    devices = random.integers(1000, size=count)
    modes, sites = random.integers(3, size=count), random.integers(5, size=count)
    for i in range(count):
        record = {
            "time": (START + timedelta(seconds=i / 100)).isoformat(timespec="milliseconds"),
            "device": f"dev-{devices[i]:04d}",
            "mode": ("heat", "cool", "idle")[modes[i]],
            "site": f"site-{sites[i]}",
        }
        record.update({f"s{j:02d}": value for j, value in enumerate(values[i].tolist())})
        yield json.dumps(record, separators=(",", ":"))


def access_log(random: np.random.Generator, count: int) -> Iterator[str]:
    """Combined access log lines; about 200 bytes."""
    a, b = random.integers(256, size=(2, count))
    paths, agents = random.integers(len(PATHS), size=count), random.integers(len(AGENTS), size=count)
    items, sizes = random.integers(10_000, size=count), random.lognormal(8, 0.6, count).astype(int)
    failed = random.random(count) < 0.02
    for i in range(count):
        moment = START + timedelta(seconds=i / 100)
        yield (
            f"10.1.{a[i]}.{b[i]} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "
            f'"GET {PATHS[paths[i]]}?id={items[i]} HTTP/1.1" {404 if failed[i] else 200} {sizes[i]} '
            f'"https://shop.example/{PATHS[paths[i]]}" "{AGENTS[agents[i]]}"'
        )


def csv_rows(random: np.random.Generator, count: int) -> Iterator[str]:
    """Sixteen numbers a line; about 95 bytes."""
    for start in range(0, count, BLOCK):
        for row in sensor_values(random, min(BLOCK, count - start)).tolist():
            yield ",".join(map(str, row))


def syslog(random: np.random.Generator, count: int) -> Iterator[str]:
    """RFC 3164 lines of an SSH server; about 110 bytes."""
    a, b = random.integers(256, size=(2, count))
    ports, pids = random.integers(1024, 65536, size=count), random.integers(300, 32768, size=count)
    kinds, users = random.integers(len(MESSAGES), size=count), random.integers(len(USERS), size=count)
    hosts = random.integers(4, size=count)
    for i in range(count):
        moment = START + timedelta(seconds=i / 100)
        message = MESSAGES[kinds[i]].format(u=USERS[users[i]], a=a[i], b=b[i], p=ports[i])
        yield f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} node-{hosts[i]} sshd[{pids[i]}]: {message}"


WORKLOADS: dict[str, Callable[[np.random.Generator, int], Iterator[str]]] = {
    "json": json_lines,
    "access": access_log,
    "csv": csv_rows,
    "text": syslog,
}


def write(name: str, path: Path, count: int) -> Path:
    """Write ``count`` lines of a workload unless the file is already there."""
    if not path.exists():
        # A process that is started counts the memory of the one that starts it: that of the caller stays small.
        maker = multiprocessing.get_context("spawn").Process(target=_write, args=(name, path, count))
        maker.start()
        maker.join()
        if maker.exitcode:
            raise SystemExit(f"{path} could not be made")
    return path


def _write(name: str, path: Path, count: int) -> None:
    random = np.random.default_rng(20260105)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w") as out:
        out.writelines(line + "\n" for line in WORKLOADS[name](random, count))
    unfinished.rename(path)
