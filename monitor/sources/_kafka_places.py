"""Where a partition is read on: behind what the group committed and behind what this daemon has read of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.core.accounting import FileState, Position
from monitor.core.protocols import SourceEvents
from monitor.core.records import Origin
from monitor.sources._inbox import Inbox
from monitor.sources._kafka_connection import ANSWER_SECONDS
from monitor.sources._kafka_partition import NOWHERE, Partition, Receipt

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""The id of topics of brokers that give them none (before 2.8)."""


class Places:
    """Finds places. Used by the member's thread, but for ``sightings`` and ``forgettable``.

    The id of the topic is part of that of the origin: all daemons call a message the same, and those of a topic that
    was deleted and made anew are others.
    """

    def __init__(
        self,
        resume: Sequence[FileState],
        inbox: Inbox[Receipt],
        events: SourceEvents,
        start_at: Literal["beginning", "end"],
    ) -> None:
        self._ledger = {state.origin.file_id: (state.origin.epoch, state.offset) for state in resume}
        self._paths = {state.origin.file_id: state.origin.path for state in resume}
        self._inbox = inbox
        self._events = events
        self._start_at = start_at
        self._sightings: deque[Position] = deque()
        self._forgettable: deque[str] = deque()

    def find(self, consumer: Consumer, admin: AdminClient, wanted: Sequence[TopicPartition]) -> list[Partition]:
        """Where to go on with these partitions.

        Raises:
            KafkaException: the broker does not say what has to be known.
        """
        if not wanted:
            return []
        ids = _topic_ids(admin, sorted({each.topic for each in wanted}))
        committed = consumer.committed(list(wanted), timeout=ANSWER_SECONDS)
        return [self._found(consumer, each, ids[each.topic]) for each in committed]

    def find_anew(self, consumer: Consumer, partition: Partition) -> Partition:
        """Where to go on with a partition that does not have the message that was wanted next, nor was about to get it.

        Raises:
            KafkaException: the broker does not say what it has.
        """
        wanted, origin = partition.next_number, partition.origin
        low = _ends(consumer, TopicPartition(*partition.key))[0]
        if wanted < low:
            self._events.records_lost(origin.path, low - wanted)
            return self._begun(replace(partition, next_number=low, durable=NOWHERE, end=NOWHERE))
        self._events.identity_reset(origin.path, "shrunk")
        begun = replace(origin, epoch=origin.epoch + 1)
        return self._begun(Partition(partition.topic, partition.number, begun, low, NOWHERE))

    def sightings(self) -> list[Position]:
        """Places that were chosen since the last call."""
        return [self._sightings.popleft() for _ in range(len(self._sightings))]

    def forgettable(self) -> list[str]:
        """Origins that are no more, each told once."""
        return [self._forgettable.popleft() for _ in range(len(self._forgettable))]

    def _found(self, consumer: Consumer, group: TopicPartition, topic_id: str) -> Partition:
        if group.error is not None:
            raise KafkaException(group.error)
        path = f"kafka:{group.topic}/{group.partition}"
        file_id = f"{path}@{topic_id}" if topic_id else path
        self._forget_others(path, file_id)
        epoch, known = max(self._inbox.taken(file_id) or (0, NOWHERE), self._ledger.get(file_id, (0, NOWHERE)))
        committed = max(NOWHERE, group.offset)
        start = max(known, committed)
        if start == NOWHERE:
            start = _ends(consumer, group)[self._start_at == "end"]
        origin, foreign = Origin(file_id, epoch, path), committed > known
        return self._begun(Partition(group.topic, group.partition, origin, start, committed, foreign=foreign))

    def _begun(self, partition: Partition) -> Partition:
        """The same, with what of it is durable.

        A place that nobody knew before is noted. Otherwise a daemon that is killed before the first message is read
        would not know where it was to begin.
        """
        if not self._inbox.holds(partition.origin.file_id):
            partition.durable = partition.next_number
            if partition.committed == NOWHERE:
                self._sightings.append(Position(partition.origin, partition.next_number, b""))
        return partition

    def _forget_others(self, path: str, file_id: str) -> None:
        for other in [each for each, home in self._paths.items() if home == path and each != file_id]:
            del self._paths[other]
            self._ledger.pop(other, None)
            self._forgettable.append(other)
            self._events.identity_reset(path, "recreated")


def _topic_ids(admin: AdminClient, topics: list[str]) -> dict[str, str]:
    """The id of each topic; empty where the broker gives none."""
    asked = admin.describe_topics(TopicCollection(topics), request_timeout=ANSWER_SECONDS)
    ids = {topic: str(future.result().topic_id) for topic, future in asked.items()}
    return {topic: "" if each == NO_ID else each for topic, each in ids.items()}


def _ends(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """The number of the first message that is there, and that of the next one to come."""
    asked = TopicPartition(partition.topic, partition.partition)
    ends = cast("tuple[int, int] | None", consumer.get_watermark_offsets(asked, timeout=ANSWER_SECONDS))
    if ends is None:  # which its stub leaves out
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - that is its public name
    return ends
