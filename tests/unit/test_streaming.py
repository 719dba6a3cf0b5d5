"""A number against its own past: the averages of each key, however records are cut, and what is said of a change."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.protocols import FittedEncoder, KeyedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.encoders import streaming
from monitor.encoders._averages import BLOCK, LONG
from monitor.encoders._past import Past, empty_memory
from monitor.encoders._scaling import Scaling
from tests.encoding import encode, encoder, finding
from tests.records import part, records

RAW = Scaling(low=-1e300, high=1e300, unit=0.0, signed=True, centre=0.0, half=1.0)
"""A scale that leaves values as they are."""


def past(max_keys: int = 1000, *, timed: bool = False, scaling: Scaling = RAW) -> Past:
    return Past(empty_memory(max_keys, timed=timed), scaling, fast=0.2, slow=0.02, timed=timed)


def steps(batch: RecordBatch, of: Past | None = None) -> dict[str, list[float]]:
    found = (of or past()).steps(batch, batch.column("x", FieldType.NUMBER).to_numpy(zero_copy_only=False))
    return {name: np.round(step, 9).tolist() for name, step in found.items()}


def walk(rows: int = 2000, seed: int = 0) -> list[float]:
    """A benign course: it wanders about 50, a step of about 1 at a time."""
    noise, level, course = np.random.default_rng(seed).normal(size=rows), 0.0, list[float]()
    for step in noise.tolist():
        level = 0.95 * level + step
        course.append(50.0 + level)
    return course


def fitted(**options: Any) -> FittedEncoder:
    return encoder("streaming", **options).fit(records(x=walk(), times=[10.0 * i for i in range(2000)]))


def test_values_are_compared_with_the_averages_before_them() -> None:
    change = steps(records(x=[10.0, 20.0, 10.0]))["change"]

    # Before the third: 20 weighs 1 and 10 weighs .8.
    np.testing.assert_allclose(change, [math.nan, 10.0, 10.0 - 28.0 / 1.8])


def test_the_trend_is_how_far_the_recent_average_is_from_the_long_term_one() -> None:
    trend = steps(records(x=[10.0, 20.0, 10.0]))["trend"]

    np.testing.assert_allclose(trend, [math.nan, 0.0, 28.0 / 1.8 - 29.8 / 1.98], atol=1e-8)


def test_each_key_has_its_own_past() -> None:
    batch = records(x=[1.0, 100.0, 2.0, 101.0], keys=["a", "b", "a", "b"])

    np.testing.assert_array_equal(steps(batch)["change"], [math.nan, math.nan, 1.0, 1.0])


def test_missing_values_leave_the_past_as_it_is() -> None:
    batch = records(x=[1.0, None, math.nan, 2.0])

    np.testing.assert_array_equal(steps(batch)["change"], [math.nan, math.nan, math.nan, 1.0])


def test_a_series_that_stands_still_has_no_change_at_all() -> None:
    found = past().steps(records(x=[0.1] * 3000), np.full(3000, 0.1))

    assert not np.nan_to_num(found["change"]).any()
    assert not np.nan_to_num(found["trend"]).any()


def test_rate_and_since_go_by_the_last_record_that_has_a_time() -> None:
    batch = records(x=[1.0, 2.0, 3.0, 9.0, 9.5], times=[math.nan, 10.0, math.nan, 12.0, 12.0])

    found = steps(batch, past(timed=True))

    np.testing.assert_array_equal(found["since"], [math.nan, math.nan, math.nan, 2.0, 0.0])
    np.testing.assert_array_equal(found["rate"], [math.nan, math.nan, math.nan, 3.5, math.nan])


SIZES = st.sampled_from([1, 2, LONG - 1, LONG, LONG + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])


@settings(max_examples=40, deadline=None)
@given(data=st.data(), keys=st.sampled_from([1, 3, 200]), timed=st.booleans())
def test_steps_are_those_of_a_simple_memory_and_the_same_bits_however_records_are_cut(
    data: st.DataObject, keys: int, timed: bool
) -> None:
    rows, seed = data.draw(SIZES), data.draw(st.integers(0, 99))
    chance = np.random.default_rng(seed)
    values = np.where(chance.random(rows) < 0.1, np.nan, chance.normal(50, 5, rows))
    names = [f"k{i}" for i in (chance.zipf(1.3, rows) % keys).tolist()]
    batch = records(
        {Field("x", FieldType.NUMBER): values.tolist()}, keys=names, times=[3.0 * row for row in range(rows)]
    )
    cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=6))})
    together, apart = past(50, timed=timed), past(50, timed=timed)

    whole = together.steps(batch, values)
    pieces = [apart.steps(part(batch, a, b), values[a:b]) for a, b in itertools.pairwise(cuts)]

    for name, step in whole.items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), step)
    np.testing.assert_allclose(whole["change"], one_by_one(values, names, 50), rtol=1e-9, atol=1e-9)


def one_by_one(values: Any, keys: list[str], max_keys: int) -> list[float]:
    held: dict[str, tuple[float, float]] = {}
    changes = [math.nan] * len(keys)
    for row, (value, key) in enumerate(zip(values.tolist(), keys, strict=True)):
        if math.isnan(value):
            continue
        total, weight = held.pop(key, (0.0, 0.0))
        if weight:
            changes[row] = value - total / weight
        held[key] = (0.8 * total + 0.2 * value, 0.8 * weight + 0.2)
        if len(held) > max_keys:
            held.pop(next(iter(held)))
    return changes


@pytest.mark.parametrize("count", [1, 5, BLOCK, BLOCK + 7])
def test_averages_survive_a_model_that_takes_other_logarithms(count: int) -> None:
    old, new = (Scaling(0.0, 1e9, unit, signed=False, centre=0.0, half=1.0) for unit in (1.0, 50.0))
    memory, later = empty_memory(10, timed=False), empty_memory(10, timed=False)
    steps(records(x=[100.0] * count), Past(memory, old, fast=0.2, slow=0.02, timed=False))

    later.load(memory.state())
    change = steps(records(x=[200.0]), Past(later, new, fast=0.2, slow=0.02, timed=False))["change"][0]

    assert change == pytest.approx(math.log((200 / 50 + 1) / (100 / 50 + 1)), rel=1e-5)


def after(course: list[float | None], **options: Any) -> RecordBatch:
    """A benign course that stands at 50 in the end, and what comes then."""
    calm = [50.0 + 3.0 * (-1) ** i for i in range(200)] + [50.0] * 20
    return records(x=[*calm, *course], times=[10.0 * i for i in range(len(calm) + len(course))], **options)


def said(course: list[float | None], **options: Any) -> str:
    """What is said where the network expects just this value, and nothing in particular beside it."""
    fitting = fitted(**options)
    columns, novelty = encode(fitting, after(course))
    reconstruction = np.append(columns[-1, :1], np.zeros(len(fitting.columns) - 1, dtype=np.float32))
    return fitting.explain(columns[-1], novelty[-1], reconstruction).reason


def test_a_jump_is_told_from_the_recent_average() -> None:
    fitting = fitted()

    told = finding(fitting, after([59.0]), [0.0, 0.0, 0.0])

    assert fitting.columns == ("value", "change", "trend")
    assert told.reason == "jumped by 9 from its recent average 50 (benign changes -5.36 to 6.69)"
    assert told.expected == pytest.approx(50.0, abs=0.1)
    assert told.benign_range == "40.238 to 60.286"


def test_a_jump_far_beyond_the_cut_of_its_column_is_told_to_the_digit() -> None:
    assert said([59.0], clip=0.95).startswith("jumped by 9 from its recent average 50 (")


def test_a_drop_of_a_logarithm_is_told_in_the_units_of_the_field() -> None:
    assert said([41.0], scale="log").startswith("dropped by 9 from its recent average 50 (benign changes -")


def test_a_change_that_is_nothing_new_is_unusual_with_the_other_fields() -> None:
    assert said([53.0]).startswith("jumped by 3 from its recent average 50 (benign changes -5.36 to 6.69); unusual")


def test_a_slow_drift_is_told_from_the_long_term_average() -> None:
    drift = [50.0 + 0.5 * i for i in range(19)]

    assert said([*drift, 59.3]).startswith("its recent average 57.")


def test_a_value_outside_everything_benign_is_no_second_surprise() -> None:
    fitting = fitted()

    _, novelty = encode(fitting, after([1e6]))

    assert np.count_nonzero(novelty[-1]) == 1
    assert said([1e6]) == "above everything benign (max 60.286)"


def test_rate_and_since_are_columns_of_their_own() -> None:
    jittered = np.cumsum(np.random.default_rng(1).uniform(5, 15, 2000)).tolist()
    fitting = encoder("streaming", rate=True, since=True).fit(records(x=walk(), times=jittered))

    told = finding(fitting, records(x=[50.0, 50.5], times=[0.0, 900.0]), [0.0] * 5)

    assert fitting.columns == ("value", "change", "trend", "rate", "since")
    assert told.reason.startswith("seconds since the record before: above everything benign (max 1")


def test_a_key_that_never_moved_and_does_is_the_loudest() -> None:
    keys = ["a", "b"] * 100
    fitting = encoder("streaming").fit(records(x=[1.0, 2.0] * 100, keys=keys))

    batch = records(x=[1.0] * 5 + [2.0], keys=["a"] * 6)

    assert fitting.columns == ("value",)
    assert encode(fitting, batch)[1].max(axis=1).tolist() == [0.0] * 5 + [pytest.approx(7.6, abs=0.5)]
    assert finding(fitting, batch).reason == (
        "difference from its recent average: changed: always 0 in 200 benign records"
    )


def test_the_first_records_of_a_key_read_as_such_values_usually_do() -> None:
    columns, novelty = encode(fitted(), records(x=[58.0] * 5 + [56.0]))
    benign = encode(fitted(), records(x=walk()))[0]

    assert (columns[1:5] == columns[0]).all()
    for column in (1, 2):
        line = np.polyfit(benign[5:, 0], benign[5:, column], 1)
        assert columns[0, column] == pytest.approx(np.polyval(line, columns[0, 0]), abs=0.02)
    assert columns[5, 1] < columns[0, 1]  # from here on it is compared with its own past
    assert not novelty.any()


def test_a_constant_number_is_not_remembered() -> None:
    fitting = encoder("streaming").fit(records(x=[3.0] * 50))
    encode(fitting, records(x=[3.0, 4.0]))

    assert isinstance(fitting, KeyedEncoder)
    assert (fitting.columns, fitting.keyed_state()["keys"]) == ((), [])


def test_infinite_values_leave_a_memory_that_json_can_hold() -> None:
    fitting = fitted(rate=True)
    encode(fitting, records(x=[math.inf, -math.inf, 1e308], times=[1.0, 2.0, 3.0]))

    assert isinstance(fitting, KeyedEncoder)
    assert json.loads(json.dumps(fitting.keyed_state(), allow_nan=False))["keys"] == [None]


def test_rates_without_event_time_are_refused() -> None:
    with pytest.raises(DataError, match="field 'x': rate and since need an event time; set the `time:` of the stream"):
        encoder("streaming", rate=True).fit(records(x=[1.0, 2.0]))


def test_the_long_term_average_must_be_the_slower_one() -> None:
    with pytest.raises(ValidationError, match=r"slow \(0\.2\) must be less than fast \(0\.2\)"):
        streaming.Config(slow=0.2)
