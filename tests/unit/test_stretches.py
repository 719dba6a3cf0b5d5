"""A sample of stretches is made of whole runs of records, keeps its limits, and knows what memories lack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F64, I64
from monitor.core.records import Field, FieldType, Origin
from monitor.core.rows import places_only
from monitor.core.strings import U64
from monitor.core.warm_up import WarmUp
from monitor.reservoir.columns import SPAN, InTurn, Sampled, numbers, schema
from monitor.reservoir.hashing import key_hashes, record_hashes
from monitor.reservoir.sample import Limits, Sample
from monitor.reservoir.smallest import MOST, about, merged, none
from monitor.reservoir.stretches import recovering, stretches, warming
from monitor.reservoir.turns import SPAN_SECONDS, Tally, Turns, per_day, spans_of
from tests.records import records

MS = Field("ms", FieldType.NUMBER)
KEY = b"k" * 16
LIMITS = Limits(max_records=1200, max_bytes=10**7, max_age_days=30)
"""Up to a day, 300 records a quarter of it."""


class Stream:
    """Records of some keys, each coming at its own pace, in the order of time, and a sample that is offered them."""

    def __init__(self, keys: int, seconds: float, days: float, limits: Limits = LIMITS) -> None:
        chance = np.random.default_rng(keys)
        paces = seconds * chance.uniform(0.5, 2.0, keys)
        whole = [np.cumsum(np.full(int(days * 86_400 / pace), pace)) for pace in paces]
        order = np.argsort(np.concatenate(whole), kind="stable")
        self.times: F64 = np.concatenate(whole)[order]
        self.keys: I64 = np.repeat(np.arange(keys), [len(times) for times in whole])[order]
        self.raw = places_only(Origin("f", 0, "a.log"), len(order))
        self.turns = Turns()
        self.sample = Sample(limits, schema([MS], stretches=True).empty_table(), fewest_shares=4)

    def offer(self, rows: I64, sitting: int = 1) -> None:
        """Offer some rows, rising."""
        times, spans = self.times[rows], spans_of(self.times[rows])
        batch = records(
            {MS: rows.astype(float).tolist()}, times=times.tolist(), keys=[f"k{key}" for key in self.keys[rows]]
        )
        hashes, marks = record_hashes(self.raw, KEY)[rows], key_hashes(batch, KEY)
        self.turns.count(spans, times, marks, hashes)
        turns = InTurn(
            self.turns.ranks(spans, times, marks), np.zeros(len(rows), dtype=np.bool_), np.full(len(rows), sitting)
        )
        self.sample.add(Sampled(self.raw, rows, batch, times, spans, hashes, times, turns).table([MS]))

    def offer_all(self, cuts: Sequence[int] = ()) -> Stream:
        for rows in np.split(np.arange(len(self.times)), sorted({cut % len(self.times) for cut in cuts})):
            self.offer(rows)
            self.sample.settle()
        return self

    @property
    def table(self) -> pa.Table:
        self.sample.settle()
        return self.sample.table.sort_by([("time", "ascending"), ("offset", "ascending")])

    @property
    def held(self) -> list[int]:
        return sorted(numbers(self.table, "number:ms").astype(int).tolist())

    def found(self) -> I64:
        """The number of the stretch of each record of the table."""
        return stretches(self.table, self.sample.bounds, self.turns.tallies)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.sampled_from([20.0, 300.0, 5000.0]), st.floats(0.3, 4.0))
def test_nothing_is_missing_within_a_stretch(keys: int, seconds: float, days: float) -> None:
    check_whole(Stream(keys, seconds * keys / 8, days).offer_all())


@pytest.mark.parametrize("seed", range(4))
def test_nor_where_the_stream_is_faster_and_slower_by_turns(seed: int) -> None:
    stream = Stream(1, 5.0, 10.0)
    chance = np.random.default_rng(seed)
    paces = np.repeat(chance.choice([1.0, 20.0, 300.0], 200), 100)
    stream.times = stream.times[0] + np.cumsum(paces)
    stream.keys, stream.raw = stream.keys[: len(paces)], places_only(stream.raw.origin, len(paces))

    check_whole(stream.offer_all())


def check_whole(stream: Stream) -> None:
    """Every stretch is all records of its key from its first to its last."""
    rows, found = numbers(stream.table, "number:ms").astype(int), stream.found()

    for number in np.unique(found):
        stretch = rows[found == number]
        key = stream.keys[stretch[0]]
        between = np.arange(stretch[0], stretch[-1] + 1)
        assert stretch.tolist() == between[stream.keys[between] == key].tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.floats(0.3, 4.0))
def test_no_quarter_of_a_day_has_more_than_its_share(keys: int, days: float) -> None:
    stream = Stream(keys, 40.0 * keys, days, Limits(1200, 10**7, 2)).offer_all()

    present, counts = np.unique(numbers(stream.table, SPAN), return_counts=True)
    assert len(stream.table) <= 1200
    assert counts.max() <= 1200 // max(4, len(present))
    assert len(present) <= 8


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 10**6), max_size=8))
def test_the_sample_is_the_same_however_it_is_cut_into_batches(keys: int, cuts: list[int]) -> None:
    whole, pieces = Stream(keys, 200.0, 1.5).offer_all(), Stream(keys, 200.0, 1.5).offer_all(cuts)

    assert whole.held == pieces.held
    assert whole.sample.bounds == pieces.sample.bounds


def test_what_is_read_twice_changes_nothing() -> None:
    once, twice = Stream(5, 60.0, 1.0).offer_all(), Stream(5, 60.0, 1.0).offer_all()
    rows = np.arange(len(once.times))

    twice.offer(rows[len(rows) // 3 :], sitting=2)

    assert twice.held == once.held
    assert per_day(twice.turns.tallies) == per_day(once.turns.tallies)
    assert twice.found().tolist() == once.found().tolist()


@pytest.mark.parametrize(("keys", "seconds"), [(1, 2.0), (20, 60.0), (1000, 3600.0)])
def test_stretches_are_long_whatever_the_keys_and_their_pace(keys: int, seconds: float) -> None:
    stream = Stream(keys, seconds, 6.0, Limits(6000, 10**7, 30)).offer_all()

    lengths = np.unique(stream.found(), return_counts=True)[1]

    assert len(stream.table) <= 6000 < len(stream.times) / 3
    assert np.average(lengths, weights=lengths) > min(100, 6 * 86_400 / seconds / 4)


def test_turns_fall_on_every_time_of_day() -> None:
    stream = Stream(1, 5.0, 20.0, Limits(8000, 10**8, 30)).offer_all()

    hours = np.unique(numbers(stream.table, "time") // 3600 % 24)

    assert len(hours) == 24


def test_the_rate_of_a_stream_is_told_within_a_few_per_cent() -> None:
    few, many = Stream(1, 30.0, 2.0).offer_all(), Stream(300, 900.0, 2.0).offer_all()

    for stream in (few, many):
        assert per_day(stream.turns.tallies) == pytest.approx(len(stream.times) / 2, rel=0.06)


def test_what_a_sitting_adds_does_not_follow_what_another_added() -> None:
    stream = Stream(1, 600.0, 1.0)
    rows = np.arange(len(stream.times))
    stream.offer(rows[:50], sitting=1)
    stream.offer(rows[50:], sitting=2)

    assert np.unique(stream.found(), return_counts=True)[1].tolist() == [50, len(rows) - 50]


def test_records_of_one_moment_stay_within_the_limits() -> None:
    stream = Stream(1, 1.0, 0.1)
    stream.times = np.full(len(stream.times), 1000.0)

    stream.offer_all([100, 5000])

    assert stream.held == list(range(300))


def test_a_round_goes_on_until_there_are_far_more_or_fewer_keys() -> None:
    turns = Turns()
    rounds = []
    for span, keys in enumerate([10, 60, 100, 100, 1000, 100, 100, 100, 100, 100]):
        marks = np.random.default_rng(1).integers(0, 2**63, keys).astype(np.uint64) * np.uint64(2)
        times = np.full(keys, span * SPAN_SECONDS, dtype=np.float64)
        turns.count(spans_of(times), times, marks, marks)
        rounds.append(round(turns.tallies[span * 6].round_seconds * 1.618 / SPAN_SECONDS))

    assert rounds[:5] == [64, 10, 60, 60, 60]
    assert rounds[5] == rounds[8] == pytest.approx(1000, rel=0.1)
    assert rounds[9] == 100


def test_a_tally_outlives_the_program() -> None:
    tally = Tally(7.5, 1.0, 2.0, np.array([1, 2], dtype=np.uint64), np.array([3], dtype=np.uint64))

    again = Tally.of(tally.plain())

    assert (again.round_seconds, again.first, again.last) == (7.5, 1.0, 2.0)
    assert (again.records.tolist(), again.keys.tolist()) == ([1, 2], [3])


def test_different_things_are_counted_however_often_they_come() -> None:
    def kept(seed: int) -> U64:
        hashes = np.random.default_rng(seed).integers(0, 2**64, 50_000, dtype=np.uint64)
        smallest = none()
        for part in np.split(np.concatenate([hashes, hashes]), 10):
            smallest = merged(smallest, part)
        return smallest

    counts = [about(kept(seed)) for seed in range(20)]

    assert len(kept(0)) == MOST
    assert np.mean(counts) == pytest.approx(50_000, rel=0.05)
    assert np.std(counts) < 0.09 * 50_000
    assert about(kept(0)[:5]) == 5


def test_keys_have_a_hash_each_and_those_without_one_share_theirs() -> None:
    keyed = records(ms=[1.0] * 4, keys=["a", None, "b", None])
    hashes = key_hashes(keyed, KEY).tolist()

    assert hashes[1] == hashes[3]
    assert len(set(hashes)) == 3
    assert set(key_hashes(records(ms=[1.0] * 3), KEY).tolist()) == {hashes[1]}
    assert not set(hashes) & set(key_hashes(keyed, b"q" * 16).tolist())


def cold(count: int, *needed: WarmUp, times: Sequence[float] | None = None) -> list[int]:
    """Which records of a stretch only warm memories up."""
    at = np.arange(count, dtype=np.float64) if times is None else np.array(times)
    return np.flatnonzero(warming(np.full(count, 7), at, needed)).tolist()


def near(count: int, need: WarmUp, *out: int, times: Sequence[float] | None = None) -> list[int]:
    """Which records of a stretch come close behind those left out."""
    at = np.arange(count, dtype=np.float64) if times is None else np.array(times)
    return np.flatnonzero(recovering(np.full(count, 7), at, np.isin(np.arange(count), out), [need])).tolist()


def test_a_stretch_warms_up_as_long_as_each_memory_needs() -> None:
    assert cold(9, WarmUp(records=3)) == [0, 1, 2]
    assert cold(9, WarmUp(records=3), WarmUp(seconds=4.5)) == [0, 1, 2, 3, 4]
    assert cold(9, WarmUp(pause=5.0)) == list(range(9))
    assert cold(4, WarmUp(pause=5.0), times=[0.0, 1.0, 7.0, 8.0]) == [0, 1]


def test_behind_what_was_left_out_memories_recover() -> None:
    assert near(9, WarmUp(records=2)) == []
    assert near(9, WarmUp(records=2), 4) == [5, 6]
    assert near(12, WarmUp(records=4, recovery=1), 5) == [6]
    assert near(14, WarmUp(records=4, recovery=1), 5, 6) == [7, 8]
    assert near(17, WarmUp(records=3, recovery=1), 5, 6, 7, 8, 9) == [10, 11, 12]
    assert near(9, WarmUp(seconds=2.0), 0, 4) == [1, 5]
    assert near(6, WarmUp(pause=5.0), 2, times=[0.0, 9.0, 10.0, 11.0, 20.0, 21.0]) == [3]


def test_stretches_that_lie_side_by_side_warm_up_each() -> None:
    numbers_, times, needed = np.array([4, 9, 4, 9, 4]), np.arange(5.0), [WarmUp(records=1)]

    assert warming(numbers_, times, needed).tolist() == [True, True, False, False, False]
    out = np.array([False, False, True, False, False])
    assert recovering(numbers_, times, out, needed).tolist() == [False, False, False, False, True]
