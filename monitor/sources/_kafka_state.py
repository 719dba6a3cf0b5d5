"""What is remembered of keys, in a compacted topic: it moves with the partitions from one member to another.

A message holds the numbers of one key; its own key names the stream, the partition's origin, the memory and the key.
What batches up to an offset changed goes into one transaction with that offset, so that whoever takes a partition over
finds what is remembered as it was at the very place where it begins.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from monitor.core.accounting import Arrival, MemoryChange, Position
from monitor.sources._kafka_connection import ANSWER_SECONDS
from monitor.sources._kafka_partition import Partition
from monitor.sources._kafka_state_reading import Row, as_changes, packed_key, recalled


class Reachable(Protocol):
    """How brokers are reached."""

    def client(self, own: Mapping[str, Any]) -> dict[str, Any]: ...
    def told(self, *, once: bool) -> dict[str, Any]: ...


Rows = dict[tuple[str, str], Row | None]
"""By memory and key; None: it is forgotten."""


class SharedState:
    """Publishes what this member's batches change, and reads what others left of partitions that come from them.

    ``note`` and ``arrivals`` are the reader's, all else belongs to the member's thread.

    Args:
        options: those of the source, with a ``state_topic``.
    """

    def __init__(self, options: Reachable, topic: str, stream: str) -> None:
        self._options = options
        self._topic = topic
        self._stream = stream
        self._name = f"aemonitor-{uuid4().hex}"
        self._producer: Producer | None = None
        self._partitions = 1
        self._rows: dict[str, Rows] = {}  # by origin: durable here, and not published
        self._lock = threading.Lock()
        self._noted: dict[str, deque[tuple[int, Sequence[MemoryChange]]]] = {}  # by origin: up to which offset
        self._arrivals: deque[Arrival] = deque()

    # -- the reader --------------------------------------------------------------------------------------------

    def note(self, position: Position, changes: Sequence[MemoryChange]) -> None:
        """The batch before a position, which is durable, changed this."""
        moving = [change for change in changes if change.moves]
        if moving:
            with self._lock:
                self._noted.setdefault(position.origin.file_id, deque()).append((position.offset, moving))

    def arrivals(self) -> list[Arrival]:
        """What came with partitions since the last call."""
        return [self._arrivals.popleft() for _ in range(len(self._arrivals))]

    # -- the member --------------------------------------------------------------------------------------------

    def recall(self, found: Sequence[Partition]) -> None:
        """Read what is remembered of keys of those of the partitions that were another's before.

        Raises:
            KafkaException, UnavailableError: the topic cannot be read.
        """
        foreign = {each.origin.file_id: each for each in found if each.foreign}
        self.forget(foreign)
        numbers = {file_id: each.number for file_id, each in foreign.items()}
        self._partitions, rows = recalled(self._options.told(once=True), self._topic, self._stream, numbers)
        for file_id, each in foreign.items():
            if changes := as_changes(rows.get(file_id, {})):
                self._arrivals.append(Arrival(Position(each.origin, each.next_number, b""), changes))

    def forget(self, file_ids: Collection[str]) -> None:
        """These are another's by now: what was changed since the last transaction is not published."""
        with self._lock:
            for file_id in file_ids:
                self._noted.pop(file_id, None)
                self._rows.pop(file_id, None)

    def publish(self, consumer: Consumer, places: Mapping[str, TopicPartition]) -> None:
        """Commit places of origins to the group, and with them what is remembered there.

        Raises:
            KafkaException: nothing was committed, as far as is known; what there is to publish waits.
            AemonitorError: the brokers cannot be asked any more.
        """
        self._gather(places)
        producer = self._opened()
        try:
            producer.begin_transaction()
            for file_id, place in places.items():
                for (name, key), row in self._rows.get(file_id, {}).items():
                    self._send(producer, place.partition, packed_key((self._stream, file_id, name, key)), row)
            producer.send_offsets_to_transaction(
                list(places.values()), consumer.consumer_group_metadata(), ANSWER_SECONDS
            )
            producer.commit_transaction(ANSWER_SECONDS)
        except KafkaException as error:
            self._undo(producer, error.args[0])
            raise
        for file_id in places:
            self._rows.pop(file_id, None)

    def _gather(self, places: Mapping[str, TopicPartition]) -> None:
        """Of each key the last that is true of it at these places."""
        with self._lock:
            for file_id, place in places.items():
                noted, rows = self._noted.get(file_id), self._rows.setdefault(file_id, {})
                while noted and noted[0][0] <= place.offset:
                    for change in noted.popleft()[1]:
                        _merge(rows, change)

    def _opened(self) -> Producer:
        if self._producer is None:
            own = {"transactional.id": self._name, "transaction.timeout.ms": int(ANSWER_SECONDS * 1000),
                   "compression.type": "lz4", "linger.ms": 5}  # fmt: skip
            producer = Producer(self._options.client(own))
            producer.init_transactions(ANSWER_SECONDS)
            self._producer = producer
        return self._producer

    def _send(self, producer: Producer, number: int, key: bytes, row: Row | None) -> None:
        value = None if row is None else msgspec.msgpack.encode(row)
        try:
            producer.produce(self._topic, value, key, number % self._partitions)
        except BufferError:  # librdkafka's queue is full
            producer.flush(ANSWER_SECONDS)
            producer.produce(self._topic, value, key, number % self._partitions)

    def _undo(self, producer: Producer, error: KafkaError) -> None:
        """Abort; where that is not possible the next producer does it, which goes by the same name."""
        self._producer = None
        if error.txn_requires_abort():
            try:
                producer.abort_transaction(ANSWER_SECONDS)
            except KafkaException:
                return
            self._producer = producer


def _merge(rows: Rows, change: MemoryChange) -> None:
    rows.update({(change.name, key): None for key in change.forgotten if key is not None})
    for key, numbers in change.updated.items():
        if key is not None:  # records without a key are in any partition
            rows.pop((change.name, key), None)
            rows[change.name, key] = Row(change.made_by, list(numbers))
