"""kill -9 under load: no alert lost, none twice, every record scored once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.support import Site, wait_for

KILLS = 20
RATE = 5_000
FAULT_EVERY = 50


def line(number: int) -> bytes:
    """A benign reading, or one in fifty a fault; ``seq`` tells them apart and is no feature."""
    faulty = number % FAULT_EVERY == 0
    record = {"seq": number, "level": 900.0 if faulty else 20.0 + number % 17, "mode": "abc"[number % 3]}
    return json.dumps(record).encode() + b"\n"


class Writer(threading.Thread):
    """Appends lines at a steady rate and rotates now and then, until told to stop."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._stopped = threading.Event()
        self.written = 0

    def run(self) -> None:
        begun, rotations = time.monotonic(), 0
        out = self._log.open("ab")
        while not self._stopped.wait(0.02):
            due = int((time.monotonic() - begun) * RATE)
            out.write(b"".join(line(number) for number in range(self.written, due)))
            out.flush()
            self.written = max(self.written, due)
            if self.written > (rotations + 1) * 4 * RATE:
                rotations += 1
                self._log.rename(self._log.with_name(f"{self._log.name}.{rotations}"))
                out.close()
                out = self._log.open("ab")
        out.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@pytest.mark.timeout(600)
def test_no_alert_is_lost_or_duplicated_over_twenty_kills(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure("json_lines", ["level: numeric", "mode: categorical"])
    benign = tmp_path / "benign.jsonl"
    benign.write_bytes(b"".join(line(number) for number in range(3_000) if number % FAULT_EVERY))
    site.retrain(benign)
    writer = Writer(site.log)
    chance = random.Random(5)
    writer.start()
    try:
        for _ in range(KILLS):
            site.start_and_wait()
            time.sleep(chance.uniform(0.15, 0.55))  # the moment of the kill is the input of this test
            site.kill()
        writer.stop()
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") >= writer.written, "every record to be scored")
        scored, read = site.metric("records_scored_total"), site.metric("records_read_total")
        assert site.stop() == 0
    finally:
        writer.stop()
        site.close()

    expected = Counter(range(0, writer.written, FAULT_EVERY))
    in_ledger = Counter(json.loads(alert["raw"])["seq"] for alert in site.ledger_alerts())
    delivered = Counter(
        json.loads(json.loads(text)["raw"])["seq"] for text in site.alerts_file.read_bytes().splitlines()
    )
    assert (scored, read) == (writer.written, writer.written)
    assert in_ledger == expected
    assert set(delivered) == set(expected)
    assert writer.written > KILLS * RATE
