"""What is remembered of keys follows a partition from one member of a group to another, over a real broker."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Producer

from monitor.core.accounting import Arrival, MemoryChange, Position
from monitor.core.records import Messages
from monitor.sources import kafka
from monitor.sources._kafka_state_reading import packed_key, unpacked_key
from tests.e2e.support import wait_for
from tests.kafka_broker import Broker, broker
from tests.kafka_reading import Reading, reading, until

STATE = "state"


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker")) as started:
        started.make_topic("readings", 2)
        started.make_topic(STATE, 2)
        yield started


def learned(
    numbers: Sequence[float], *keys: str | None, name: str = "level", forgotten: Sequence[str | None] = (),
    moves: bool = True,
) -> MemoryChange:  # fmt: skip
    return MemoryChange(name, "numeric level", {key: list(numbers) for key in keys}, forgotten, moves)


def commit(read: Reading, batch: Messages, *changes: MemoryChange) -> None:
    """As the daemon does, when a batch and what it changed are in its ledger."""
    place = Position(batch.origin, batch.next_number, b"")
    read.source.remembered(place, changes)
    read.source.committed(place)


def read_all(running: Broker, first: int, *changes: MemoryChange) -> None:
    """A member without a past reads all that is new, and leaves; each of its batches changes the same."""
    with reading(running, "readings", state_topic=STATE) as read:
        until(read, first)
        for batch in read.batches:
            commit(read, batch, *changes)


def arrived(running: Broker, count: int) -> dict[str, list[MemoryChange]]:
    """What comes with each partition to the next member without a past, which reads so many messages."""
    with reading(running, "readings", state_topic=STATE) as read:
        found: list[Arrival] = []
        until(read, count)
        found += read.source.arrivals()
        assert not read.source.arrivals()
        begun = {batch.origin.path: batch.numbers[0] for batch in reversed(read.batches)}
        for each in found:
            assert each.position.offset == begun[each.position.origin.path]
        return {each.position.origin.path: list(each.memories) for each in found}


def test_what_a_member_remembered_comes_with_the_partition(running: Broker) -> None:
    numbers = [0.1 + 0.2, -0.0, 1e308, 5e-324, math.pi]
    changes = [learned(numbers, "host", "lone \ud800", ""), learned([1.0], "host", name="")]
    running.fill("readings", [b"a", b"b"], 2)
    read_all(running, 2, *changes)
    running.fill("readings", [b"c", b"d"], 2)

    found = arrived(running, 2)

    assert found.keys() == {"kafka:readings/0", "kafka:readings/1"}
    for memories in found.values():
        assert [(each.name, each.made_by, each.updated) for each in memories] == [
            (each.name, each.made_by, each.updated) for each in changes
        ]
        assert not any(each.moves for each in memories)


def test_of_a_key_the_last_word_counts_and_a_forgotten_one_is_gone(running: Broker) -> None:
    running.fill("readings", [b"a"])
    read_all(running, 1, learned([1.0], "b", "a", "c"), learned([2.0], "b"))
    running.fill("readings", [b"b"])
    read_all(running, 1, learned([3.0], "d", forgotten=["c", None]), learned([4.0], None))
    running.fill("readings", [b"c"])

    (change,) = arrived(running, 1)["kafka:readings/0"]

    assert list(change.updated.items()) == [("a", [1.0]), ("b", [2.0]), ("d", [3.0])]


def test_what_stays_with_a_daemon_is_not_shared(running: Broker) -> None:
    running.fill("readings", [b"a"])
    read_all(running, 1, learned([1.0], "a", moves=False), learned([1.0], None))
    running.fill("readings", [b"b"])

    assert arrived(running, 1) == {}


def test_a_member_that_comes_back_goes_on_with_its_own(running: Broker) -> None:
    running.fill("readings", [b"a"])
    with reading(running, "readings", state_topic=STATE) as first:
        until(first, 1)
        commit(first, first.batches[0], learned([1.0], "a"))
    running.fill("readings", [b"b"])

    with reading(running, "readings", state_topic=STATE, resume=first.ledger()) as again:
        until(again, 1)
        assert again.source.arrivals() == []


def test_a_partition_that_moves_within_the_group_takes_it_along(running: Broker) -> None:
    running.fill("readings", [b"a", b"b"], 2)
    with reading(running, "readings", state_topic=STATE) as first:
        until(first, 2)
        for batch in first.batches:
            commit(first, batch, learned([1.0], batch.origin.path))
        with reading(running, "readings", state_topic=STATE) as second:
            wait_for(lambda: len(second.source.partitions) == len(first.source.partitions) == 1, "each to have one")
            (path,) = (f"kafka:{each}" for each in second.source.partitions)
            wait_for(lambda: bool(found := second.source.arrivals()) and _is_of(path, found), "what was remembered")


def _is_of(path: str, found: list[Arrival]) -> bool:
    (arrival,) = found
    (change,) = arrival.memories
    return arrival.position.origin.path == path and change.updated == {path: [1.0]}


def test_nothing_is_remembered_beyond_what_the_group_knows(running: Broker) -> None:
    """What is durable later than the place that is committed waits for that of its own."""
    running.fill("readings", [b"a"])
    with reading(running, "readings", state_topic=STATE) as read:
        until(read, 1)
        (batch,) = read.batches
        commit(read, batch, learned([1.0], "a"))
        read.source.remembered(Position(batch.origin, 7, b""), [learned([7.0], "a")])
    running.fill("readings", [b"b"])

    (change,) = arrived(running, 1)["kafka:readings/0"]

    assert change.updated == {"a": [1.0]}


def test_without_the_topic_nothing_is_read_and_the_reason_told(running: Broker) -> None:
    running.fill("readings", [b"a"])
    with reading(running, "readings", state_topic="nowhere") as read:
        wait_for(lambda: "state_topic nowhere: " in str(read.events.connections), "the reason")
        assert "kafka-topics.sh --create --topic nowhere" in str(read.events.connections)
        assert read.read() == []
        running.make_topic("nowhere")
        until(read, 1)


def test_what_others_wrote_into_the_topic_is_told(running: Broker) -> None:
    producer = Producer(running.settings)
    for number in range(2):
        producer.produce(STATE, b"something", b"else", partition=number)
    assert producer.flush(10) == 0
    running.fill("readings", [b"a"])
    read_all_without_state(running)
    running.fill("readings", [b"b"])

    with reading(running, "readings", state_topic=STATE) as read:
        wait_for(lambda: "was not written by aemonitor" in str(read.events.connections), "the reason")


def read_all_without_state(running: Broker) -> None:
    with reading(running, "readings") as read:
        until(read, 1, commit=True)


@pytest.mark.parametrize(
    "key", [("web", "kafka:a/0@x", "level", "host"), ("", "", "", "\ud800"), ("s", "o", "", "ü\0")]
)
def test_keys_come_back(key: tuple[str, str, str, str]) -> None:
    assert unpacked_key(packed_key(key)) == key


@pytest.mark.parametrize("topics", [["readings", "state"], ["^st.*"]])
def test_a_topic_cannot_be_read_and_be_the_state(topics: list[str]) -> None:
    with pytest.raises(ValueError, match="`state_topic` state is among the topics that are read"):
        kafka.Config.model_validate({"brokers": ["127.0.0.1:1"], "topics": topics, "state_topic": "state"})
