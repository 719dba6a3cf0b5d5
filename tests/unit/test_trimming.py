"""Records that are suspected not to be benign are left out of everything that is learned, and told of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.app.compose import restore_features
from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F64, I64
from monitor.core.config import ScoreConfig
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.datasets.sensors import CHANNELS, plant
from monitor.encoders import numeric
from monitor.scoring.choice import scorer_of
from monitor.training.recipe import Judging, Trained, train
from monitor.training.splits import Split, split
from monitor.training.trimming import trimmed
from tests.records import records
from tests.support_models import CPU

NAMES = [channel.name for channel in CHANNELS]
ENCODERS: Mapping[str, Encoder] = {name: numeric.build(numeric.Config(), name) for name in NAMES}
ROWS, FRESH = 2000, 1000


def batch(readings: F64) -> RecordBatch:
    return records(**{name: readings[:, place].tolist() for place, name in enumerate(NAMES)})


class Spoiled(NamedTuple):
    """Readings of the plant [n, channels], and which rows are wrong in two channels."""

    readings: F64
    rows: I64

    @property
    def batch(self) -> RecordBatch:
        return batch(self.readings)


def spoiled(rows: int, share: float, seed: int) -> Spoiled:
    """Two readings are off by three deviations: hardly outside of their range, and against all other sensors."""
    readings, random = plant(rows, 0, seed).readings, np.random.default_rng(seed)
    deviations = readings.std(axis=0)
    chosen = random.choice(rows, round(rows * share), replace=False)
    for row in chosen:
        channels = random.choice(len(NAMES), 2, replace=False)
        readings[row, channels] += random.choice([-3, 3], 2) * deviations[channels]
    return Spoiled(readings, np.sort(chosen))


DIRTY, CLEAN, TESTED = spoiled(ROWS, 0.02, 1), spoiled(ROWS, 0.0, 1), spoiled(FRESH, 0.1, 2)


@cache
def learned(trim: float, *, dirty: bool, method: Literal["l1", "blend"] = "l1") -> Trained:
    config, judging = ModelConfig(trim=trim, epochs=30), Judging(ScoreConfig(method=method, average=1), AlertConfig())
    given = DIRTY if dirty else CLEAN
    return train("plant", given.batch, ENCODERS, config, judging, CPU, lambda _: None)


def judged(model: Trained) -> tuple[float, float]:
    """The share found of what is wrong, and the share of false alarms."""
    features = restore_features(model.contents)
    scores = scorer_of(model.contents, features.layout).score(features.encode(TESTED.batch)).scores
    wrong = np.isin(np.arange(FRESH), TESTED.rows)
    return float((scores[wrong] > 1).mean()), float((scores[~wrong] > 1).mean())


@pytest.mark.parametrize("method", ["l1", "blend"])
def test_trimming_brings_back_the_recall_that_contamination_costs(method: Literal["l1", "blend"]) -> None:
    dirty, cleaned = (judged(learned(trim, dirty=True, method=method))[0] for trim in (0.0, 0.03))

    assert dirty < 0.4
    assert cleaned > 0.9


def test_trimming_clean_records_harms_nothing_much() -> None:
    before, after = (judged(learned(trim, dirty=False)) for trim in (0.0, 0.03))

    assert after[0] > before[0] - 0.02
    assert after[1] < before[1] + 0.02


def test_the_suspects_are_the_records_that_are_wrong_the_worst_first() -> None:
    suspects = learned(0.03, dirty=True).suspects

    assert {suspect.row for suspect in suspects} >= set(DIRTY.rows.tolist())
    assert [suspect.times for suspect in suspects] == sorted((suspect.times for suspect in suspects), reverse=True)
    assert suspects[0].times > 3
    assert {suspect.part for suspect in suspects} == {"train", "early_stop", "calibration"}
    worst = DIRTY.readings[suspects[0].row]
    assert suspects[0].feature in NAMES
    assert abs(worst - CLEAN.readings[suspects[0].row])[NAMES.index(suspects[0].feature)] > 0


def test_of_clean_records_only_the_training_share_goes() -> None:
    suspects = learned(0.03, dirty=False).suspects

    assert {suspect.part for suspect in suspects} == {"train"}
    assert len(suspects) == round(0.03 * 0.7 * ROWS)


def test_what_was_left_out_is_not_counted_as_learned() -> None:
    model = learned(0.03, dirty=True)

    data = model.contents.data
    assert data.train + data.early_stop + data.calibration == ROWS - len(model.suspects)


def test_without_trimming_nothing_is_trained_twice_or_left_out() -> None:
    parts = split(ROWS, None, "time")

    assert trimmed(parts, DIRTY.batch, ENCODERS, ModelConfig(), CPU) == (parts, ())


def test_the_same_records_are_left_out_again() -> None:
    parts, config = split(ROWS, None, "time"), ModelConfig(trim=0.03)

    first, again = (trimmed(parts, DIRTY.batch, ENCODERS, config, CPU)[1] for _ in range(2))

    assert first == again


def test_without_a_split_all_records_are_training_records() -> None:
    parts, suspects = trimmed(split(ROWS, None, "none"), DIRTY.batch, ENCODERS, ModelConfig(trim=0.02), CPU)

    assert len(suspects) == 40
    assert parts.train == parts.calibration == slice(0, ROWS - 40)
    assert not {suspect.row for suspect in suspects} & set(parts.order.tolist())


def test_rows_are_those_that_were_given_also_where_time_goes_another_way() -> None:
    backwards = np.arange(float(ROWS))[::-1].copy()
    given = records(
        times=backwards.tolist(), **{name: DIRTY.readings[:, place].tolist() for place, name in enumerate(NAMES)}
    )

    suspects = trimmed(split(ROWS, backwards, "time"), given, ENCODERS, ModelConfig(trim=0.03), CPU)[1]

    assert len({suspect.row for suspect in suspects} & set(DIRTY.rows.tolist())) > 0.9 * len(DIRTY.rows)


def test_a_split_without_some_rows_keeps_the_order_and_the_parts() -> None:
    parts = Split(np.array([3, 1, 0, 2, 4]), slice(0, 3), slice(3, 4), slice(4, 5))

    left = parts.without(np.array([False, True, False, False, False]))

    assert left.order.tolist() == [3, 0, 2, 4]
    assert (left.train, left.early_stop, left.calibration) == (slice(0, 2), slice(2, 3), slice(3, 4))


@pytest.mark.parametrize("trim", [-0.01, 0.21, float("nan")])
def test_a_share_that_makes_no_sense_is_refused(trim: Any) -> None:
    with pytest.raises(ValidationError, match=r"trim\n"):
        ModelConfig(trim=trim)
