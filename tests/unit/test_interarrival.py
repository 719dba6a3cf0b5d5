"""Seconds since the previous record of a key, however the records are cut into batches."""

from __future__ import annotations

import itertools
import math
import re
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import DataError
from monitor.core.keyed_memory import KeyedMemory
from monitor.core.protocols import FittedEncoder, KeyedEncoder
from monitor.encoders.interarrival import Config, empty_memory, gaps_of
from tests.encoding import encode, encoder, finding
from tests.records import part, records


def fitted(**options: Any) -> FittedEncoder:
    """Learned from one key with gaps of one to thirty seconds."""
    gaps = np.random.default_rng(0).uniform(1, 30, 500)
    return encoder("interarrival", **options).fit(records(times=np.cumsum(gaps).tolist()))


def memory_of(max_keys: int) -> KeyedMemory:
    return empty_memory(Config(max_keys=max_keys))


def gaps_between(times: list[float], keys: list[str | None] | None = None, max_keys: int = 100) -> list[float]:
    gaps: list[float] = gaps_of(records(times=times, keys=keys), memory_of(max_keys))[0].tolist()
    return gaps


def test_gaps_are_counted_for_each_key() -> None:
    gaps = gaps_between([10.0, 11.0, 15.0, 31.0], ["a", "b", "a", "b"])

    np.testing.assert_array_equal(gaps, [math.nan, math.nan, 5.0, 20.0])


def test_without_a_key_the_stream_counts_as_one() -> None:
    np.testing.assert_array_equal(gaps_between([10.0, 11.0, 15.0]), [math.nan, 1.0, 4.0])


def test_records_without_a_key_count_as_one_more_key() -> None:
    np.testing.assert_array_equal(gaps_between([1.0, 2.0, 4.0], [None, "a", None]), [math.nan, math.nan, 3.0])


def test_a_time_before_the_previous_one_is_no_gap_at_all() -> None:
    np.testing.assert_array_equal(gaps_between([10.0, 4.0, 6.0]), [math.nan, 0.0, 2.0])


def test_records_without_a_time_are_passed_over() -> None:
    gaps, missing = gaps_of(records(times=[10.0, math.nan, 13.0]), memory_of(9))

    np.testing.assert_array_equal(gaps, [math.nan, math.nan, 3.0])
    assert missing.tolist() == [False, True, False]


def test_keys_seen_longest_ago_are_forgotten_first() -> None:
    times, keys = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], ["a", "b", "a", "c", "a", "b"]

    np.testing.assert_array_equal(
        gaps_between(times, list(keys), max_keys=2), [math.nan, math.nan, 2.0, math.nan, 2.0, math.nan]
    )


def test_long_keys_are_not_kept() -> None:
    memory = memory_of(10)

    gaps = gaps_of(records(times=[1.0, 3.0], keys=["k" * 1_000_000] * 2), memory)[0]

    assert gaps[1] == 2.0
    assert len(str(memory.state())) < 200


@settings(max_examples=150, deadline=None)
@given(data=st.data(), max_keys=st.integers(1, 5))
def test_gaps_are_those_of_a_simple_memory_however_records_are_cut(data: st.DataObject, max_keys: int) -> None:
    rows = data.draw(st.integers(0, 30))
    times = data.draw(st.lists(st.integers(0, 50).map(float) | st.just(math.nan), min_size=rows, max_size=rows))
    keys = data.draw(st.lists(st.sampled_from([None, *"abcdef"]), min_size=rows, max_size=rows))
    cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=4))})
    batch, memory = records(times=times, keys=keys), memory_of(max_keys)

    gaps = [gaps_of(part(batch, start, stop), memory)[0] for start, stop in itertools.pairwise(cuts)]

    np.testing.assert_array_equal(np.concatenate([*gaps, np.empty(0)]), one_by_one(times, keys, max_keys))


def one_by_one(times: list[float], keys: list[str | None], max_keys: int) -> list[float]:
    last: OrderedDict[str | None, float] = OrderedDict()
    gaps = [math.nan] * len(times)
    for row, (time, key) in enumerate(zip(times, keys, strict=True)):
        if math.isnan(time):
            continue
        if key in last:
            gaps[row] = max(0.0, time - last.pop(key))
        last[key] = time
        if len(last) > max_keys:
            last.popitem(last=False)
    return gaps


def test_a_long_silence_is_beyond_everything_benign() -> None:
    batch = records(times=[0.0, 10.0, 10_000.0])

    columns, novelty = encode(fitted(), batch)
    said = finding(fitted(), batch)

    assert columns[2, 0] > 1.0
    assert novelty[2, 0] > 1.0
    assert said.reason.startswith("above everything benign (max 29.9")
    assert said.benign_range.endswith(" s")


def test_the_first_record_of_a_key_reads_as_average_however_many_benign_data_have() -> None:
    keys = [str(i) for i in range(20)] * 3
    encoding = encoder("interarrival").fit(records(times=[float(i * (i % 7 + 1)) for i in range(60)], keys=keys))

    columns, novelty = encode(encoding, records(times=[5.0], keys=["new"]))

    assert encoding.columns == ("value",)
    assert columns.tolist() == [[0.0]]
    assert not novelty.any()


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([5.0], "none: the first record of this key"),
        ([0.0, 12.5], "12.5 s"),
        ([0.0, 1e9], r"beyond 13[\d.]+ s"),
        ([0.0, math.nan], "missing"),
    ],
)
def test_the_gap_itself_is_told_since_no_field_has_it(times: list[float], told: str) -> None:
    found = finding(fitted(), records(times=times))

    assert re.fullmatch(told, str(found.actual))


@pytest.mark.parametrize(("times", "told"), [([0.0, 10.0], "10 s"), ([0.0, 15.0], "not 10 s")])
def test_a_gap_that_never_varied_is_told(times: list[float], told: str) -> None:
    constant = encoder("interarrival").fit(records(times=[10.0 * i for i in range(50)]))

    assert finding(constant, records(times=times)).actual == told


def test_a_stream_without_event_time_has_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="feature 'x': the stream has no event time; set its `time:`"):
        encoder("interarrival").fit(records(other=[1.0]))


def test_memory_is_carried_over() -> None:
    before, after = fitted(), fitted()
    encode(before, records(times=[100.0]))
    assert isinstance(before, KeyedEncoder)
    assert isinstance(after, KeyedEncoder)

    after.load_keyed_state(before.keyed_state())

    np.testing.assert_array_equal(encode(after, records(times=[107.0]))[0], encode(before, records(times=[107.0]))[0])
    assert before.keyed_state() == after.keyed_state() == {"version": 1, "keys": [None], "values": [[107.0]]}
