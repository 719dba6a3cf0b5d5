"""The daemon and what it reads from are killed in turn while records are sent; at the end none is missing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from monitor.ledger import Ledger
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import stamped, trained

ALIVE_SECONDS = 0.5
"""How long both live between two kills: that is the input of these tests."""

FAULT_EVERY = 5
"""Only of faults it can be seen that none is missing, so there are many."""
TIMES = [
    pytest.param(1, marks=pytest.mark.timeout(300)),
    pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
]
"""How often each is killed."""


class Broker(Protocol):
    """What is killed beside the daemon."""

    def start(self) -> None: ...
    def kill(self) -> None: ...


class Sender(threading.Thread):
    """Sends numbered lines until told to stop. ``send`` is told the next number and returns the one after the last that
    was accepted; it raises OSError or TimeoutError to be called again.
    """

    def __init__(self, send: Callable[[int], int], pause_seconds: float = 0.02) -> None:
        super().__init__(daemon=True)
        self._send = send
        self._pause = pause_seconds
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self.written = 0

    def run(self) -> None:
        try:
            while not self._stopped.wait(self._pause):
                try:
                    self.written = self._send(self.written)
                except (OSError, TimeoutError):
                    continue
        except BaseException as error:  # noqa: BLE001 - raised by ``stop``, in the thread of the test
            self._failure = error

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self._failure:
            raise self._failure


def site_reading(root: Path, models: Path, source: str) -> Site:
    """A trained site whose stream has this source."""
    site = trained(root, models)
    lines = site.config.read_text().splitlines()
    site.config.write_text("\n".join(f"    source: {source}" if "source:" in line else line for line in lines) + "\n")
    return site


def kill_in_turn(site: Site, broker: Broker, sender: Sender, times: int) -> None:
    """Each is killed so often and started again, and then everything that was sent is scored."""
    site.start_and_wait()
    sender.start()
    try:
        for _ in range(times):
            scored = site.metric("records_scored_total")
            wait_for(lambda scored=scored: site.metric("records_scored_total") > scored, "records to be scored")  # type: ignore[misc]
            site.kill()
            time.sleep(ALIVE_SECONDS)
            site.start_and_wait()
            time.sleep(ALIVE_SECONDS)
            broker.kill()
            time.sleep(ALIVE_SECONDS)
            broker.start()
    finally:
        sender.stop()


def settled(site: Site) -> bool:
    """Whether the broker has nothing more, and nothing is on the way."""
    behind = site.metric("source_lag_records"), site.metric("records_in_flight")
    return site.metric("source_connected") == 1 and behind == (0, 0)


def told(site: Site) -> Counter[int]:
    """How often each fault was told."""
    with Ledger.open(site.state, read_only=True) as ledger:
        return stamped(ledger.alerts(site.stream, limit=10_000_000), FAULT_EVERY)


def demand_all_told(site: Site, written: int) -> int:
    """Every fault is in the ledger once and was delivered; how many records were scored again.

    What was scored again has the same id, so that its alert is refused by the ledger.
    """
    found = told(site)
    with Ledger.open(site.state, read_only=True) as ledger:
        counts = ledger.counts(site.stream)
    expected = Counter(range(0, written, FAULT_EVERY))
    lost, doubled = expected - found, found - expected
    assert (lost.total(), doubled.total()) == (0, 0), f"lost {sorted(lost)[:9]}, doubled {sorted(doubled)[:9]}"
    assert stamped(site.alerts_file.read_bytes().splitlines(), FAULT_EVERY).keys() == expected.keys()
    assert counts.balanced
    assert counts.scored >= written
    return counts.scored - written
