"""Reads a compacted topic of remembered keys from its beginning to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec  # its only home for type checkers

from monitor.core.accounting import MemoryChange
from monitor.core.errors import UnavailableError
from monitor.sources._kafka_connection import ANSWER_SECONDS

RECALL_SECONDS = 60.0
"""How long it may take to read it: meanwhile nothing of the source is received."""

MOST = 10_000
"""Messages that are taken at once."""


class Row(NamedTuple):
    """The numbers of a key, and what they mean (see ``Memory``)."""

    made_by: str
    numbers: list[float]


RowKey = tuple[str, str, str, str]
"""The stream, the origin, the memory's name and the key in it."""


def packed_key(key: RowKey) -> bytes:
    """The key of the message that holds a row; any text can be one, half a surrogate pair, too."""
    return msgspec.msgpack.encode([part.encode("utf-8", "surrogatepass") for part in key])


def unpacked_key(packed: bytes) -> RowKey:
    """What ``packed_key`` was given; raises msgspec.DecodeError or ValueError for anything else."""
    stream, origin, name, key = (
        str(part, "utf-8", "surrogatepass") for part in msgspec.msgpack.decode(packed, type=list[bytes])
    )
    return stream, origin, name, key


def recalled(
    told: Mapping[str, Any], topic: str, stream: str, origins: Mapping[str, int]
) -> tuple[int, dict[str, dict[tuple[str, str], Row]]]:
    """How many partitions the topic has, and its rows of a stream's origins, by origin, memory and key.

    ``told`` are the settings of a consumer that tells where partitions end. ``origins`` are the numbers of their
    partitions. The key that was seen last stands last, as far as is known.

    Raises:
        UnavailableError: there is no such topic, or it cannot be read to its end in time.
        KafkaException: brokers do not answer, or refuse.
    """
    with closing(Consumer({**told, "isolation.level": "read_committed"})) as consumer:
        count = _partitions(consumer, topic)
        wanted = sorted({number % count for number in origins.values()})
        ends = _ends(AdminClient(dict(told)), topic, wanted) if wanted else {}
        rows: dict[str, dict[tuple[str, str], Row]] = {origin: {} for origin in origins}
        for message in _messages(consumer, topic, ends):
            _take(message, stream, rows)
        return count, rows


def as_changes(rows: Mapping[tuple[str, str], Row]) -> list[MemoryChange]:
    """The same as changes of memories; those of one name that were made by different parts stand apart."""
    found: dict[tuple[str, str], dict[str | None, Sequence[float]]] = {}
    for (name, key), row in rows.items():
        found.setdefault((name, row.made_by), {})[key] = row.numbers
    return [MemoryChange(name, made_by, updated) for (name, made_by), updated in found.items()]


def _take(message: Message, stream: str, rows: dict[str, dict[tuple[str, str], Row]]) -> None:
    packed, value = message.key(), message.value()
    try:
        whose, origin, name, key = unpacked_key(packed if isinstance(packed, bytes) else b"")
        if whose != stream or origin not in rows:
            return
        rows[origin].pop((name, key), None)
        if value is not None:
            rows[origin][name, key] = Row(*msgspec.msgpack.decode(value, type=tuple[str, list[float]]))
    except (msgspec.MsgspecError, ValueError) as error:
        place = f"{message.topic()}, partition {message.partition()}, offset {message.offset()}"
        raise UnavailableError(
            f"state_topic {place}: was not written by aemonitor ({error}); give it a topic of its own"
        ) from error


def _partitions(consumer: Consumer, topic: str) -> int:
    found = consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    if found.error is not None or not found.partitions:
        reason = found.error.str() if found.error else "it has no partitions"
        raise UnavailableError(
            f"state_topic {topic}: {reason}; make it, with as many partitions as are read: kafka-topics.sh --create "
            f"--topic {topic} --partitions N --config cleanup.policy=compact"
        )
    return len(found.partitions)


def _ends(admin: AdminClient, topic: str, numbers: Sequence[int]) -> dict[int, int]:
    """Where partitions end, transactions that are still open among what is there."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked: dict[TopicPartition, Any] = {TopicPartition(topic, number): latest for number in numbers}
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_SECONDS)
    return {place.partition: answer.result().offset for place, answer in answers.items()}


def _messages(consumer: Consumer, topic: str, ends: Mapping[int, int]) -> Iterator[Message]:
    """Everything before these ends.

    Behind a transaction of a member that died nothing can be read until brokers give it up: that is waited for.
    """
    left = {number for number, end in ends.items() if end > 0}
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
    give_up = time.monotonic() + RECALL_SECONDS
    while left:
        if time.monotonic() > give_up:
            raise UnavailableError(f"state_topic {topic}: could not be read to its end in {RECALL_SECONDS:g} seconds")
        for message in consumer.consume(MOST, 0.2):
            error = message.error()
            if error is None:
                yield message
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its public name
                raise KafkaException(error)
            elif (message.offset() or 0) >= ends[number := message.partition() or 0]:
                left.discard(number)
