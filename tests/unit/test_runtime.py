"""Queue and sender: bounded by bytes, in order, and nothing acknowledged that was not taken."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.core.accounting import Position
from monitor.core.clock import ManualClock
from monitor.core.errors import UnavailableError
from monitor.core.records import Origin, RawBatch
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.runtime.plan import SinkPlan
from monitor.runtime.sender import Sender
from monitor.telemetry import Telemetry


def batch(records: int, text: bytes = b"x\n") -> Queued:
    zeros = np.zeros(records, dtype=np.int64)
    raw = RawBatch(Origin("f", 0, "f"), text * records, zeros, zeros, zeros, 0, b"", zeros.astype(bool))
    return Queued("web", raw)


def test_the_queue_is_full_by_bytes_and_has_room_again_when_taken() -> None:
    queue = ByteQueue(limit_bytes=10)
    queue.put(batch(4))
    assert (queue.room(), queue.size()) == (2, (8, 1))

    queue.put(batch(3))

    assert queue.room() == 0
    assert [item.records for item in queue.take(max_records=100, timeout_seconds=0)] == [4, 3]
    assert queue.room() == 10


def test_one_batch_is_taken_even_when_it_is_larger_than_asked_for() -> None:
    queue = ByteQueue(limit_bytes=1000)
    for records in (50, 3, 4, 5):
        queue.put(batch(records))

    taken = [[item.records for item in queue.take(max_records=8, timeout_seconds=0)] for _ in range(4)]

    assert taken == [[50], [3, 4], [5], []]


def test_the_queue_is_drained_only_when_everything_taken_is_done() -> None:
    queue = ByteQueue(limit_bytes=1000)
    queue.put(batch(1))
    queue.put(batch(1))
    first, second = queue.take(max_records=100, timeout_seconds=0)
    assert not queue.drained(timeout_seconds=0)
    queue.done([first])
    assert not queue.drained(timeout_seconds=0)

    queue.done([second])

    assert queue.drained(timeout_seconds=0)


def sighting() -> Queued:
    return Queued("web", sightings=(Position(Origin("f", 0, "f"), 0, b""),))


def test_what_is_withdrawn_is_no_longer_waited_for_and_where_files_began_stays() -> None:
    queue = ByteQueue(limit_bytes=1000)
    for item in (batch(2), sighting(), replace(batch(2), stream="db"), batch(3)):
        queue.put(item)
    taken = queue.take(max_records=1, timeout_seconds=0)
    finder = threading.Timer(0.05, lambda: queue.done([*taken, *queue.take(max_records=0, timeout_seconds=0)]))
    finder.start()  # the scorer: commits what it took, and then what was found

    assert queue.withdraw(["web"], timeout_seconds=30)

    assert queue.size() == (4, 1)
    assert [item.stream for item in queue.take(max_records=100, timeout_seconds=0)] == ["db"]


def test_nothing_is_withdrawn_when_what_was_taken_cannot_be_committed() -> None:
    queue = ByteQueue(limit_bytes=1000)
    for records in (1, 2, 3):
        queue.put(batch(records))
    queue.take(max_records=1, timeout_seconds=0)

    assert not queue.withdraw(["web"], timeout_seconds=0)

    assert queue.size() == (10, 2)
    assert [item.records for item in queue.take(max_records=100, timeout_seconds=0)] == [2, 3]


def test_what_was_put_first_has_passed_once_it_is_committed_whatever_follows() -> None:
    queue = ByteQueue(limit_bytes=1000)
    queue.put(sighting())
    first = queue.put_so_far
    queue.put(batch(2))
    assert not queue.passed(first)

    queue.done(queue.take(max_records=0, timeout_seconds=0))

    assert queue.passed(first)
    assert not queue.passed(queue.put_so_far)


class ListOutbox:
    """An outbox of numbered alerts that remembers what was acknowledged."""

    def __init__(self, count: int) -> None:
        self.alerts = [(number, b"%d" % number) for number in range(1, count + 1)]
        self.acknowledged = 0

    def pending(self, sink: str, streams: Sequence[str] | None = None, limit: int = 256) -> Sequence[tuple[int, bytes]]:
        return [alert for alert in self.alerts if alert[0] > self.acknowledged][:limit]

    def acknowledge(self, sink: str, sequence: int) -> None:
        self.acknowledged = sequence


class FlakySink:
    """Refuses the first few calls, then takes everything."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.taken: list[bytes] = []
        self.closed = threading.Event()

    def send(self, alerts: Sequence[bytes]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("the sink is away")
        self.taken += alerts

    def close(self) -> None:
        self.closed.set()


def run_sender(sink: FlakySink, outbox: ListOutbox) -> list[BaseException]:
    failures: list[BaseException] = []
    plan = SinkPlan("ops", None, lambda: sink, ("web",))
    sender = Sender(plan, outbox, Telemetry(ManualClock()), failures.append)
    sender.stop()  # one last round and out
    sender.start()
    sender.join(10)
    assert not sender.is_alive()
    return failures


def test_the_sender_delivers_everything_in_order_and_acknowledges_it() -> None:
    sink, outbox = FlakySink(refusals=0), ListOutbox(600)

    assert run_sender(sink, outbox) == []

    assert sink.taken == [alert for _, alert in outbox.alerts]
    assert outbox.acknowledged == 600
    assert sink.closed.is_set()


def test_what_a_sink_refuses_is_not_acknowledged() -> None:
    sink, outbox = FlakySink(refusals=1), ListOutbox(3)

    assert run_sender(sink, outbox) == []

    assert (sink.taken, outbox.acknowledged) == ([], 0)


def test_alerts_the_sink_took_are_not_sent_again_when_only_the_acknowledgement_fails() -> None:
    class FullDisk(ListOutbox):
        def acknowledge(self, sink: str, sequence: int) -> None:
            if self.failures:
                self.failures -= 1
                raise UnavailableError("the disk is full")
            super().acknowledge(sink, sequence)

        failures = 2

    sink, outbox = FlakySink(refusals=0), FullDisk(3)
    plan = SinkPlan("ops", None, lambda: sink, ("web",))
    sender = Sender(plan, outbox, Telemetry(ManualClock()), lambda error: None)
    sender.start()
    while outbox.acknowledged < 3:
        sender.join(0.01)
    sender.stop()
    sender.join(10)

    assert sink.taken == [alert for _, alert in outbox.alerts]


def test_the_sender_of_a_changed_sink_begins_when_the_old_one_has_ended() -> None:
    class Slow(FlakySink):
        def send(self, alerts: Sequence[bytes]) -> None:
            sending.set()
            go_on.wait(10)
            super().send(alerts)

    sending, go_on = threading.Event(), threading.Event()
    old, new, outbox = Slow(0), FlakySink(0), ListOutbox(3)
    telemetry = Telemetry(ManualClock())
    first = Sender(SinkPlan("ops", "old", lambda: old, ("web",)), outbox, telemetry, lambda error: None)
    second = Sender(SinkPlan("ops", "new", lambda: new, ("web",)), outbox, telemetry, lambda error: None, first)
    first.start()
    sending.wait(10)

    first.stop()
    second.start()
    second.stop()
    second.join(0.2)  # without its predecessor's end in sight it delivers nothing
    go_on.set()
    second.join(10)

    assert old.taken == [alert for _, alert in outbox.alerts]
    assert new.taken == []


def test_a_sender_that_dies_says_so_and_closes_its_sink() -> None:
    class Broken(FlakySink):
        def send(self, alerts: Sequence[bytes]) -> None:
            raise RuntimeError("a fault of the sink")

    sink = Broken(0)
    caught: list[object] = []
    threading.excepthook, saved = (lambda args: caught.append(args.exc_value)), threading.excepthook
    try:
        failures = run_sender(sink, ListOutbox(1))
    finally:
        threading.excepthook = saved

    assert [str(error) for error in failures] == ["a fault of the sink"]
    assert sink.closed.is_set()
