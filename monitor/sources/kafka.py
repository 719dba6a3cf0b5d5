"""Reads topics of Kafka as a member of a consumer group; offsets are committed behind what is durable in the ledger."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.brokers.kafka import EXTRA, LIBRARY, KafkaOptions, Topic, settings
from monitor.core.accounting import Arrival, MemoryChange, Position
from monitor.core.extras import require
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages
from monitor.core.regexes import demand_re2
from monitor.core.strict import StrictModel
from monitor.sources._inbox import Inbox, joined
from monitor.sources._kafka_partition import Receipt

if TYPE_CHECKING:
    from monitor.sources._kafka_member import Member

EXAMPLE = """
brokers: ["kafka-1.example.net:9092", "kafka-2.example.net:9092"]
topics: [orders, "^logs-.*"]
group: aemonitor
"""

RESERVED = ("group.id", "group.instance.id", "group.protocol", "partition.assignment.strategy", "auto.offset.reset",
            "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof", "session.timeout.ms",
            "heartbeat.interval.ms", "queued.max.messages.kbytes", "topic.metadata.refresh.interval.ms")  # fmt: skip


BATCHES_FLYING = 4
"""The scorer has one, and finds the next ones ready."""


def _pattern(topic: str) -> str:
    return demand_re2(topic) if topic.startswith("^") else topic


class Config(KafkaOptions, MessageOptions):
    """Topics to read."""

    topics: list[Annotated[str, Field(min_length=1), AfterValidator(_pattern)]] = Field(
        min_length=1,
        description="Topics to read. One that begins with `^` is a regular expression; topics that match it are read "
        "as they appear.",
    )
    group: str = Field(
        default="aemonitor",
        min_length=1,
        description="The consumer group. Daemons of one group share the partitions among them; give each stream a "
        "group of its own.",
    )
    instance: str | None = Field(
        default=None,
        min_length=1,
        description="The lasting name of this member of the group (static membership), which no other daemon has: a "
        "restart within `session_timeout_seconds` moves no partition.",
    )
    start_at: Literal["beginning", "end"] = Field(
        default="beginning",
        description="Where to begin in a partition of which neither the group nor the ledger knows a place.",
    )
    session_timeout_seconds: float = Field(
        default=45.0, ge=1, le=3600, description="How long the group waits for a member that is not heard of any more."
    )
    new_topics_seconds: float = Field(
        default=30.0, ge=1, le=3600, description="How often it is looked for topics that match and new partitions."
    )
    state_topic: Topic | None = Field(
        default=None,
        description="A compacted topic in which daemons of the group leave what they remember of keys, so that it "
        "moves with the partitions. It has as many partitions as the topic that is read. None: it stays where it is.",
    )

    @model_validator(mode="after")
    def _state_apart(self) -> Self:
        if self.state_topic is not None and self._reads(self.state_topic):
            raise ValueError(f"`state_topic` {self.state_topic} is among the topics that are read")
        return self

    def _reads(self, topic: str) -> bool:
        patterns = (re.compile(each) for each in self.topics if each.startswith("^"))
        return topic in self.topics or any(pattern.search(topic) for pattern in patterns)

    @classmethod
    def reserved(cls) -> tuple[str, ...]:
        return RESERVED

    @property
    def places(self) -> Sequence[str]:
        return [f"kafka:{topic}" for topic in self.topics]

    def read_back(self, sink: StrictModel) -> str | None:
        topic = getattr(sink, "topic", None)
        if not isinstance(sink, KafkaOptions) or not isinstance(topic, str) or not {*sink.brokers} & {*self.brokers}:
            return None
        return f"topic {topic}" if self._reads(topic) else None

    def client(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of any client of these brokers; raises what ``settings`` does."""
        return settings(self, own)

    def told(self, *, once: bool) -> dict[str, Any]:
        """The settings of librdkafka; raises what ``settings`` does."""
        own: dict[str, Any] = {
            "group.id": self.group,
            "session.timeout.ms": int(self.session_timeout_seconds * 1000),
            "heartbeat.interval.ms": int(min(3.0, self.session_timeout_seconds / 3) * 1000),
            "topic.metadata.refresh.interval.ms": int(self.new_topics_seconds * 1000),
            "queued.max.messages.kbytes": max(1, self.queue_bytes >> 10),
            "partition.assignment.strategy": "cooperative-sticky",
            "auto.offset.reset": "error",  # places are ours to choose
            "enable.auto.commit": False,
            "enable.partition.eof": once,
        }
        return settings(self, own | ({"group.instance.id": self.instance} if self.instance else {}))


def build(config: Config, context: SourceContext, *, once: bool = False) -> Kafka:
    """The source. With ``once`` it ends where the partitions that it is given ended when it got them.

    Raises:
        UnavailableError: the extra is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    require(EXTRA, LIBRARY)
    from monitor.sources._kafka_member import Member

    config.told(once=once)  # files that cannot be used are told now
    inbox = Inbox[Receipt](config.queue_bytes, context.wake)
    return Kafka(Member(config, context, inbox, once=once), inbox, context.max_records)


class Kafka:
    """What the reader sees of a member of a group, which has a thread of its own."""

    def __init__(self, member: Member, inbox: Inbox[Receipt], max_records: int) -> None:
        self._member = member
        self._max_records = max_records
        self._most_flying = BATCHES_FLYING * max_records
        self._inbox = inbox
        member.start()

    @property
    def exhausted(self) -> bool:
        """Whether ``once`` has come to the end and everything was handed out."""
        return self._member.finished and self._inbox.empty

    @property
    def pause(self) -> float:
        """Seconds the driver may wait; ``wake`` is called as soon as something arrives."""
        return 0.25

    @property
    def paused(self) -> bool:
        """Whether messages are left with the brokers, since there is no room for them."""
        return self._member.paused

    @property
    def held_bytes(self) -> int:
        """Bytes received ahead."""
        return self._inbox.held_bytes

    @property
    def partitions(self) -> list[str]:
        """Which ones this member has now."""
        return self._member.assignment

    def read(self, budget_bytes: int) -> list[Messages]:
        """What has arrived, about ``budget_bytes`` of it.

        Raises:
            BaseException: the member's thread died of it.
        """
        if self._member.failure is not None:
            raise self._member.failure
        # What flies has to land before a partition can be given up, so there is no more of it than keeps all busy.
        taken = self._inbox.take(budget_bytes, self._most_flying)
        return joined(taken, self._max_records)

    def sightings(self) -> list[Position]:
        """Where partitions were begun of which nothing was known."""
        return self._member.places.sightings()

    def forgettable(self) -> list[str]:
        """Partitions of topics that were deleted and made anew since."""
        return self._member.places.forgettable()

    def committed(self, position: Position) -> None:
        """Its offset may be committed to the group."""
        self._inbox.committed(position)

    def remembered(self, position: Position, changes: Sequence[MemoryChange]) -> None:
        """What the batch before a position changed may be shared with the group, if that is asked for."""
        if self._member.state:
            self._member.state.note(position, changes)

    def arrivals(self) -> list[Arrival]:
        """What came with partitions from other members."""
        return self._member.state.arrivals() if self._member.state else []

    def close(self) -> None:
        """Commit what is durable and leave the group; may be called twice."""
        self._member.close()
