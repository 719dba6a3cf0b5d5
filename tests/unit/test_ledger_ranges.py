"""Which bytes became which records: exact, once, and kept in bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.accounting import Counts, Outcome, tail_marker
from monitor.ledger import Ledger, ProgressError
from monitor.ledger.ranges import MAX_RANGES, total
from tests.support_files import position, remember, remembered


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path) as opened:
        yield opened


def batch(start: int, stop: int, *, epoch: int = 0, file_id: str = "f", read: int = 1, **counts: int) -> Outcome:
    place = position(stop, epoch=epoch, file_id=file_id, tail=b"x" * 300)
    return Outcome("web", (place,), Counts(read=read, bytes=stop - start, **(counts or {"scored": read})))


def places(ledger: Ledger) -> list[tuple[str, int, int, int, int]]:
    found = ledger.account("web").ranges
    return [(each.file_id, each.epoch, each.start, each.stop, each.counts.read) for each in found]


def test_batches_that_follow_each_other_are_one_range_with_its_counts(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10, read=5, scored=2, unparsed=1, filtered=1, sampled_out=1), batch(10, 15)])
    ledger.commit([batch(15, 40, read=2)])

    (found,) = ledger.account("web").ranges
    expected = Counts(read=8, scored=5, unparsed=1, filtered=1, sampled_out=1, bytes=40)
    assert (found.start, found.stop, found.counts) == (0, 40, expected)
    assert (found.marker, found.tail_bytes) == (tail_marker(b"x" * 256), 256)


def test_what_was_stepped_over_and_each_epoch_begin_a_range_of_their_own(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10), batch(12, 20), batch(5, 9, epoch=1), batch(20, 30, file_id="g")])

    assert places(ledger) == [("f", 0, 0, 10, 1), ("f", 0, 12, 20, 1), ("f", 1, 5, 9, 1), ("g", 0, 20, 30, 1)]


def test_bytes_that_would_count_twice_stop_the_commit(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10)])

    with pytest.raises(ProgressError, match=r"bytes 9-20 of /var/log/x \(epoch 0\) would be counted twice.* up to 10"):
        ledger.commit([batch(9, 20)])

    assert places(ledger) == [("f", 0, 0, 10, 1)]
    assert ledger.counts("web").read == 1


def test_totals_are_what_is_settled_and_what_the_ranges_say(ledger: Ledger) -> None:
    for epoch in range(MAX_RANGES + 20):
        ledger.commit([batch(0, 10, epoch=epoch, read=3)])
    ledger.commit([batch(0, 7, file_id="g")])

    account = ledger.account("web")

    assert account.stream == "web"
    assert len(account.of_file("f")) == MAX_RANGES
    assert account.settled == Counts(read=60, scored=60, bytes=200)
    assert account.settled + total(account.ranges) == account.counts


def test_the_records_of_a_forgotten_file_stay_in_the_totals(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10), batch(0, 20, file_id="g", read=2)])

    assert ledger.forget("web", ["g"], idle_seconds=-1.0) == 1

    account = ledger.account("web")
    assert [state.origin.file_id for state in account.files] == ["f"]
    assert (account.counts.read, account.settled.read, places(ledger)) == (3, 2, [("f", 0, 0, 10, 1)])


def test_a_place_that_is_set_begins_a_range_there(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10)])

    ledger.place("web", [position(100)])
    ledger.commit([batch(100, 120)])

    assert places(ledger) == [("f", 0, 0, 10, 1), ("f", 0, 100, 120, 1)]
    with pytest.raises(ProgressError, match="would move back"):
        ledger.place("web", [position(5)])


def test_bytes_that_were_read_elsewhere_belong_to_no_range(ledger: Ledger) -> None:
    ledger.commit([batch(0, 10), Outcome("web", (position(50), position(7, file_id="g")), Counts()), batch(50, 60)])

    assert places(ledger) == [("f", 0, 0, 10, 1), ("f", 0, 50, 60, 1)]


def test_what_is_remembered_of_keys_can_be_forgotten(ledger: Ledger) -> None:
    ledger.commit([remember({"a": [1.0]}), remember({"a": [1.0]}, stream="db")])

    ledger.forget_memories("web")

    assert ledger.memories("web") == {}
    assert remembered(ledger, stream="db") == [("a", [1.0])]


def test_sinks_are_known_by_their_places(ledger: Ledger) -> None:
    ledger.register(["ops", "journal"])

    assert ledger.sinks() == ["journal", "ops"]


def test_a_reader_finds_the_table_that_was_changed(ledger: Ledger, tmp_path: Path) -> None:
    ledger.commit([batch(0, 10)])
    with Ledger.open(tmp_path, read_only=True) as reader:
        assert reader.broken_table() is None
        ledger._connection.execute("UPDATE ranges SET read = 2")  # pyright: ignore[reportPrivateUsage]
        assert reader.broken_table() == "ranges"
