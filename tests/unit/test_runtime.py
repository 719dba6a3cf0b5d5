"""The queue between reader and scorer: bounded by bytes, in order."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from monitor.core.accounting import Position
from monitor.core.records import Origin, RawBatch
from monitor.runtime.byte_queue import ByteQueue, Queued


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
