"""A writer of numbered lines at a steady rate, rotated now and then, and the verifier of what became of them."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from monitor.ledger import Ledger
from tests.e2e.support import Site, wait_for
from tests.support_files import rename

FAULT_EVERY = 50
BACKLOG_SECONDS = 600.0
"""Writers do not wait for a daemon that starts slowly, so on a busy machine there is much to catch up with."""
EXTRA = "alert: {threshold: 3.0}\nscore: {method: l1}"
"""Faults score 50 and more: no benign record comes near. How a record is scored is not the matter here."""
FEATURES = ["level: numeric", "mode: categorical"]


def line(number: int, fault_every: int = FAULT_EVERY) -> bytes:
    """A benign reading, or one in ``fault_every`` a fault; ``seq`` tells them apart and is no feature."""
    level = 20.0 + number % 17 if number % fault_every else 900.0
    return b'{"seq": %d, "level": %.1f, "mode": "%c"}\n' % (number, level, b"abc"[number % 3])


def lines(count: int, first: int = 0, fault_every: int = FAULT_EVERY) -> bytes:
    """So many of them."""
    return b"".join([line(number, fault_every) for number in range(first, first + count)])


# -- rotations: each is told the log and its number, and insists that something happened ----------------------------


def renamed(log: Path, number: int) -> None:
    """Keep every rotated file."""
    rename(log, log.with_name(f"{log.name}.{number}"))


def shifted(backups: int) -> Callable[[Path, int], None]:
    """``log.1`` becomes ``log.2`` and so on; the oldest one goes."""

    def rotate(log: Path, _number: int) -> None:
        names = [log, *(log.with_name(f"{log.name}.{age}") for age in range(1, backups + 1))]
        for old, new in reversed(list(pairwise(names))):
            if old.exists():
                new.unlink(missing_ok=True)
                rename(old, new)

    return rotate


def copied_and_truncated(log: Path, number: int) -> None:
    """Copy, then empty; what is written between the two is in no file, as with every ``copytruncate``."""
    copy = log.with_name(f"{log.name}.{number}")
    shutil.copyfile(log, copy)
    assert copy.stat().st_size > 0
    before = log.stat().st_size
    os.truncate(log, 0)
    assert log.stat().st_size < before


class Writer(threading.Thread):
    """Appends ``rate`` lines a second and rotates after every ``rotate_every`` of them, until told to stop.

    One in ``fault_every`` is a fault. A rotation that fails, or does nothing, is raised by ``stop``.
    """

    def __init__(
        self,
        log: Path,
        rate: int,
        rotate_every: int | None = None,
        *,
        rotate: Callable[[Path, int], None] = renamed,
        fault_every: int = FAULT_EVERY,
    ) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._rate = rate
        self._rotate = rotate
        self._rotate_every = rotate_every or 1 << 60
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self.fault_every = fault_every
        self.written = 0
        self.rotations = 0

    def run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 - raised by ``stop``, in the thread of the test
            self._failure = error

    def _write(self) -> None:
        begun = time.monotonic()
        out = self._log.open("ab")
        while not self._stopped.wait(0.02):
            due = int((time.monotonic() - begun) * self._rate)
            out.write(lines(max(0, due - self.written), self.written, self.fault_every))
            out.flush()
            self.written = max(self.written, due)
            if self.written > (self.rotations + 1) * self._rotate_every:
                self.rotations += 1
                out.close()
                self._rotate(self._log, self.rotations)
                out = self._log.open("ab")
        out.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self._failure:
            raise self._failure


def learned(root: Path) -> Path:
    """Learn the benign lines; the directory of the published model."""
    site = Site(root)
    site.configure("json_lines", FEATURES, extra=EXTRA)
    benign = root / "benign.jsonl"
    benign.write_bytes(b"".join(line(number) for number in range(3_000) if number % FAULT_EVERY))
    site.retrain(benign)
    return site.state / "models"


def trained(root: Path, models: Path, *, include: str | None = None) -> Site:
    """A site with this model and an empty log."""
    site = Site(root)
    site.configure("json_lines", FEATURES, extra=EXTRA, include=include and str(site.log.parent / include))
    shutil.copytree(models, site.state / "models")
    site.log.touch()
    return site


def add_option(site: Site, text: str) -> None:
    """Put a line at the top of the configuration."""
    site.config.write_text(f"{text}\n{site.config.read_text()}")


def settle(site: Site, written: int) -> None:
    """Wait until everything that was written is scored and committed."""
    wait_for(lambda: site.metric("records_scored_total") >= written, "every record to be scored", BACKLOG_SECONDS)


def stamped(alerts: Sequence[bytes], fault_every: int) -> Counter[int]:
    """How often each number is among these alerts, each of which has its line whole."""
    raw = [json.loads(alert)["raw"] for alert in alerts]
    numbers = [json.loads(text)["seq"] for text in raw]
    torn = [
        text for text, number in zip(raw, numbers, strict=True) if text.encode() + b"\n" != line(number, fault_every)
    ]
    assert not torn, f"{len(torn)} torn, the first: {torn[0]!r}"
    return Counter(numbers)


def in_outbox(site: Site, fault_every: int = FAULT_EVERY) -> Counter[int]:
    """How often the ledger has the alert of each number; none was refused because it had it already."""
    with Ledger.open(site.state, read_only=True) as ledger:
        assert ledger.duplicate_alerts("web") == ledger.dropped_alerts("web") == 0
        return stamped(ledger.alerts("web", limit=10_000_000), fault_every)


def demand_each_once(site: Site, written: int, fault_every: int = FAULT_EVERY) -> None:
    """Every fault is in the ledger exactly once and whole, and was delivered."""
    expected = Counter(range(0, written, fault_every))
    found = in_outbox(site, fault_every)
    lost, doubled = expected - found, found - expected
    assert (lost.total(), doubled.total()) == (0, 0), f"lost {sorted(lost)[:9]}, doubled {sorted(doubled)[:9]}"
    assert stamped(site.alerts_file.read_bytes().splitlines(), fault_every).keys() == expected.keys()
