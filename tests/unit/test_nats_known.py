"""What is known of messages that may be delivered again: trusted only as far as nothing can have slipped between."""

from __future__ import annotations

from monitor.core.accounting import FileState, Position
from monitor.core.records import Origin
from monitor.sources._nats_known import Known

ORIGIN = Origin("nats:LOGS", 0, "nats:LOGS")


def resumed(*positions: Position) -> list[FileState]:
    """What the ledger has after these: of each origin the last, and never one that moves back."""
    last: dict[str, Position] = {}
    for position in positions:
        before = last.get(position.origin.file_id)
        place = (position.origin.epoch, position.offset)
        assert before is None or (before.origin.epoch, before.offset) <= place
        last[position.origin.file_id] = position
    return [FileState.behind(position, 0.0) for position in last.values()]


def progress(number: int) -> Position:
    return Position(ORIGIN, number, b"")


def test_a_new_consumer_has_committed_nothing() -> None:
    known = Known(ORIGIN, [])

    assert known.attached(0, 0, 0) == []
    assert not known.is_committed(1)
    assert known.next_number == 0


def test_below_the_progress_all_is_committed_where_nothing_is_on_the_way() -> None:
    known = Known(ORIGIN, resumed(progress(101)))

    assert known.attached(100, 100, 50) == []
    assert known.is_committed(100)
    assert not known.is_committed(101)


def test_what_was_on_the_way_when_it_was_killed_is_a_gap_until_it_is_acknowledged() -> None:
    known = Known(ORIGIN, resumed(progress(101)))

    noted = known.attached(150, 150, 100)
    assert known.delivered(151, 151) == []
    known.next_number = 161
    again = Known(ORIGIN, resumed(progress(101), *noted, progress(161)))

    assert again.is_committed(100)
    assert not again.is_committed(130)
    assert known.acknowledged(149) == []
    closed = known.acknowledged(150)
    later = Known(ORIGIN, resumed(progress(101), *noted, progress(161), *closed))
    assert later.is_committed(160)


def test_a_delivery_that_went_elsewhere_is_a_gap() -> None:
    known = Known(ORIGIN, resumed(progress(11)))
    known.attached(10, 10, 0)

    assert known.delivered(11, 11) == []
    known.next_number = 12
    noted = known.delivered(15, 14)
    known.next_number = 16
    again = Known(ORIGIN, resumed(progress(11), *noted, progress(16)))

    assert again.is_committed(11)
    assert not again.is_committed(13)


def test_deliveries_that_a_broken_connection_swallowed_are_a_gap() -> None:
    known = Known(ORIGIN, [])
    known.attached(0, 0, 0)
    known.delivered(1, 1)

    assert known.attached(1, 1, 1) == []
    assert known.attached(3, 3, 3) != []


def test_gaps_at_the_same_place_are_noted_one_behind_the_other() -> None:
    known = Known(ORIGIN, resumed(progress(11)))

    notes = [*known.attached(12, 12, 2), *known.acknowledged(12), *known.delivered(14, 14), *known.acknowledged(14)]

    assert len(notes) == 4
    resumed(*notes)


def test_what_is_delivered_again_while_it_is_on_the_way_is_not_taken_twice() -> None:
    known = Known(ORIGIN, [])

    assert known.take(7, "first")
    assert not known.take(7, "second")
    assert known.on_the_way == ["second"]
    assert known.committed([7]) == ["second"]
    assert known.is_committed(7)
    assert known.on_the_way == []


def test_what_was_acknowledged_stays_known_where_the_broker_forgets_it() -> None:
    known = Known(ORIGIN, [])
    known.take(7, "first")
    known.committed([7])

    known.acknowledged(7)
    known.acknowledged(3)

    assert known.is_committed(7)
    assert not known.is_committed(8)
