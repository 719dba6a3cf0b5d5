"""A member of a consumer group in a thread of its own: receives, and commits what is durable; it never gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Literal, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.core.errors import AemonitorError
from monitor.core.protocols import SourceContext
from monitor.sources._inbox import Inbox
from monitor.sources._kafka_connection import Connection
from monitor.sources._kafka_partition import NOWHERE, Partition, Receipt
from monitor.sources._kafka_places import Places
from monitor.sources._kafka_state import Reachable, SharedState
from monitor.sources._retries import Retries

POLL_SECONDS = 0.1
"""For so long a turn waits for the first message: what becomes durable meanwhile waits, too."""

ROOM_SECONDS = 1.0
"""For so long room in the inbox is waited for before partitions are paused: pausing drops what was fetched ahead."""

COMMIT_SECONDS = 1.0
"""How often offsets are committed to the group: it is what comes twice after a crash with another daemon."""

REVOKE_SECONDS = 30.0
"""How long a partition that is to be given up is held until what was read of it is durable."""

CLOSE_SECONDS = 15.0
"""How long leaving may take: brokers that do not answer hold nobody up."""

NOTHING_THERE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED,
                 KafkaError.GROUP_AUTHORIZATION_FAILED,
                 KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)  # fmt: skip


class Options(Reachable, Protocol):
    """What of the source's options a member needs."""

    @property
    def topics(self) -> list[str]: ...
    @property
    def place(self) -> str: ...
    @property
    def start_at(self) -> Literal["beginning", "end"]: ...
    @property
    def state_topic(self) -> str | None: ...


class Member:
    """Joins the group, and again after whatever ends the membership but ``close``.

    ``failure`` is what the thread died of, a fault of the program; ``finished`` is True once the ends that partitions
    had when they came to this member are reached, if ``once``; ``paused``, whether messages are left with the brokers.
    """

    def __init__(self, options: Options, context: SourceContext, inbox: Inbox[Receipt], *, once: bool) -> None:
        self._options = options
        self._inbox = inbox
        self._most = context.max_records
        self._once = once
        self._events = context.events
        topic = options.state_topic
        self.state = SharedState(options, topic, context.stream) if topic else None
        self.places = Places(context.resume, inbox, context.events, options.start_at)
        self.failure: BaseException | None = None
        self.finished = False
        self._partitions: dict[tuple[str, int], Partition] = {}
        self.paused = False
        self._connection = Connection(context.events, options.place)
        self._due = 0.0  # monotonic seconds: the next commit
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)

    @property
    def assignment(self) -> list[str]:
        """The partitions that it has."""
        return [f"{topic}/{number}" for topic, number in list(self._partitions)]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Commit what is durable and leave; may be called twice."""
        self._closing.set()
        self._inbox.close()
        self._thread.join(CLOSE_SECONDS)

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            retries = Retries()
            while not self._closing.is_set():
                self._membership(retries)
        except BaseException as error:  # noqa: BLE001 - raised in the reader's thread, which tells everyone
            self.failure = error

    def _membership(self, retries: Retries) -> None:
        try:
            self._join(retries)
        except (KafkaException, AemonitorError) as error:
            self._connection.lost(error)
            self._drop(list(self._partitions))
            now = time.monotonic()
            retries.failed("", now)
            self._closing.wait(retries.next_time(now) - now)

    def _join(self, retries: Retries) -> None:
        told = self._options.told(once=self._once) | {"error_cb": self._connection.doubt, "on_commit": self._noted}
        consumer = Consumer(told)
        try:
            self._subscribe(consumer)
            self._due = time.monotonic() + COMMIT_SECONDS  # by then it has said why, if no broker can be reached
            while not self._closing.is_set():
                self._turn(consumer)
                if self._partitions:
                    retries.succeeded("")
            self._settle(consumer, list(self._partitions))  # ``close`` calls ``_revoked``, too, but takes no commits
        finally:
            consumer.close()

    def _subscribe(self, consumer: Consumer) -> None:
        consumer.subscribe(self._options.topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _turn(self, consumer: Consumer) -> None:
        self._regulate(consumer)
        first = consumer.poll(0.0 if self.paused else POLL_SECONDS)
        if first is not None:
            self._receive(consumer, [first, *consumer.consume(self._most - 1, 0.0)])
        self._note_durable()
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + COMMIT_SECONDS
            self._commit(consumer, self._partitions, asynchronous=True)
            self._connection.check(consumer, self._options.topics)
            self._events.lag_records(sum(_behind(consumer, each) for each in self._partitions.values()))

    def _regulate(self, consumer: Consumer) -> None:
        """Leave the messages with the brokers while there is no room."""
        paused = not self._inbox.wait_for_room(POLL_SECONDS if self.paused else ROOM_SECONDS)
        if paused != self.paused and not self._closing.is_set():
            self.paused = paused
            mine = [TopicPartition(*key) for key in self._partitions]
            (consumer.pause if paused else consumer.resume)(mine)

    def _receive(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        # Column by column: a loop over the messages in Python would cost as much as parsing them.
        errors = list(map(Message.error, messages))
        troubles = [(message, error) for message, error in zip(messages, errors, strict=True) if error is not None]
        if troubles:
            messages = [message for message, error in zip(messages, errors, strict=True) if error is None]
        columns: Any = (Message.topic, Message.partition, Message.offset, Message.value)  # none is None but a payload
        topics, partitions, numbers, payloads = (list(map(column, messages)) for column in columns)
        touched: dict[tuple[str, int], Partition] = {}
        begin = 0
        for key, run in groupby(zip(topics, partitions, strict=True)):
            end = begin + len(list(run))
            if (partition := self._partitions.get(key)) is not None:  # else it was given up
                partition.receive(numbers[begin:end], payloads[begin:end])
                if partition.payloads:
                    touched[key] = partition
            begin = end
        for partition in touched.values():
            self._inbox.put(*partition.gathered())
            if self._once and partition.end == NOWHERE:
                partition.end = _end(consumer, partition)
        for message, error in troubles:
            self._trouble(consumer, message, error)
        self._finish_if_done()

    def _trouble(self, consumer: Consumer, message: Message, error: KafkaError) -> None:
        code = error.code()
        partition = self._partitions.get((message.topic() or "", message.partition() or 0))
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its public name
            if partition is not None:
                partition.end = partition.next_number
        elif code == KafkaError._AUTO_OFFSET_RESET and partition is not None:  # noqa: SLF001
            consumer.incremental_unassign([TopicPartition(*partition.key)])
            self._take_up(consumer, [self.places.find_anew(consumer, partition)])
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._doubt(error)

    def _doubt(self, error: KafkaError) -> None:
        if error.code() in NOTHING_THERE:
            self._connection.down(str(error))
        else:
            self._connection.doubt(error)

    def _finish_if_done(self) -> None:
        if self._once and self._partitions:
            self.finished = all(0 <= each.end <= each.next_number for each in self._partitions.values())

    # -- the group: called within ``poll`` and ``close`` ---------------------------------------------------------

    def _assigned(self, consumer: Consumer, added: list[TopicPartition]) -> None:
        found = self.places.find(consumer, AdminClient(self._options.told(once=False)), added)
        if self.state:
            self.state.recall(found)
        self._take_up(consumer, found)

    def _take_up(self, consumer: Consumer, found: list[Partition]) -> None:
        self._partitions.update({each.key: each for each in found})
        consumer.incremental_assign([TopicPartition(*each.key, each.next_number) for each in found])
        if self.paused:
            consumer.pause([TopicPartition(*each.key) for each in found])
        if found:
            self._connection.up()

    def _revoked(self, consumer: Consumer, removed: list[TopicPartition]) -> None:
        """Give partitions up, once what was read of them is durable: whoever gets them need not repeat it."""
        self._settle(consumer, [(each.topic, each.partition) for each in removed])
        consumer.incremental_unassign(removed)

    def _settle(self, consumer: Consumer, keys: list[tuple[str, int]]) -> None:
        file_ids = self._file_ids(keys)
        self._inbox.withdraw(file_ids)
        self._inbox.wait_until_durable(file_ids, REVOKE_SECONDS)
        self._note_durable()
        self._commit(consumer, keys, asynchronous=False)  # if it fails, whoever gets them repeats a little
        self._drop(keys)

    def _lost(self, consumer: Consumer, removed: list[TopicPartition]) -> None:
        """They belong to others already, who have begun where the group knew."""
        self._drop([(each.topic, each.partition) for each in removed])
        consumer.incremental_unassign(removed)

    def _drop(self, keys: Iterable[tuple[str, int]]) -> None:
        keys = list(keys)
        file_ids = self._file_ids(keys)
        self._inbox.withdraw(file_ids)
        if self.state:
            self.state.forget(file_ids)
        for key in keys:
            self._partitions.pop(key, None)

    def _file_ids(self, keys: Iterable[tuple[str, int]]) -> set[str]:
        return {self._partitions[key].origin.file_id for key in keys if key in self._partitions}

    # -- offsets -----------------------------------------------------------------------------------------------

    def _note_durable(self) -> None:
        for receipt in self._inbox.durable():
            partition = self._partitions.get(receipt.key)
            if partition is not None and partition.origin == receipt.origin:
                partition.durable = max(partition.durable, receipt.next_number)

    def _ahead(self, keys: Iterable[tuple[str, int]]) -> list[TopicPartition]:
        """What the group does not know yet."""
        mine = [self._partitions[key] for key in keys if key in self._partitions]
        return [TopicPartition(*each.key, each.durable) for each in mine if each.durable > each.committed]

    def _commit(self, consumer: Consumer, keys: Iterable[tuple[str, int]], *, asynchronous: bool) -> None:
        offsets = self._ahead(keys)
        if not offsets:
            return
        try:
            if self.state:
                origins = [self._partitions[each.topic, each.partition].origin.file_id for each in offsets]
                self.state.publish(consumer, dict(zip(origins, offsets, strict=True)))
            elif asynchronous:
                consumer.commit(offsets=offsets, asynchronous=True)
            else:
                consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self._doubt(error.args[0])
            return
        for each in offsets:
            self._partitions[each.topic, each.partition].committed = each.offset

    def _noted(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """The group answered. What it did not take, as while it is being rebalanced, it is asked to take again."""
        for each in offsets:
            partition = self._partitions.get((each.topic, each.partition))
            if partition is not None and (error is not None or each.error is not None):
                partition.committed = min(partition.committed, partition.durable - 1)


def _end(consumer: Consumer, partition: Partition) -> int:
    """The number of the next message to come, as the broker told when it sent some last."""
    ends = consumer.get_watermark_offsets(TopicPartition(*partition.key), cached=True)
    return ends[1] if ends else NOWHERE


def _behind(consumer: Consumer, partition: Partition) -> int:
    """How many messages the broker has that are not durable here."""
    return max(0, _end(consumer, partition) - partition.durable) if partition.durable != NOWHERE else 0
