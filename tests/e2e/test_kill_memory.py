"""kill -9 while features remember keys: every record gets the score that it has in a run nobody disturbs."""

from __future__ import annotations

import json
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for

KILLS = 3
RATE = 100
"""Records a second, of which nearly all alert: so many that a batch has a few, so few that explaining them keeps up."""
PER_LIFE = 200
"""Records of one life of the daemon; it is killed before the last of them is scored."""
KEYS = 7
"""Of which four are remembered: keys are forgotten and come back all the time."""

PATIENCE = 200.0
"""Seconds: each record alerts, and is explained."""

FEATURES = [
    "level: {streaming: {since: true, rate: true, max_keys: 4}}",
    "gap: {interarrival: {max_keys: 4}}",
    "levels: {window: {field: level, length: 4, max_keys: 4}}",
    "modes: {counts: {field: mode, window: sliding, seconds: 60, max_keys: 4}}",
]
"""Every kind that remembers keys; the average of the scores remembers them, too."""
EXTRA = "time: {field: time}\nkey: host\nalert: {threshold: 1.0e-9}\nscore: {average: 5}"


def line(number: int) -> bytes:
    """A reading of a host that is drawn; levels wander, so that a forgotten average shows."""
    chance = random.Random(number)
    host = min(chance.randrange(KEYS), chance.randrange(KEYS))
    level = 50.0 * host + number % 97 + chance.gauss(0, 2)
    time = 1.7e9 + 3.0 * number + chance.random()
    record = {"time": time, "host": f"host {host}", "level": level, "mode": chance.choice("abc")}
    return json.dumps(record).encode() + b"\n"


class Writer(threading.Thread):
    """Appends a few lines at a time, up to ``most`` in all, until told to stop."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._stopped = threading.Event()
        self.written = self.most = 0

    def run(self) -> None:
        with self._log.open("ab", buffering=0) as out:
            while not self._stopped.wait(0.02):
                upto = min(self.most, self.written + RATE // 50)
                out.write(b"".join(line(number) for number in range(self.written, upto)))
                self.written = upto

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def scores(site: Site) -> list[tuple[str, Any, Any]]:
    return [(each["raw"], each["score"], each["fields"]) for each in site.ledger_alerts()]


@pytest.mark.timeout(600)
def test_what_is_remembered_of_keys_survives_kills(tmp_path: Path) -> None:
    site, calm = Site(tmp_path / "killed"), Site(tmp_path / "calm")
    for each in (site, calm):
        each.configure("json_lines", FEATURES, extra=EXTRA)
    benign = tmp_path / "benign.jsonl"
    benign.write_bytes(b"".join(line(-number) for number in range(3_000, 0, -1)))
    site.retrain(benign, "--force")  # it alerts on everything, which the gate would not have
    shutil.copytree(site.state / "models", calm.state / "models")
    writer = Writer(site.log)
    chance = random.Random(5)
    writer.start()
    try:
        for _ in range(KILLS):
            site.start_and_wait()
            writer.most += PER_LIFE  # on a machine that explains them slowly they must not pile up
            goal = site.metric("records_scored_total") + chance.randrange(10, PER_LIFE - 50)
            wait_for(lambda: site.metric("records_scored_total") >= goal, "some records", PATIENCE)  # noqa: B023
            site.kill()
        writer.stop()
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") == writer.written, "every record to be scored", PATIENCE)
        assert site.stop() == 0
    finally:
        writer.stop()
        site.close()

    shutil.copy(site.log, calm.log)
    aemonitor("run", "-c", str(calm.config), "--once")

    found = scores(site)
    assert len(found) > 0.95 * writer.written  # all but those that are better than any benign record
    assert found == scores(calm)
