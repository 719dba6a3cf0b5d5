"""Planted faults: what each one changes, what it leaves alone, and that exactly what changed is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.arrays import I64
from monitor.core.differences import differing
from monitor.core.errors import UsageError
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.faults.kinds import KINDS
from monitor.faults.planting import FAULTS, Planting, applies, choose, plant
from monitor.faults.timing import FASTER
from tests.records import records

ROWS = 400
FIELDS = ("bytes", "level", "route", "cached", "pixels", "events")


def batch(**more: Sequence[Any]) -> RecordBatch:
    """Records of four keys with a field of each type; every tenth has no level."""
    random = np.random.default_rng(4)
    levels = random.normal(20, 2, ROWS).tolist()
    words = [[str(word) for word in random.choice(["read", "write", "sync"], 3)] for _ in range(ROWS)]
    return records(
        {Field("events", FieldType.TEXTS): words},
        bytes=random.integers(1, 10**6, ROWS).astype(float).tolist(),
        level=[None if i % 10 == 9 else level for i, level in enumerate(levels)],
        route=random.choice(["/cart", "/items/17", "/über"], ROWS).tolist(),
        cached=(random.random(ROWS) < 0.5).tolist(),
        pixels=random.integers(1, 255, (ROWS, 5)).astype(float).tolist(),
        times=(1e9 + np.cumsum(random.exponential(2.0, ROWS))).tolist(),
        keys=random.choice(["a", "b", "c", "d"], ROWS).tolist(),
        **more,
    )


def planted(name: str, field: str, rows: Sequence[int] | I64, source: RecordBatch | None = None) -> Planting:
    source = batch() if source is None else source
    return plant(source, field, name, np.asarray(rows, dtype=np.int64), np.random.default_rng(9))


def values(source: RecordBatch, name: str) -> list[Any]:
    """A field in its first type."""
    column = next(column for field, column in source.columns.items() if field.name == name)
    found: list[Any] = column.to_pylist()
    return found


def pairs() -> list[tuple[str, str]]:
    source = batch()
    return [(name, field) for name in FAULTS for field in FIELDS if applies(source, field, name)]


@pytest.mark.parametrize(("name", "field"), pairs())
def test_only_the_field_of_the_rows_that_are_told_changes_and_the_batch_stays_as_it_was(name: str, field: str) -> None:
    source, untouched = batch(), batch()
    rows = choose(source, field, name, 60, np.random.default_rng(1))

    found = planted(name, field, rows, source)

    assert 0 < len(found.rows) <= len(rows)
    for column, before in source.columns.items():
        changed = np.flatnonzero(differing(before, found.records.columns[column])).tolist()
        if column.name != field:
            assert changed == []
        elif FAULTS[name].clock:
            assert set(changed) <= set(rows.tolist())
        else:
            assert changed == found.rows.tolist()
            assert found.truth.equals(before.take(pa.array(found.rows)))
        assert before.equals(untouched.columns[column])
    assert np.array_equal(np.asarray(source.times), np.asarray(untouched.times))


@pytest.mark.parametrize(("name", "field"), pairs())
def test_the_same_generator_plants_the_same(name: str, field: str) -> None:
    rows = choose(batch(), field, name, 60, np.random.default_rng(1))

    first, again = planted(name, field, rows), planted(name, field, rows)

    assert all(first.records.columns[column].equals(again.records.columns[column]) for column in first.records.columns)
    assert np.array_equal(np.asarray(first.records.times), np.asarray(again.records.times))


def test_scaling_keeps_whole_numbers_whole_and_ten_times_nothing_is_no_fault() -> None:
    source = records(x=[0.0, 20.0, None, 4.0, 7.0])

    larger, smaller = planted("x10", "x", range(4), source), planted("/10", "x", range(4), source)

    assert values(larger.records, "x") == [0.0, 200.0, None, 40.0, 7.0]
    assert (larger.rows.tolist(), larger.truth.to_pylist()) == ([1, 3], [20.0, 4.0])
    assert values(smaller.records, "x") == [0.0, 2.0, None, 0.0, 7.0]


def test_a_field_parsed_as_two_types_stays_one_value() -> None:
    number, text = Field("status", FieldType.NUMBER), Field("status", FieldType.TEXT)
    source = records({number: [200.0, 404.0, 200.0], text: ["200", "404", "200"]})

    scaled, swapped = planted("x10", "status", [0], source), planted("swap", "status", [0], source)
    unseen = planted("unseen", "status", [1], source)

    assert [scaled.records.columns[field][0].as_py() for field in (number, text)] == [2000.0, "2000"]
    assert [swapped.records.columns[field][0].as_py() for field in (number, text)] == [404.0, "404"]
    word, read = (unseen.records.columns[field][1].as_py() for field in (text, number))
    assert (float(word), unseen.truth.to_pylist()) == (read, ["404"])


def test_a_swapped_number_is_one_that_occurs_far_away_and_a_swapped_text_another_one() -> None:
    source = batch()

    numbers, texts = planted("swap", "bytes", range(ROWS), source), planted("swap", "route", range(ROWS), source)

    ranks = {value: rank for rank, value in enumerate(sorted(values(source, "bytes")))}
    before, after = values(source, "bytes"), values(numbers.records, "bytes")
    assert min(abs(ranks[a] - ranks[b]) for a, b in zip(before, after, strict=True)) > ROWS / 4
    assert max(ranks[value] for value in after) > 0.9 * ROWS
    assert len(numbers.rows) == len(texts.rows) == ROWS


def test_nothing_can_be_swapped_where_all_values_are_alike() -> None:
    assert not len(planted("swap", "tls", range(5), records(tls=[True] * 9)).rows)
    assert not len(planted("swap", "n", range(5), records(n=[1.0] * 9)).rows)


def test_an_unseen_text_looks_like_its_kind() -> None:
    source = batch()

    words = [values(planted("unseen", "route", range(ROWS), source).records, "route")[row] for row in range(ROWS)]

    assert not set(words) & set(values(source, "route"))
    assert all(word[0] == "/" for word in words)
    item = words[values(source, "route").index("/items/17")]
    assert (item[6], item[1:6].isalpha(), item[7:].isdigit()) == ("/", True, True)
    assert all(word[1] == "ü" for word, was in zip(words, values(source, "route"), strict=True) if was == "/über")


def test_texts_without_letters_or_digits_cannot_become_unseen() -> None:
    assert not len(planted("unseen", "mark", [0, 1], records(mark=["-", "?"])).rows)


def test_noise_stays_on_its_side_of_zero() -> None:
    noisy = planted("noise", "bytes", range(ROWS))

    assert min(values(noisy.records, "bytes")) >= 0
    assert all(value.is_integer() for value in values(noisy.records, "bytes"))


def test_a_frozen_key_repeats_its_last_sound_value() -> None:
    source = records(x=[1.0, 2.0, 3.0, 4.0, None, 6.0, 7.0, 8.0], keys=["a", "b", "a", "b", "a", "a", "b", "a"])

    frozen = planted("frozen", "x", [2, 3, 4, 5], source)

    assert values(frozen.records, "x") == [1.0, 2.0, 1.0, 2.0, None, 1.0, 7.0, 8.0]
    assert frozen.rows.tolist() == [2, 3, 5]


def test_a_key_frozen_from_its_first_record_has_nothing_to_repeat() -> None:
    source = records(x=[1.0, 2.0, 3.0], keys=["a", "a", "b"])

    assert planted("frozen", "x", [0, 2], source).rows.tolist() == []


def test_a_drift_grows_evenly_within_each_run_of_a_key() -> None:
    random = np.random.default_rng(1)
    levels = random.uniform(0, 1, 100)
    source = records(x=levels.tolist())

    drifting = planted("drift", "x", [*range(10, 20), *range(50, 60)], source)

    added = np.array(values(drifting.records, "x")) - levels
    steps = np.diff(np.append(0, added[10:20]))
    assert np.allclose(steps, steps[0])
    assert np.allclose(added[10:20], added[50:60])
    assert 1.0 < added[19] < 1.5


def test_a_burst_is_of_one_key_and_fast_and_time_never_goes_back() -> None:
    source = batch()
    rows = np.arange(100, 120)

    found = planted("burst", "", rows, source)

    times, before = np.asarray(found.records.times), np.asarray(source.times)
    after: Any = found.records.keys
    assert len(set(after.to_pylist()[99:120])) == 1
    assert times[119] - times[99] == pytest.approx((before[119] - before[99]) / FASTER, rel=1e-3)
    assert (np.diff(times) >= 0).all()
    assert found.truth.to_pylist() == before[found.rows].tolist()


def test_the_field_of_the_key_follows_a_burst() -> None:
    source = records(host=["a", "b", "a", "b"], times=[1.0, 2.0, 3.0, 4.0], keys=["a", "b", "a", "b"])

    assert values(planted("burst", "host", [1, 2], source).records, "host") == ["a", "a", "a", "b"]


def test_a_silence_moves_all_later_times_and_keeps_their_gaps() -> None:
    source = batch()

    found = planted("silence", "", [50, 300], source)

    gaps, before = np.diff(np.asarray(found.records.times)), np.diff(np.asarray(source.times))
    assert found.rows.tolist() == [50, 300]
    assert np.allclose(np.delete(gaps, [49, 299]), np.delete(before, [49, 299]))
    assert min(gaps[[49, 299]]) > 10 * before.max()


def test_records_that_are_not_ok_are_passed_over() -> None:
    source = batch()
    source.ok[:200] = False

    assert choose(source, "bytes", "missing", 100, np.random.default_rng(1)).min() >= 200
    assert planted("missing", "bytes", range(ROWS), source).rows.min() >= 200


def test_runs_leave_as_many_sound_records_before_them() -> None:
    source = batch()
    rows = choose(source, "bytes", "frozen", 100, np.random.default_rng(1))

    assert len(rows) == 100
    assert len(planted("frozen", "bytes", rows, source).rows) > 80


def test_the_command_line_knows_every_fault() -> None:
    assert tuple(FAULTS) == KINDS


def test_faults_that_need_the_order_of_time_say_so() -> None:
    assert {name for name, fault in FAULTS.items() if fault.ordered} == {"frozen", "drift", "burst", "silence"}


def test_what_cannot_be_planted_is_refused_with_the_reason() -> None:
    source = records(x=[1.0, 2.0], word=["a", "b"])
    with pytest.raises(UsageError, match=r"there is no fault 'frozn'; did you mean 'frozen'\?"):
        planted("frozn", "x", [0], source)
    with pytest.raises(UsageError, match="fault 'x10' befalls number and vector fields; 'word' is text"):
        planted("x10", "word", [0], source)
    with pytest.raises(UsageError, match=r"no field 'wrd' to plant 'missing' in; did you mean 'word'\?"):
        planted("missing", "wrd", [0], source)
    with pytest.raises(UsageError, match="fault 'silence' moves event times, and these records have none"):
        planted("silence", "", [0], source)


@pytest.mark.parametrize("name", ["x10", "noise", "drift"])
@pytest.mark.parametrize("largest", [[1.7e308, 1e300], [1.7e308, -1.7e308]], ids=["one side", "both sides"])
def test_the_largest_numbers_become_others_without_a_warning(name: str, largest: list[float]) -> None:
    source = records(level=largest * 40)

    found = planted(name, "level", range(30, 50), source)

    assert len(found.rows)
