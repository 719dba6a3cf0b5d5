"""The sample depends on the records alone, keeps its limits, and tells how many records there were."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.records import Field, FieldType, Origin, RawBatch
from monitor.core.rows import places_only
from monitor.reservoir.columns import HASH, SIZE, SPAN, Sampled, numbers, records_of, schema
from monitor.reservoir.hashing import record_hashes
from monitor.reservoir.sample import Limits, Sample, came
from tests.records import records

NUMBER, NOTE = Field("ms", FieldType.NUMBER), Field("note", FieldType.TEXT)
ARGS, PIXELS = Field("args", FieldType.TEXTS), Field("pixels", FieldType.VECTOR)
KEY = b"k" * 16
SMALL = Limits(max_records=960, max_bytes=24 * 4000, max_age_days=2)
"""Up to a day, 40 records or 4,000 bytes an hour; 48 hours are in view."""


def raw_of(count: int, file_id: str = "f", epoch: int = 0) -> RawBatch:
    return places_only(Origin(file_id, epoch, "app.log"), count)


def table(hours: Sequence[int], rows: Sequence[int], note: str | None = None) -> pa.Table:
    """Some of the records of a file, whose hours are given; record ``i`` is the ``i``-th of it, of its own length."""
    raw, chosen = raw_of(len(hours)), np.array(rows, dtype=np.int64)
    times = np.array([hours[row] * 3600.0 for row in rows])
    batch = records(
        {NUMBER: [float(row) for row in rows], NOTE: [note or "n" * (row % 13 * 20) for row in rows]},
        times=times.tolist(),
    )
    spans = (times // 3600).astype(np.int64)
    return Sampled(raw, chosen, batch, times, spans, record_hashes(raw, KEY)[chosen], times).table([NOTE, NUMBER])


def empty(limits: Limits = SMALL) -> Sample:
    return Sample(limits, schema([NOTE, NUMBER]).empty_table())


def held(sample: Sample) -> set[int]:
    sample.settle()
    return {int(number) for number in numbers(sample.table, "number:ms")}


def filled(hours: Sequence[int], batches: Sequence[Sequence[int]], limits: Limits = SMALL) -> Sample:
    sample = empty(limits)
    for rows in batches:
        sample.add(table(hours, rows))
        sample.settle()
    return sample


def cut(rows: Sequence[int], places: Sequence[int]) -> list[Sequence[int]]:
    bounds = [0, *sorted({place % (len(rows) + 1) for place in places}), len(rows)]
    return [rows[start:stop] for start, stop in pairwise(bounds)]


PLACES = st.lists(st.integers(0, 500), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=80, max_size=160), PLACES, st.randoms())
def test_the_sample_is_the_same_whatever_the_order_and_the_batches(
    hours: list[int], places: list[int], chance: st.DrawFn
) -> None:
    rows = list(range(len(hours)))
    shuffled = sorted(rows, key=lambda _: chance.random())  # type: ignore[attr-defined]

    whole, pieces = filled(hours, [rows]), filled(hours, cut(shuffled, places))

    assert held(whole) == held(pieces)
    assert whole.bounds == pieces.bounds


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=150), PLACES)
def test_in_the_order_of_time_that_also_holds_while_hours_age(steps: list[int], places: list[int]) -> None:
    hours = np.cumsum(steps).tolist()  # up to 1,350 hours, of which 48 are in view
    rows = list(range(len(hours)))

    whole, pieces = filled(hours, [rows]), filled(hours, cut(rows, places))

    assert held(whole) == held(pieces)
    assert whole.bounds == pieces.bounds


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=120), st.integers(0, 120), st.integers(0, 120), PLACES)
def test_a_crash_and_a_replay_leave_no_trace(steps: list[int], saved: int, again: int, places: list[int]) -> None:
    hours = np.cumsum(steps).tolist()
    rows = list(range(len(hours)))
    saved, again = saved % (len(rows) + 1), again % (len(rows) + 1)
    before = filled(hours, [rows[:saved]])
    after = Sample(SMALL, before.table, dict(before.bounds), before.newest)

    for batch in cut(rows[min(saved, again) :], places):  # what was not committed is read again
        after.add(table(hours, batch))

    assert held(after) == held(filled(hours, [rows]))


def test_each_hour_has_its_share_and_a_bound_where_it_had_more() -> None:
    hours = [0] * 5 + [1] * 100 + [2] * 100

    sample = filled(hours, [range(205)], Limits(960, 10**6, 2))

    assert np.unique(numbers(sample.table, SPAN), return_counts=True)[1].tolist() == [5, 40, 40]
    assert sorted(sample.bounds) == [1, 2]
    assert all(numbers(sample.table, HASH)[numbers(sample.table, SPAN) == 1] < sample.bounds[1])


def test_shares_shrink_when_there_are_more_hours_than_a_day_has() -> None:
    hours = [hour for hour in range(48) for _ in range(60)]

    sample = filled(hours, [range(len(hours))], Limits(960, 10**6, 2))

    assert np.unique(numbers(sample.table, SPAN), return_counts=True)[1].tolist() == [20] * 48


def test_bytes_are_shared_like_records_and_long_records_leave_room_for_fewer() -> None:
    hours = [0] * 50 + [1] * 50
    sample = empty()

    sample.add(table(hours, range(100), note="x" * 492))  # 500 bytes with the number
    sample.settle()

    assert numbers(sample.table, SIZE).sum() == 2 * 4000
    assert sample.bounds.keys() == {0, 1}


def test_a_record_that_is_larger_than_all_bytes_is_kept_as_the_only_one_of_its_hour() -> None:
    sample = empty()

    sample.add(table([0, 0], range(2), note="x" * 10_000))
    sample.settle()

    assert len(sample.table) == 1


def test_old_hours_are_forgotten() -> None:
    sample = filled([0, 10, 47, 48], [[0], [1], [2]])
    assert held(sample) == {0, 1, 2}

    sample.add(table([0, 10, 47, 48], [3]))

    assert held(sample) == {1, 2, 3}


def test_smaller_limits_cut_at_once() -> None:
    sample = filled([0] * 40, [range(40)])

    sample.hold_to(Limits(240, 10**6, 1))

    assert len(sample.table) == 10
    assert sample.bound == sample.bounds[0]


def test_limits_can_change_before_anything_came() -> None:
    sample = filled([], [])

    sample.hold_to(Limits(10, 10**6, 1))

    assert (len(sample.table), sample.newest) == (0, None)


def test_the_number_of_records_that_came_is_told_by_those_kept() -> None:
    hours = [0] * 30 + [1] * 20_000

    sample = filled(hours, [range(20_030)], Limits(24_000, 10**6, 1))

    assert came(numbers(sample.table, SPAN), sample.bounds) == pytest.approx(20_030, rel=0.1)
    assert came(np.zeros(30, dtype=np.int64), {}) == 30


def test_a_hash_is_of_the_place_and_the_key() -> None:
    there = record_hashes(raw_of(1000), KEY)

    assert len(set(there.tolist())) == 1000
    for other in (raw_of(1000, "g"), raw_of(1000, "f", 1)):
        assert not set(there.tolist()) & set(record_hashes(other, KEY).tolist())
    assert not set(there.tolist()) & set(record_hashes(raw_of(1000), b"q" * 16).tolist())
    assert abs(float((there < np.uint64(1 << 63)).mean()) - 0.5) < 0.1


def test_what_is_sampled_comes_back_as_it_was_parsed() -> None:
    fields = [ARGS, NUMBER, NOTE, PIXELS]
    batch = records(
        {ARGS: [["a", None], None], NUMBER: [1.5, None], NOTE: [None, "x"], PIXELS: [[0.5, 2.0], None]},
        times=[1.0, 2.0],
        keys=["k", None],
    )
    times = np.array([1.0, 2.0])
    made = Sampled(raw_of(2), np.arange(2), batch, times, times.astype(np.int64), record_hashes(raw_of(2), KEY), times)

    found = records_of(made.table(fields), fields, timed=True, keyed=True)

    assert {field: column.to_pylist() for field, column in found.columns.items()} == {
        field: column.to_pylist() for field, column in batch.columns.items()
    }
    assert (np.array(found.times).tolist(), pa.array(found.keys).to_pylist()) == ([1.0, 2.0], ["k", None])
    assert numbers(made.table(fields), SIZE).tolist() == [8 + 1 + 16, 8 + 1]
