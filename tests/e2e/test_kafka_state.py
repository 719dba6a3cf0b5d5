"""A daemon that gets a partition goes on with what another one remembered of its keys, bit by bit."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer

from monitor.ledger import Ledger
from tests.e2e.support import Site, wait_for
from tests.kafka_broker import Broker, broker

TOPIC, STATE = "readings", "state"
PARTITIONS, KEYS, RECORDS, RATE = 2, 20, 6000, 1000
FEATURES = ["level: streaming", "gap: interarrival"]
EXTRA = "time: {field: at}\nkey: device\nscore: {average: 4}"
MEMORIES = ("level", "gap", "")
"""Of the features, and of the scores that are averaged."""


def record(number: int) -> bytes:
    level = 20.0 + np.sin(number / 37.0) + number % 7
    return json.dumps({"at": 1_790_000_000 + number / 10, "device": f"d{number % KEYS}", "level": level}).encode()


class Feeder(threading.Thread):
    """Sends all records, those of a device to one partition."""

    def __init__(self, running: Broker) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({**running.settings, "linger.ms": 5})

    def run(self) -> None:
        for number in range(RECORDS):
            self._producer.produce(TOPIC, record(number), partition=number % KEYS % PARTITIONS)
            if number % (RATE // 50) == 0:
                self._producer.poll(0)
                time.sleep(1 / 50)
        assert self._producer.flush(60) == 0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as started:
        for topic in (TOPIC, STATE):
            started.make_topic(topic, PARTITIONS)
        yield started


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """What is learned from a file, for all sites."""
    site = Site(tmp_path_factory.mktemp("trained") / "site")
    site.configure("json_lines", FEATURES, extra=EXTRA)
    benign = site.root / "benign.jsonl"
    benign.write_bytes(b"".join(record(number) + b"\n" for number in range(2000)))
    site.retrain(benign)
    return site


def member(root: Path, trained: Site, running: Broker, group: str) -> Site:
    site = Site(root)
    site.configure("json_lines", FEATURES, extra=EXTRA)
    source = (
        f"    source: {{kafka: {{brokers: ['{running.address}'], topics: [{TOPIC}], group: {group}, "
        f"state_topic: {STATE}, session_timeout_seconds: 6, properties: {{max.poll.interval.ms: 40000}}}}}}"
    )
    lines = site.config.read_text().splitlines()
    site.config.write_text("\n".join(source if "source:" in line else line for line in lines) + "\n")
    shutil.copytree(trained.state / "models", site.state / "models")
    return site


def remembered(site: Site) -> dict[str, Mapping[str, list[float]]]:
    with Ledger.open(site.state, read_only=True) as ledger:
        states = {name: memory.state() for name, memory in ledger.memories(site.stream).items() if name in MEMORIES}
    return {name: dict(zip(state["keys"], state["values"], strict=True)) for name, state in states.items()}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_remembered_is_that_of_one_daemon_alone(
    tmp_path: Path, running: Broker, trained: Site, end: str
) -> None:
    def progress(group: str) -> int:
        return sum(max(0, each) for each in running.committed(group, TOPIC, PARTITIONS))

    first, second, alone = (
        member(tmp_path / name, trained, running, group) for name, group in (("a", "g"), ("b", "g"), ("c", "alone"))
    )
    feeder = Feeder(running)
    try:
        first.start_and_wait()
        feeder.start()
        wait_for(lambda: progress("g") > RECORDS / 6, "the first to have begun")
        if end == "kill":
            first.kill()
        else:
            assert first.stop(within_seconds=60) == 0
        assert 0 < progress("g") < RECORDS
        second.start_and_wait()
        alone.start_and_wait()
        feeder.join()
        for site, group in ((second, "g"), (alone, "alone")):
            wait_for(lambda group=group: progress(group) == RECORDS, "all of it to be scored")  # type: ignore[misc]
            assert site.stop(within_seconds=60) == 0
    finally:
        for site in (first, second, alone):
            site.close()

    whole = remembered(alone)
    assert {name: len(keys) for name, keys in whole.items()} == dict.fromkeys(MEMORIES, KEYS)
    assert remembered(second) == whole
