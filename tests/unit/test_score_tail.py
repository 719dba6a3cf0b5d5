"""The scores of very many records put together from pieces: as if all of them had been seen at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import TryLaterError
from monitor.core.limit import Limit
from monitor.deciding.alike import alike
from monitor.deciding.budget import MOST_SHARE, budget_limit, rate_limit
from monitor.deciding.held_out import HeldOut
from monitor.deciding.score_tail import ScoreTail, key_codes, merged

GAP_SECONDS, PER_DAY = 3.0, 20.0

Row = tuple[float, float, str | None]
"""Score, time and key of a record: few of each, so that many are equal."""

ROWS = st.lists(
    st.tuples(
        st.integers(-2, 20).map(float), st.integers(0, 60).map(float), st.one_of(st.none(), st.sampled_from("ab"))
    ),
    min_size=20,
    max_size=120,
)


def tail(rows: Sequence[Row]) -> ScoreTail:
    scores, times, keys = zip(*rows, strict=True)
    return ScoreTail.of(np.array(scores), np.array(times), pa.array(keys, pa.string()))


def held_out(rows: Sequence[Row]) -> HeldOut:
    all_ = tail(rows)
    assert all_.keys is not None
    codes = key_codes(all_.keys)
    return HeldOut(all_.scores, all_.times, codes, gap_seconds=GAP_SECONDS, records_per_day=PER_DAY)


def known(each: ScoreTail) -> tuple[int, float, list[Any]]:
    """All that a tail knows, in an order of its own."""
    assert each.times is not None
    assert each.keys is not None
    rows = zip(each.scores.tolist(), each.times.tolist(), each.keys.to_pylist(), strict=True)
    return each.count, each.lowest, sorted(rows, key=repr)


def pieces(rows: Sequence[Row], cuts: Sequence[int]) -> list[ScoreTail]:
    places = sorted({0, len(rows), *(cut % len(rows) for cut in cuts)})
    return [tail(rows[begin:end]) for begin, end in pairwise(places)]


def budgeted(benign: HeldOut, per_day: float) -> Limit | str:
    try:
        return budget_limit(benign, per_day)
    except TryLaterError as error:
        return str(error)


def counted(limit: Limit | str) -> Limit | str:
    """All but what bursts make of a day: they are seen from the records that are kept."""
    if isinstance(limit, str) or limit.daily is None:
        return limit
    return replace(limit, daily=replace(limit.daily, upper=0, low=0, high=0, burst=1.0))


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 200), min_size=1, max_size=6), room=st.integers(1, 25), data=st.data())
def test_pieces_in_any_order_are_what_all_records_are_at_once(
    rows: list[Row], cuts: list[int], room: int, data: st.DataObject
) -> None:
    once = tail(rows).highest(room)

    parts = [part.highest(room) for part in data.draw(st.permutations(pieces(rows, cuts)))]

    assert known(merged(parts, room)) == known(once)
    assert known(reduce(lambda one, other: merged([one, other], room), parts)) == known(once)
    assert known(reduce(lambda one, other: merged([other, one], room), reversed(parts))) == known(once)


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS,
    cuts=st.lists(st.integers(0, 200), max_size=6),
    rate=st.floats(0.001, MOST_SHARE),
    per_day=st.floats(0.05, 8),
    spare=st.sampled_from([0, 5, 150]),
    data=st.data(),
)
def test_limits_are_those_of_all_records(
    rows: list[Row], cuts: list[int], rate: float, per_day: float, spare: int, data: st.DataObject
) -> None:
    room = int(MOST_SHARE * (len(rows) + 1)) + 1 + spare
    parts = data.draw(st.permutations([part.highest(room) for part in pieces(rows, cuts)]))
    benign = HeldOut.of(merged(parts, room), gap_seconds=GAP_SECONDS, records_per_day=PER_DAY)
    whole = held_out(rows)

    by_rate, by_budget = rate_limit(benign, rate), budgeted(benign, per_day)

    assert benign.lowest == whole.lowest
    assert counted(by_rate) == counted(rate_limit(whole, rate))
    assert counted(by_budget) == counted(budgeted(whole, per_day))
    if room >= len(rows):
        assert by_rate == rate_limit(whole, rate)
        assert by_budget == budgeted(whole, per_day)


def test_a_limit_below_what_is_kept_is_the_lowest_kept_and_says_what_it_costs() -> None:
    benign = HeldOut.of(ScoreTail.of(np.arange(999.0)).highest(100), gap_seconds=0.0, records_per_day=None)

    limit = rate_limit(benign, 0.5)

    assert (limit.value, limit.rank, limit.records, limit.share) == (899.0, 100, 999, 0.1)


def test_a_stream_without_times_and_keys_has_none() -> None:
    found = merged([ScoreTail.of(np.array([3.0, 1.0])), ScoreTail.of(np.array([2.0, 3.0]))], room=3)

    assert (found.count, found.lowest, sorted(found.scores), found.times, found.keys) == (4, 1.0, [2, 3, 3], None, None)


@pytest.mark.parametrize(
    ("shift", "like"), [(0.0, True), (0.1, True), (-0.1, True), (1.0, False), (-1.0, False), (-9.0, False)]
)
def test_older_records_count_where_they_score_like_the_newest(shift: float, like: bool) -> None:
    random = np.random.default_rng(3)
    newest = HeldOut(random.normal(size=4_000))

    assert alike(newest, ScoreTail.of(random.normal(shift, size=100_000))) == like


def test_few_of_the_newest_records_cannot_tell_the_difference() -> None:
    random = np.random.default_rng(3)

    assert alike(HeldOut(random.normal(size=50)), ScoreTail.of(random.normal(0.5, size=10_000)))
