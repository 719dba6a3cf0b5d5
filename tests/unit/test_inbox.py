"""What waits between a broker and the reader: bounded, in order, and acknowledged when it is durable, not before."""

from __future__ import annotations

from monitor.core.accounting import Position
from monitor.core.records import Messages, Origin
from monitor.sources._inbox import Inbox, joined

A, B = Origin("a", 0, "a"), Origin("b", 0, "b")


def batch(origin: Origin, first: int, count: int = 2, next_number: int | None = None) -> Messages:
    numbers = range(first, first + count)
    return Messages(origin, [b"12345"] * count, numbers, next_number or first + count)


def inbox(*batches: Messages, limit: int = 1000) -> Inbox[str]:
    made = Inbox[str](limit, wake=lambda: None)
    for each in batches:
        made.put(each, f"{each.origin.file_id}{each.numbers[0]}")
    return made


def test_what_was_put_is_taken_in_order_about_as_much_as_is_asked_for() -> None:
    first, second, third = batch(A, 0), batch(B, 0), batch(A, 2)
    box = inbox(first, second, third)

    assert box.take(0) == []
    assert box.take(11) == [first, second]
    assert box.take(1) == [third]
    assert box.empty


def test_receipts_come_when_their_origin_is_committed_up_to_there() -> None:
    box = inbox(batch(A, 0), batch(B, 0), batch(A, 2), batch(A, 4))
    box.take(1000)

    box.committed(Position(A, 4, b""))

    assert box.durable() == ["a0", "a2"]
    assert box.durable() == []


def test_what_comes_again_waits_until_nothing_of_its_origin_is_on_the_way() -> None:
    new, again, other = batch(A, 10), batch(A, 3, next_number=12), batch(B, 0)
    box = inbox(new, again, other)

    assert box.take(1000) == [new]
    box.committed(Position(A, 12, b""))
    assert box.durable() == ["a10"]
    assert box.take(1000) == [again, other]
    box.committed(Position(A, 12, b""))
    assert box.durable() == ["a3"]


def test_it_is_full_at_its_limit_until_something_is_taken() -> None:
    box = inbox(batch(A, 0), batch(A, 2), limit=20)

    assert box.full
    assert not box.wait_for_room(0.0)
    box.take(1)
    assert box.wait_for_room(0.0)


def test_what_was_not_read_can_be_taken_back_and_what_was_read_waited_for() -> None:
    box = inbox(batch(A, 0), batch(A, 2), batch(B, 0), batch(A, 4))
    box.take(1)

    assert box.withdraw({"a"}) == ["a2", "a4"]
    assert not box.wait_until_durable({"a"}, 0.0)
    assert box.wait_until_durable({"b"}, 0.0)
    box.committed(Position(A, 2, b""))
    assert box.wait_until_durable({"a"}, 0.0)
    assert len(box.take(1000)) == 1


def test_closed_it_lets_nobody_wait() -> None:
    box = inbox(batch(A, 0), limit=1)
    box.take(1)
    box.put(batch(A, 2), "a2")
    box.close()

    assert not box.wait_for_room(60.0)
    assert not box.wait_until_durable({"a"}, 60.0)
    assert box.empty


def test_batches_of_one_origin_are_joined_up_to_a_number_and_each_receipt_comes() -> None:
    box = inbox(batch(A, 0), batch(B, 0), batch(A, 2), batch(A, 4))

    first, other, last = joined(box.take(1000), 4)
    box.committed(Position(A, 4, b""))

    assert (first.origin, first.numbers, first.next_number, len(first.payloads)) == (A, [0, 1, 2, 3], 4, 4)
    assert (other, last) == (batch(B, 0), batch(A, 4))
    assert box.durable() == ["a0", "a2"]
