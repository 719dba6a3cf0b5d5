"""Damage on purpose: what each kind changes and leaves alone, and that a sweep scores what was damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.arrays import F64
from monitor.core.errors import UsageError
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.encoders import interarrival
from monitor.ingest.features import FeatureSpace
from monitor.model.calibration import calibrate_network
from monitor.model.inference import Inference
from monitor.reporting.corruption import ALL, MOST_RUNS, Limits, Plan, Sample, check_plan, sweep
from monitor.reporting.damage import (
    Columns,
    Damage,
    boolean_damages,
    columns_of,
    differing,
    number_damages,
    scaled_ranges,
    text_damages,
    vector_damages,
)
from monitor.reporting.evaluation import Corrupted
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.kinds import KINDS
from monitor.scoring.l1 import L1Scorer
from tests.encoding import encoder
from tests.records import records
from tests.support_models import network

ROWS = 300
RANDOM = 5
EVERYTHING = Plan(KINDS, (), ())


def quiet(_what: str, _done: int, _total: int, _remark: str) -> None:
    """Progress nobody looks at."""


def number(values: Sequence[float | None]) -> Columns:
    return {Field("x", FieldType.NUMBER): pa.array(values, pa.float64())}


def vectors(values: Sequence[Sequence[float | None] | None]) -> Columns:
    return {Field("v", FieldType.VECTOR): pa.array(values, pa.list_(pa.float64()))}


def named(damages: Sequence[Damage], kind: str, strength: str | None = None) -> Damage:
    return next(d for d in damages if d.kind == kind and strength in (None, d.strength))


def damaged(damage: Damage, columns: Columns) -> list[Any]:
    """The only column, damaged."""
    (column,) = damage.change(columns, np.random.default_rng(RANDOM)).values()
    values: list[Any] = column.to_pylist()
    return values


# -- damage --------------------------------------------------------------------------------------------------------


def test_noise_on_numbers_is_measured_in_benign_spreads_and_leaves_missing_missing() -> None:
    columns = number([*np.linspace(0, 100.5, 1001).tolist(), None])

    noisy = damaged(named(number_damages(columns, ()), "noise", "± 0.5 spread"), columns)

    changes = np.array(noisy[:-1]) - np.linspace(0, 100.5, 1001)
    assert noisy[-1] is None
    assert 40 < np.abs(changes).max() <= 0.5 * 0.9 * 100.5
    assert abs(changes.mean()) < 3


def test_noise_keeps_whole_numbers_whole() -> None:
    columns = number(np.arange(100.0).tolist())

    noisy = damaged(named(number_damages(columns, ()), "noise", "± 1 spread"), columns)

    assert all(value.is_integer() for value in noisy)
    assert noisy != np.arange(100.0).tolist()


def test_noise_on_a_constant_is_not_nothing() -> None:
    assert damaged(named(number_damages(number([3.0] * 9), ()), "noise", "± 2 spread"), number([3.0] * 9)) != [3.0] * 9


@pytest.mark.parametrize(
    "values",
    [[1.7e308, -1.7e308, 0.5], [1.7e308, 1e300, 0.5], [2.0**63, -(2.0**63), 0.0]],
    ids=["sides", "side", "ids"],
)
def test_noise_on_the_largest_numbers_is_finite_wherever_they_are(values: list[float]) -> None:
    for damage in (*number_damages(number(values), ()), *vector_damages(vectors([values] * 4), ())):
        if damage.kind == "noise":
            of_number = number([0.0, 1.0])
            noisy = damaged(damage, of_number)

            assert np.isfinite(noisy).all()
            assert noisy != [0.0, 1.0]


def test_ranges_that_are_given_are_added_to_numbers_as_they_are() -> None:
    columns = number([0.5, 10.5, -3.5])

    noisy = damaged(named(number_damages(columns, [(100, 200)]), "noise", "100 to 200"), columns)

    assert all(100 <= after - before <= 200 for before, after in zip([0.5, 10.5, -3.5], noisy, strict=True))


def test_scaling_and_swapping_numbers() -> None:
    columns = number([1.0, 20.0, None, 4.0])
    damages = number_damages(columns, ())
    swapped = damaged(named(damages, "swap"), columns)

    assert damaged(named(damages, "scale", "x 10"), columns) == [10.0, 200.0, None, 40.0]
    assert damaged(named(damages, "scale", "/ 10"), columns) == [0.1, 2.0, None, 0.4]
    assert sorted(swapped, key=str) == [1.0, 20.0, 4.0, None]
    assert swapped != [1.0, 20.0, None, 4.0]
    assert damaged(named(damages, "missing"), columns) == [None] * 4


def test_noise_on_pixels_is_whole_and_stops_at_the_largest_benign_value() -> None:
    # As R4 has it: 100 to 200 added to every pixel, cut off at 255.
    columns = vectors([[0.0, 255.0, 120.0, 7.0]] * 50)

    noisy = np.array(damaged(named(vector_damages(columns, ()), "noise", "100 to 200"), columns))

    assert (noisy == np.rint(noisy)).all()
    assert (noisy[:, 1] == 255).all()
    assert ((noisy[:, [0, 3]] >= 100) & (noisy[:, [0, 3]] <= 207)).all()
    assert noisy[:, 2].max() == 255
    assert len(np.unique(noisy[:, 0])) > 20


def test_strengths_follow_the_range_of_other_vectors() -> None:
    assert scaled_ranges(0.0, 255.0)[-1] == (100.0, 200.0)
    assert scaled_ranges(0.0, 1.0)[0] == (0.0, 0.0784)
    assert scaled_ranges(-2.55, 2.55)[1] == (0.0, 1.0)


def test_entries_are_mixed_within_a_record_and_odd_vectors_stay_as_they_are() -> None:
    columns = vectors([[1.0, 2.0, 3.0, 4.0], None, [1.0], [1.0, None, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])

    mixed = damaged(named(vector_damages(columns, ()), "swap"), columns)

    assert mixed[1:4] == [None, [1.0], [1.0, None, 3.0, 4.0]]
    assert [sorted(mixed[0]), sorted(mixed[4])] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert mixed[0] != [1, 2, 3, 4]
    assert mixed[4] != [5, 6, 7, 8]


def test_a_vector_made_of_number_fields_is_damaged_as_one() -> None:
    fields = [Field(name, FieldType.NUMBER) for name in "abc"]
    columns = {f: pa.array([float(i), float(10 + i), None][: 2 + 1]) for i, f in enumerate(fields)}

    after = named(vector_damages(columns, ()), "swap").change(columns, np.random.default_rng(RANDOM))

    mixed = [after[f][1].as_py() for f in fields]
    assert sorted(mixed) == [10.0, 11.0, 12.0]
    assert mixed != [10.0, 11.0, 12.0]
    assert all(after[f][2].as_py() is None for f in fields)


def test_texts_are_swapped_made_up_or_taken_away() -> None:
    field = Field("t", FieldType.TEXT)
    columns = {field: pa.array(["a", "b", None, "d"])}

    unseen = damaged(named(text_damages(), "unseen"), columns)

    assert len(set(unseen)) == 4
    assert all(len(word) == 12 and word.isalpha() for word in unseen)
    swapped = damaged(named(text_damages(), "swap"), columns)
    assert sorted(swapped, key=str) == [None, "a", "b", "d"]
    assert swapped != ["a", "b", None, "d"]
    assert damaged(named(text_damages(), "missing"), columns) == [None] * 4


def test_lists_of_texts_are_swapped_made_up_or_taken_away() -> None:
    field = Field("t", FieldType.TEXTS)
    columns = {field: pa.array([["a", "b"], [], None, ["d"]], pa.list_(pa.string()))}

    unseen = damaged(named(text_damages(), "unseen"), columns)

    assert [len(words) for words in unseen] == [1] * 4
    assert len({word for (word,) in unseen}) == 4
    assert damaged(named(text_damages(), "missing"), columns) == [None] * 4
    for kind in ("unseen", "swap", "missing"):
        after = named(text_damages(), kind).change(columns, np.random.default_rng(RANDOM))
        assert after[field].type == columns[field].type
        assert differing(columns, after).any()


def test_booleans_are_flipped_where_they_are_there() -> None:
    columns = {Field("b", FieldType.BOOLEAN): pa.array([True, False, None])}

    assert damaged(named(boolean_damages(), "flip"), columns) == [False, True, None]


def test_only_rows_with_another_value_differ() -> None:
    before = number([1.0, None, float("nan"), 2.0, None])
    after = number([1.0, None, float("nan"), 3.0, 0.0])

    assert differing(before, after).tolist() == [False, False, False, True, True]


def test_vectors_differ_by_an_entry_a_length_or_by_being_there() -> None:
    before = vectors([[1, 2], [1, 2], [1, 2], None, [1, None], []])
    after = vectors([[1, 2], [1, 3], [1], [1, 2], [1, None], []])

    assert differing(before, after).tolist() == [False, True, True, True, False, False]


# -- the sweep -----------------------------------------------------------------------------------------------------


def benign(**more: Sequence[Any]) -> RecordBatch:
    random = np.random.default_rng(2)
    return records(
        level=random.normal(20, 3, ROWS).tolist(),
        mode=random.choice(["a", "b", "c"], ROWS).tolist(),
        on=random.choice([True, False], ROWS).tolist(),
        **more,
        times=np.cumsum(random.uniform(1, 9, ROWS)).tolist(),
    )


def tools(batch: RecordBatch, **kinds: str) -> tuple[FeatureSpace, L1Scorer, Sample]:
    """Features, a scorer that was never trained (it must only be the same each time), and a sample."""
    space = FeatureSpace.fit({name: encoder(kind, name) for name, kind in kinds.items()}, batch)
    values = space.encode(batch).values
    module = network(space.layout.width)
    scorer = L1Scorer(module, space.layout, calibrate_network(Inference(module, space.layout), values))
    scores = scorer.score(space.encode(batch)).scores
    return space, scorer, Sample(batch, values, scores)


MIXED = {"level": "numeric", "mode": "categorical", "on": "boolean"}


def swept(space: FeatureSpace, scorer: L1Scorer, sample: Sample, plan: Plan = EVERYTHING) -> tuple[Corrupted, ...]:
    return sweep(space, scorer, sample, plan, Limits(1.0, 0.9), Bootstrap(50, 1), quiet).rows


def test_a_sweep_damages_each_feature_in_the_ways_of_its_type_and_all_together() -> None:
    rows = swept(*tools(benign(), **MIXED))

    kinds = {target: [row.kind for row in rows if row.target == target] for target in (*MIXED, ALL)}
    assert kinds == {
        "level": ["noise"] * 5 + ["scale"] * 2 + ["swap", "missing"],
        "mode": ["swap", "unseen", "missing"],
        "on": ["flip", "missing"],
        ALL: ["noise"] * 5 + ["missing"],
    }
    assert [row.strength for row in rows[:2]] == ["± 0.1 spread", "± 0.25 spread"]
    assert all(0 < row.records <= ROWS for row in rows)
    # A third of the swapped modes are what they were: no damage, so they do not count.
    assert next(row.records for row in rows if (row.target, row.kind) == ("mode", "swap")) < 0.8 * ROWS


def test_the_scores_of_a_sweep_are_those_of_records_that_came_damaged() -> None:
    space, scorer, sample = tools(benign(), **MIXED)
    plan = Plan(("scale",), ("level",), ())

    row = next(row for row in swept(space, scorer, sample, plan) if row.strength == "x 10")

    field = Field("level", FieldType.NUMBER)
    larger = pa.array(sample.records.columns[field].to_numpy() * 10)
    batch = replace(sample.records, columns={**sample.records.columns, field: larger})
    expected: F64 = scorer.score(space.encode(batch)).scores
    assert row.recall.value == (expected > 1.0).mean()
    assert row.recall_at_rate.value == (expected > 0.9).mean()
    assert row.records == ROWS


def test_a_run_depends_on_the_seed_and_on_itself_alone() -> None:
    space, scorer, sample = tools(benign(), **MIXED)

    alone = swept(space, scorer, sample, Plan(("noise",), ("level",), ()))
    among = swept(space, scorer, sample)

    assert alone == tuple(row for row in among if row.target == "level" and row.kind == "noise")


def test_damage_that_changes_nothing_is_left_out() -> None:
    rows = swept(*tools(benign(zero=[0.0] * ROWS), zero="numeric", mode="categorical"), Plan(("scale", "swap"), (), ()))

    assert {row.target for row in rows} == {"mode"}


def test_records_of_one_field_are_not_swapped_with_each_other() -> None:
    rows = swept(*tools(benign(), level="numeric"))

    assert {row.kind for row in rows} == {"noise", "scale", "missing"}
    assert {row.target for row in rows} == {"level"}


def test_two_features_of_one_field_are_damaged_together() -> None:
    batch = benign()
    space = FeatureSpace.fit(
        {
            "mode": encoder("categorical", "mode"),
            "words": encoder("text", "mode"),
            "level": encoder("numeric", "level"),
        },
        batch,
    )
    values = space.encode(batch).values
    module = network(space.layout.width)
    scorer = L1Scorer(module, space.layout, calibrate_network(Inference(module, space.layout), values))
    sample = Sample(batch, values, scorer.score(space.encode(batch)).scores)

    by_first = swept(space, scorer, sample, Plan(("missing",), ("mode",), ()))
    by_second = swept(space, scorer, sample, Plan(("missing",), ("words",), ()))

    (first,), (second,) = by_first, by_second
    assert (first.target, second.target) == ("mode", "words")
    # Intervals differ: their random numbers depend on the name.
    assert (first.records, first.auroc, first.recall.value, first.recall_at_rate.value) == (
        second.records, second.auroc, second.recall.value, second.recall_at_rate.value,
    )  # fmt: skip
    without = {**sample.records.columns, Field("mode", FieldType.TEXT): pa.nulls(ROWS, pa.string())}
    scores = scorer.score(space.encode(replace(batch, columns=without))).scores
    assert first.recall_at_rate.value == (scores > 0.9).mean()


def test_what_a_feature_remembers_of_earlier_records_is_left_as_it_is() -> None:
    batch = benign()
    gaps = interarrival.build(interarrival.Config(), "gap")
    space = FeatureSpace.fit({"level": encoder("numeric", "level"), "gap": gaps}, batch)
    values = space.encode(batch).values
    module = network(space.layout.width)
    scorer = L1Scorer(module, space.layout, calibrate_network(Inference(module, space.layout), values))
    sample = Sample(batch, values, np.zeros(ROWS))
    before = space.keyed_state()

    rows = swept(space, scorer, sample)

    assert {row.target for row in rows} == {"level"}
    assert space.keyed_state() == before
    with pytest.raises(UsageError, match="--corrupt-feature: 'gap' is made of the event time or of earlier records"):
        check_plan(space, Plan(KINDS, ("gap",), ()))


def test_a_wide_stream_damages_a_drawn_sample_of_its_features_and_says_which() -> None:
    random = np.random.default_rng(3)
    batch = records(**{f"f{i}": random.normal(size=ROWS).tolist() for i in range(12)})
    space, scorer, sample = tools(batch, **{f"f{i}": "numeric" for i in range(12)})

    found = sweep(space, scorer, sample, EVERYTHING, Limits(1.0, 1.0), Bootstrap(10, 1), quiet)

    one_by_one = [row for row in found.rows if row.target != ALL]
    assert 45 <= len(one_by_one) <= MOST_RUNS
    assert "of 12 features, 6 were damaged one by one, drawn by the seed: 'f" in found.notes[0]
    assert sum(row.target == ALL for row in found.rows) == 6


def test_a_plan_that_cannot_be_done_is_refused_with_the_reason() -> None:
    space, _, _ = tools(benign(), mode="categorical")

    with pytest.raises(UsageError, match=r"--corrupt-feature: there is no feature 'mod'; did you mean 'mode'\?"):
        check_plan(space, Plan(KINDS, ("mod",), ()))
    with pytest.raises(UsageError, match=r"--corrupt-feature: there is no feature 'nosuch'"):
        check_plan(space, Plan((), ("nosuch",), ((0.0, 1.0),)))
    with pytest.raises(UsageError, match="--noise: no feature that is damaged is a number or a vector"):
        check_plan(space, Plan(KINDS, (), ((0.0, 1.0),)))


def test_options_without_effect_are_refused() -> None:
    space, _, _ = tools(benign(), **MIXED)
    ranges = ((0.0, 5.0),)

    with pytest.raises(UsageError, match="--corrupt none: nothing is damaged, so --noise has no effect"):
        check_plan(space, Plan((), (), ranges))
    with pytest.raises(UsageError, match="--corrupt none: nothing is damaged, so --corrupt-feature has no effect"):
        check_plan(space, Plan((), ("level",), ()))
    with pytest.raises(UsageError, match="--noise: has no effect without noise among the kinds of --corrupt"):
        check_plan(space, Plan(("swap",), (), ranges))
    with pytest.raises(UsageError, match="--noise: no feature that is damaged is a number or a vector"):
        check_plan(space, Plan(("noise",), ("mode",), ranges))
    with pytest.raises(UsageError, match="--corrupt: 'flip' cannot be done to any of the features; leave it out"):
        check_plan(space, Plan(("missing", "flip"), ("level", "mode"), ()))
    check_plan(space, EVERYTHING)
    check_plan(space, Plan((), (), ()))
    check_plan(space, Plan(("noise", "flip"), ("level", "on"), ranges))


def test_values_cannot_be_swapped_where_the_records_have_nothing_else() -> None:
    space, _, _ = tools(benign(), level="numeric")

    with pytest.raises(UsageError, match="--corrupt: 'swap' cannot be done to any of the features"):
        check_plan(space, Plan(("swap",), (), ()))


def test_columns_are_those_asked_for() -> None:
    assert list(columns_of(benign(), (Field("mode", FieldType.TEXT),))) == [Field("mode", FieldType.TEXT)]
