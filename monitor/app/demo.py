"""The whole product in a minute: traffic is made, learned, followed live, spoiled twenty times, and alerted on.

Nothing is simulated but the traffic: the commands a user would type run as processes of their own.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.app.traffic import FAULTS, Fault, Record, Shop, line
from monitor.core.errors import AemonitorError
from monitor.core.printable import printable

HISTORY_RECORDS = 8_000
LIVE_RECORDS = 3_000
LIVE_RATE = 300.0
"""Lines a second while the daemon follows the file."""
TRAFFIC_RATE = 20.0
"""Requests a second of event time in the learned history."""
PATIENCE_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Verdict:
    """What the alerts said of what was planted."""

    planted: dict[int, Fault] = field(default_factory=dict[int, Fault])  # by byte offset of the spoiled line
    found: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])  # the fields blamed first
    false: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def judge(self, alert: dict[str, Any]) -> str:
        """Take note of an alert; one line about it for a person."""
        offset = alert["source"]["offset"]
        blamed = tuple(finding["name"] for finding in alert["fields"][:2])
        summary = printable(alert["summary"], limit=200)
        if offset not in self.planted:
            self.false.append(alert)
            return f"  false   {summary}"
        self.found[offset] = blamed
        right = self.planted[offset].field in blamed
        return f"  {'found ' if right else 'BLAMED WRONGLY'}  [{self.planted[offset].name}] {summary}"

    @property
    def named(self) -> int:
        """How many true alerts name the planted field among their first two."""
        return sum(self.planted[offset].field in blamed for offset, blamed in self.found.items())

    def missed(self) -> list[str]:
        """The names of faults without an alert."""
        return [fault.name for offset, fault in self.planted.items() if offset not in self.found]

    def last_line(self) -> str:
        """The result in one line."""
        return f"demo: {len(self.found)} of {len(self.planted)} planted faults alerted, {len(self.false)} false alerts"


def run_demo(directory: Path, seed: int, say: Say) -> Verdict:
    """Run the demo in ``directory``; everything it makes stays there.

    Raises:
        AemonitorError: a step did not end as it should; the text holds what it printed.
    """
    log, config = directory / "shop.log", directory / "aemonitor.yaml"
    shop = Shop(seed)
    say(f"1. {HISTORY_RECORDS:,} benign requests of a made-up web shop -> {log}")
    _write_history(log, shop)
    say("2. aemonitor init: finds format, key, time and encodings from the log alone")
    url = f"http://127.0.0.1:{free_port()}"
    _aemonitor(
        "init",
        str(log),
        "-o",
        str(config),
        "--stream",
        "shop",
        "--state-dir",
        str(directory / "state"),
        "--listen",
        url.removeprefix("http://"),
        "--force",
    )
    config.write_text(config.read_text().replace("alert: {", "alert: {tell: records, "))
    say(f"   {config} is commented: read it; here each spoiled record alerts by itself, not each episode")
    say("3. aemonitor retrain: learns what is normal, measures its own limit on records it has not seen")
    say(_indented(_aemonitor("retrain", "--config", str(config))))
    say("4. aemonitor run: follows the log")
    with _daemon(config, directory / "daemon.log") as daemon:
        _wait(lambda: _ready(url), "the daemon to become ready")
        say(f"   metrics: {url}/metrics  health: {url}/-/ready")
        say(f"5. {LIVE_RECORDS:,} more requests at {LIVE_RATE:.0f} a second, {len(FAULTS)} of them spoiled")
        verdict = _live(log, shop, directory / "state" / "alerts.jsonl", say)
        _wait(lambda: _metric(url, "records_scored_total") >= HISTORY_RECORDS + LIVE_RECORDS, "every line to be scored")
        _collect(verdict, directory / "state" / "alerts.jsonl", say)
        say("6. what Prometheus would scrape:")
        say(_indented(_excerpt(url)))
        _stop(daemon)
    return verdict


def _write_history(log: Path, shop: Shop) -> None:
    start = time.time() - HISTORY_RECORDS / TRAFFIC_RATE
    with log.open("w") as out:
        out.writelines(line(record) + "\n" for record in shop.records(HISTORY_RECORDS, start, TRAFFIC_RATE))


def _live(log: Path, shop: Shop, alerts: Path, say: Say) -> Verdict:
    """Append traffic at a steady rate, spoil a record now and then, and tell of alerts as they come."""
    verdict = Verdict()
    spacing = LIVE_RECORDS // (len(FAULTS) + 1)
    begun = time.monotonic()
    with log.open("ab") as out:
        for number in range(LIVE_RECORDS):
            record = shop.record(time.time())
            which, rest = divmod(number, spacing)
            if rest == spacing - 1 and which < len(FAULTS):
                spoil(record, FAULTS[which])
                verdict.planted[out.tell()] = FAULTS[which]
            out.write(line(record).encode() + b"\n")
            out.flush()
            if number % 30 == 0:
                _collect(verdict, alerts, say)
            time.sleep(max(0.0, begun + number / LIVE_RATE - time.monotonic()))
    return verdict


def spoil(record: Record, fault: Fault) -> None:
    """Plant a fault in a record; a field the record lacks is given a usual value first."""
    record.setdefault(fault.field, 50.0)
    fault.spoil(record)


def _collect(verdict: Verdict, alerts: Path, say: Say) -> None:
    """Judge the alerts that are new in the file."""
    if not alerts.exists():
        return
    complete = alerts.read_bytes().split(b"\n")[:-1]
    for text in complete[len(verdict.found) + len(verdict.false) :]:
        say(verdict.judge(json.loads(text)))


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "monitor", *arguments]


def _aemonitor(*arguments: str) -> str:
    done = subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AemonitorError(f"aemonitor {arguments[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


@contextmanager
def _daemon(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as out,
        subprocess.Popen(_command("run", "--config", str(config)), stdout=out, stderr=out) as daemon,
    ):
        try:
            yield daemon
        finally:
            if daemon.poll() is None:
                daemon.kill()


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    code = daemon.wait(PATIENCE_SECONDS)
    if code:
        raise AemonitorError(f"the daemon ended with {code} after {time.monotonic() - begun:.1f} s; see daemon.log")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AemonitorError(f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}; see daemon.log")
        time.sleep(0.05)


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the address is our own daemon's
        text: str = answer.read().decode()
    return text


def _ready(url: str) -> bool:
    try:
        return bool(_fetch(f"{url}/-/ready"))
    except (urllib.error.URLError, OSError):
        return False


def _metric(url: str, name: str) -> float:
    prefix = f"aemonitor_{name}{{"
    return sum(
        float(text.rsplit(" ", 1)[1]) for text in _fetch(f"{url}/metrics").splitlines() if text.startswith(prefix)
    )


def _excerpt(url: str) -> str:
    wanted = ("aemonitor_records_", "aemonitor_alerts_total", "aemonitor_model_info", "aemonitor_tail_lag_bytes")
    return "\n".join(text for text in _fetch(f"{url}/metrics").splitlines() if text.startswith(wanted))


def _indented(text: str) -> str:
    return "\n".join(f"   {part}" for part in text.strip().splitlines())


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
