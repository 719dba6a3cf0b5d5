"""The source `kafka` against a real broker: nothing is lost, nothing comes twice to one daemon, all is told."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka import Producer

from monitor.core.accounting import FileState
from monitor.core.records import Origin
from monitor.sinks import kafka as kafka_sink
from monitor.sources import _kafka_places, kafka
from tests.e2e.support import wait_for
from tests.kafka_broker import Broker, Tls, broker
from tests.kafka_reading import MOST, reading, to_the_end, until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker")) as started:
        yield started


def messages(first: int, count: int) -> list[bytes]:
    return [b"m%d" % number for number in range(first, first + count)]


def test_once_reads_every_partition_to_its_end_in_order(running: Broker) -> None:
    topic = running.make_topic("ends", 3)
    running.fill(topic, messages(0, 1000), partitions=3)

    read = to_the_end(running, topic)

    assert sorted(read.texts) == sorted(f"m{number}" for number in range(1000))
    for part in range(3):
        mine = [each for each in read.batches if each.origin.path == f"kafka:ends/{part}"]
        assert [number for each in mine for number in each.numbers] == list(range(len(range(part, 1000, 3))))
        assert {each.origin.file_id.partition("@")[0] for each in mine} == {f"kafka:ends/{part}"}
    assert running.committed(topic, topic, 3) == [334, 333, 333]
    assert read.events.connections[-1] == (running.address, "")


def test_once_ends_where_a_partition_is_empty(running: Broker) -> None:
    assert to_the_end(running, running.make_topic("empty", 2)).texts == []


def test_a_second_run_goes_on_where_the_group_was(running: Broker) -> None:
    topic = running.make_topic("again")
    running.fill(topic, messages(0, 10))
    to_the_end(running, topic)
    running.fill(topic, messages(10, 5))

    assert to_the_end(running, topic).texts == [f"m{number}" for number in range(10, 15)]


def test_what_the_ledger_has_and_the_group_does_not_know_is_not_read_again(running: Broker) -> None:
    topic = running.make_topic("ledger")
    running.fill(topic, messages(0, 10))
    with reading(running, topic) as read:
        until(read, 10)  # and nothing is told as committed: the daemon is killed behind its own commit
    running.fill(topic, messages(10, 5))

    again = to_the_end(running, topic, resume=read.ledger())

    assert again.texts == [f"m{number}" for number in range(10, 15)]
    assert running.committed(topic, topic) == [15]


def test_what_the_group_knows_and_the_ledger_does_not_is_not_read_again(running: Broker) -> None:
    topic = running.make_topic("others")
    running.fill(topic, messages(0, 4))
    earlier = to_the_end(running, topic).ledger()
    running.fill(topic, messages(4, 4))
    to_the_end(running, topic, resume=earlier)  # another daemon
    running.fill(topic, messages(8, 4))

    assert to_the_end(running, topic, resume=earlier).texts == [f"m{number}" for number in range(8, 12)]


def test_what_was_not_committed_is_read_again_under_the_same_numbers(running: Broker) -> None:
    topic = running.make_topic("numbers")
    running.fill(topic, messages(0, 10))
    with reading(running, topic) as first:
        until(first, 10)

    second = to_the_end(running, topic)

    assert [(each.origin, each.numbers) for each in second.batches] == [
        (each.origin, each.numbers) for each in first.batches
    ]


def test_deleted_keys_are_no_records_and_empty_messages_are(running: Broker) -> None:
    topic = running.make_topic("tombstones")
    running.fill(topic, [b"a", None, b"", b"b", None])

    read = to_the_end(running, topic)

    assert [(each.payloads, each.numbers, each.next_number) for each in read.batches] == [
        ([b"a", b"", b"b"], [0, 2, 3], 5)
    ]
    assert running.committed(topic, topic) == [5]


def test_a_topic_that_was_made_anew_is_another_origin_and_told(running: Broker) -> None:
    topic = running.make_topic("anew")
    running.fill(topic, messages(0, 10))
    before = to_the_end(running, topic)
    running.delete_topic(topic)
    running.make_topic(topic)
    running.fill(topic, messages(0, 3))

    after = to_the_end(running, topic, resume=before.ledger())

    assert after.texts == ["m0", "m1", "m2"]
    assert after.batches[0].origin.file_id != before.batches[0].origin.file_id
    assert after.events.resets == [("kafka:anew/0", "recreated")]
    assert after.source.forgettable() == [before.batches[0].origin.file_id]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The broker that librdkafka brings for tests: it refuses places that are not there, and knows no ids of topics."""
    monkeypatch.setattr(_kafka_places, "_topic_ids", lambda _admin, topics: dict.fromkeys(topics, ""))
    cluster = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 2})
    (node,) = cluster.list_topics(timeout=10).brokers.values()
    return Broker(cluster, f"{node.host}:{node.port}")


def test_a_ledger_beyond_the_end_of_the_log_begins_a_new_epoch_and_is_told(strict: Broker) -> None:
    strict.fill("shrunk", messages(0, 3))
    beyond = FileState(Origin("kafka:shrunk/0", 0, "kafka:shrunk/0"), 1000, b"", 0)

    after = to_the_end(strict, "shrunk", resume=[beyond], session_timeout_seconds=10.0)

    assert (after.texts, after.batches[0].origin.epoch) == (["m0", "m1", "m2"], 1)
    assert after.events.resets == [("kafka:shrunk/0", "shrunk")]
    assert [(each.origin.epoch, each.offset) for each in after.sightings if each.origin.epoch] == [(1, 0)]


def test_start_at_the_end_reads_only_what_comes_and_remembers_where_it_began(running: Broker) -> None:
    topic = running.make_topic("end")
    running.fill(topic, [b"old"])
    with reading(running, topic, start_at="end") as read:
        wait_for(lambda: not read.read() and bool(read.sightings), "the place", 60)
        (place,) = read.sightings
        running.fill(topic, [b"new"])
        until(read, 1)

    assert (read.texts, place.offset) == (["new"], 1)


def test_topics_by_pattern_and_by_name_are_read_together(running: Broker) -> None:
    for topic in ("logs-a", "logs-b", "single", "unrelated"):
        running.fill(running.make_topic(topic), [topic.encode()])

    read = to_the_end(running, "single", "^logs-.*")

    assert sorted(read.texts) == ["logs-a", "logs-b", "single"]


def test_a_topic_that_appears_later_is_read_when_it_does(running: Broker) -> None:
    with reading(running, "^later-.*", group="later", new_topics_seconds=1.0) as read:
        wait_for(lambda: bool(read.events.connections), "the connection", 60)
        running.fill(running.make_topic("later-1"), [b"here"])
        until(read, 1)

    assert read.texts == ["here"]


def test_with_no_room_partitions_are_paused_and_go_on_when_there_is(running: Broker) -> None:
    topic = running.make_topic("room")
    running.fill(topic, [b"x" * 1000] * 3000)
    with reading(running, topic, queue_bytes=100_000) as read:
        wait_for(lambda: read.source.paused, "the pause", 60)
        held = read.source.held_bytes
        until(read, 3000, commit=True)

    assert held < 300_000
    assert read.texts == ["x" * 1000] * 3000


def test_no_more_is_read_ahead_of_what_is_durable_than_keeps_the_scorer_busy(running: Broker) -> None:
    topic = running.make_topic("flying")
    running.fill(topic, messages(0, 2000))
    with reading(running, topic) as read:
        until(read, 4 * MOST)
        assert read.read() == []
        flying = len(read.texts)
        until(read, 2000, commit=True)

    assert flying < 5 * MOST


def test_two_members_share_the_partitions_and_a_revoked_one_is_given_up_when_it_is_durable(running: Broker) -> None:
    topic = running.make_topic("shared", 4)
    running.fill(topic, messages(0, 400), partitions=4)
    with reading(running, topic) as first:
        until(first, 400)
        with reading(running, topic) as second:

            def moved() -> bool:
                first.read()
                first.commit()
                second.read()
                return len(second.source.partitions) == 2

            wait_for(moved, "half of the partitions to move", 60)
            running.fill(topic, messages(400, 40), partitions=4)

            def all_there() -> bool:
                first.read()
                second.read()
                return len(first.texts) + len(second.texts) >= 440

            wait_for(all_there, "what came then", 60)

    assert sorted(first.texts + second.texts) == sorted(f"m{number}" for number in range(440))
    assert second.texts


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Broker]:
    """A broker that proves with a certificate of ``ca.pem`` who it is; ``other.pem`` is somebody else's authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with broker(tmp_path, Tls(context, str(tmp_path / "ca.pem"))) as started:
        yield started


def test_with_tls_only_a_broker_that_is_vouched_for_is_read(encrypted: Broker, tmp_path: Path) -> None:
    topic = encrypted.make_topic("encrypted")
    encrypted.fill(topic, messages(0, 10))

    assert len(to_the_end(encrypted, topic, tls=True, ca_file=str(tmp_path / "ca.pem")).texts) == 10
    with reading(encrypted, topic, tls=True, ca_file=str(tmp_path / "other.pem")) as read:
        wait_for(lambda: bool(read.events.connections), "a word on it", 60)
        assert read.read() == []
    assert "certificate verify failed" in read.events.connections[0][1]


def test_a_password_that_is_wrong_is_told_and_not_shown(running: Broker, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("sesame")
    options: dict[str, Any] = {"username": "ops", "password_file": str(password), "mechanism": "SCRAM-SHA-256"}
    with reading(running, "any", **options) as read:
        wait_for(lambda: bool(read.events.connections), "a word on it", 60)

    assert read.events.connections[0][1]
    assert "sesame" not in read.events.connections[0][1]


@pytest.mark.parametrize(("topics", "read_back"), [(["alerts"], True), (["^al"], True), (["orders", "^x"], False)])
def test_a_stream_that_would_read_its_own_alerts_is_found_out(topics: list[str], read_back: bool) -> None:
    source = kafka.Config(brokers=["a:1", "b:1"], topics=topics)

    assert source.read_back(kafka_sink.Config(brokers=["b:1"], topic="alerts")) == (
        "topic alerts" if read_back else None
    )
    assert source.read_back(kafka_sink.Config(brokers=["c:1"], topic="alerts")) is None


def test_how_far_it_is_behind_is_told_and_what_is_durable_committed(running: Broker) -> None:
    topic = running.make_topic("lag")
    running.fill(topic, messages(0, 250))
    with reading(running, topic) as read:
        until(read, 250)
        wait_for(lambda: read.events.behind_records == 250, "the lag to be told", 60)
        read.commit()
        wait_for(lambda: read.events.behind_records == 0, "no lag", 60)
        wait_for(lambda: running.committed(topic, topic) == [250], "the commit", 60)
