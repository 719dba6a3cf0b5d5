"""Daemons that share the partitions of a topic: one is killed, one comes in, and nothing is lost or told twice."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from monitor.ledger import Ledger
from tests.e2e import traffic
from tests.e2e.support import Site, aemonitor, wait_for
from tests.kafka_broker import Broker, broker

GROUP, TOPIC, ALERTS = "monitors", "readings", "alerts"
SESSION_SECONDS = 6.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as started:
        started.make_topic(ALERTS)
        yield started


@pytest.fixture
def sites(tmp_path: Path, models: Path, running: Broker) -> Iterator[list[Site]]:
    """Members of one group, none of them started."""
    made = [member(tmp_path / f"site{number}", models, running) for number in range(4)]
    yield made
    for site in made:
        site.close()


def member(root: Path, models: Path, running: Broker) -> Site:
    """A site that reads the topic and sends its alerts to another, too."""
    site = traffic.trained(root, models)
    config = site.config.read_text()
    source = next(line for line in config.splitlines() if line.startswith("    source:"))
    kafka = (
        f"    source: {{kafka: {{brokers: ['{running.address}'], topics: [{TOPIC}], group: {GROUP}, "
        f"session_timeout_seconds: {SESSION_SECONDS}, "
        "properties: {socket.timeout.ms: 3000, max.poll.interval.ms: 40000}}}"
    )
    config = config.replace(source, kafka).replace("sinks: [file]", "sinks: [file, bus]")
    site.config.write_text(f"{config}  bus: {{kafka: {{brokers: ['{running.address}'], topic: {ALERTS}}}}}\n")
    return site


class Feeder(threading.Thread):
    """Sends numbered readings to the partitions in turn, so many a second, until all are sent."""

    def __init__(self, running: Broker, partitions: int, rate: int, most: int, fault_every: int) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({**running.settings, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
        self._partitions = partitions
        self.rate = rate
        self._most = most
        self._fault_every = fault_every
        self.sent = 0

    def run(self) -> None:
        before = time.monotonic()
        while self.sent < self._most:
            time.sleep(0.02)
            now = time.monotonic()
            due = min(self._most, self.sent + int((now - before) * self.rate))
            before = now
            for number in range(self.sent, due):
                line = traffic.line(number, self._fault_every)
                self._producer.produce(TOPIC, line, partition=number % self._partitions)
            self._producer.poll(0)
            self.sent = due
        assert self._producer.flush(120) == 0


def demand_nothing_lost_and_nothing_twice(
    running: Broker, sites: list[Site], written: int, fault_every: int
) -> Counter[str]:
    """Each fault is told under one id; how often each id was sent by all together."""
    ids: dict[int, set[str]] = defaultdict(set)
    read = 0
    for site in sites:
        with Ledger.open(site.state, read_only=True) as ledger:
            read += ledger.counts("web").read
        own = Counter[str]()
        for told in map(json.loads, site.alerts_file.read_bytes().splitlines()):
            own[told["id"]] += 1
        assert own.total() == len(own), "a daemon told an alert twice"
    sent = Counter[str]()
    for key, body in running.contents(ALERTS):
        told = json.loads(body)
        assert key == told["id"].encode()
        ids[json.loads(told["raw"])["seq"]].add(told["id"])
        sent[told["id"]] += 1
    expected = set(range(0, written, fault_every))
    assert ids.keys() == expected, (
        f"lost {sorted(expected - ids.keys())[:9]}, made up {sorted(ids.keys() - expected)[:9]}"
    )
    assert all(len(each) == 1 for each in ids.values()), "one record has two ids"
    assert len(set.union(*ids.values())) == len(expected), "two records have one id"
    assert read >= written
    return sent


def settle(running: Broker, partitions: int, written: int) -> None:
    """Wait until the group has committed all of it."""
    wait_for(lambda: sum(running.committed(GROUP, TOPIC, partitions)) == written, "the group to come to the end")


def shared(sites: list[Site]) -> bool:
    """Whether each of them has read something."""
    return all(site.ready() and site.metric("records_scored_total") > 0 for site in sites)


def test_a_daemon_is_killed_and_the_other_goes_on_without_loss(running: Broker, sites: list[Site]) -> None:
    running.make_topic(TOPIC, 4)
    first, second = sites[:2]
    for site in (first, second):
        site.start()
    feeder = Feeder(running, 4, rate=1000, most=12_000, fault_every=51)
    feeder.start()
    wait_for(lambda: shared([first, second]), "both to read")
    first.kill()
    feeder.join()
    settle(running, 4, 12_000)

    assert second.stop(30) == 0
    demand_nothing_lost_and_nothing_twice(running, [first, second], 12_000, 51)


def test_what_is_left_when_a_daemon_ends_is_read_by_its_next_run(running: Broker, sites: list[Site]) -> None:
    running.make_topic(TOPIC, 2)
    site = sites[0]
    for part in range(2):
        running.fill(TOPIC, traffic.lines(500, part * 500, 50).splitlines(keepends=True), partitions=2)
        aemonitor("run", "-c", str(site.config), "--once")

    verified = aemonitor("verify", "-c", str(site.config)).stdout.decode()
    assert "1,000 read = 1,000 scored" in verified
    assert f"kafka:{TOPIC}/0 epoch 0 up to message 500" in verified
    assert demand_nothing_lost_and_nothing_twice(running, [site], 1000, 50).total() == 20


def test_the_broker_goes_away_and_comes_back(running: Broker, sites: list[Site]) -> None:
    running.make_topic(TOPIC, 2)
    site = sites[0]
    running.fill(TOPIC, traffic.lines(500, 0, 50).splitlines(keepends=True), partitions=2)
    site.start()
    settle(running, 2, 500)
    running.freeze()
    wait_for(lambda: site.metric("source_connected") == 0, "the daemon to notice")
    running.thaw()
    wait_for(lambda: site.metric("source_connected") == 1, "the daemon to be back")
    running.fill(TOPIC, traffic.lines(500, 500, 50).splitlines(keepends=True), partitions=2)
    settle(running, 2, 1000)

    assert site.metric("source_disconnections_total") >= 1
    assert site.stop(30) == 0
    demand_nothing_lost_and_nothing_twice(running, [site], 1000, 50)


@pytest.mark.long
def test_a_million_records_three_daemons_one_killed_and_one_added(running: Broker, sites: list[Site]) -> None:
    written, partitions, fault_every = 1_000_000, 8, 201
    running.make_topic(TOPIC, partitions)
    for site in sites[:3]:
        site.start()
    feeder = Feeder(running, partitions, rate=20_000, most=written, fault_every=fault_every)
    feeder.start()
    wait_for(lambda: shared(sites[:3]), "three to read")
    sites[0].kill()
    wait_for(lambda: feeder.sent > written // 2, "half of it")
    feeder.rate = 2_000  # while the new one starts; it is to find something to do
    sites[3].start()
    wait_for(lambda: shared(sites[3:]), "the new one to read")
    feeder.rate = 20_000
    feeder.join()
    settle(running, partitions, written)

    for site in sites[1:]:
        assert site.stop(60) == 0
    sent = demand_nothing_lost_and_nothing_twice(running, sites, written, fault_every)
    print(f"{sent.total() - len(sent)} of {len(sent)} alerts were sent by two daemons")
