"""Of a sample of stretches it is decided record by record what is learned, judged, or remembered alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.core.model_config import ModelConfig
from monitor.core.records import RecordBatch
from monitor.encoders import numeric
from monitor.training.recipe import train
from monitor.training.sampled import learned_of, only_remembered, with_judged
from monitor.training.splits import split
from tests.records import records
from tests.support_models import CPU, L1

APART, WARMING = [3, 15, 17], [0, 16]


def sample() -> RecordBatch:
    """Twenty records, of which the newest six calibrate."""
    rows = np.arange(20)
    plain = records(ms=rows.astype(float).tolist())
    return replace(plain, warming=np.isin(rows, WARMING), apart=np.isin(rows, APART))


def test_what_stands_apart_is_not_learned() -> None:
    whole = split(20, None, "time")

    learned = learned_of(whole, sample())

    assert not set(APART) & set(learned.order.tolist())
    assert learned.count(learned.train) == whole.count(whole.train) - 1


def test_what_stands_apart_is_judged_where_others_are_and_else_remembered() -> None:
    whole = split(20, None, "time")
    suspect = learned_of(whole, sample()).without(np.arange(17) == 5)  # the sixth of them is record 6

    parts = with_judged(whole, suspect, sample())
    remembered = only_remembered(parts, sample())
    used = parts.without(remembered)

    assert parts.order.tolist() == [row for row in range(20) if row != 6]
    assert parts.order[remembered].tolist() == [0, 3, 16]
    assert used.order[used.calibration].tolist() == [14, 15, 17, 18, 19]
    assert used.order[used.train].tolist() == [1, 2, 4, 5, 7, 8, 9, 10, 11]


def test_where_all_records_do_everything_what_stands_apart_does_nothing() -> None:
    whole = split(20, None, "none")

    remembered = only_remembered(with_judged(whole, learned_of(whole, sample()), sample()), sample())

    assert np.flatnonzero(remembered).tolist() == sorted(APART + WARMING)


def test_other_records_are_as_they_were() -> None:
    plain, whole = records(ms=[1.0] * 20), split(20, None, "time")

    assert learned_of(whole, plain) is whole
    assert with_judged(whole, whole, plain) is whole
    assert not only_remembered(whole, plain).any()


def test_the_value_of_what_stands_apart_leaves_no_trace_in_what_is_learned() -> None:
    values = 50 + 40 * np.sin(np.linspace(0, 20, 200))
    apart = np.isin(np.arange(200), [50])
    encoders, config = {"a": numeric.build(numeric.Config(), "a")}, ModelConfig(epochs=2, hidden=[1], trim=0.0)

    def learned(wild: float) -> object:
        plain = records(a=np.where(apart, wild, values).tolist())
        batch = replace(plain, apart=apart, warming=np.zeros(200, dtype=np.bool_), stretches=np.ones(200, dtype=int))
        found = train("s", batch, encoders, config, L1, CPU, lambda _epoch: None)
        return found.contents.data.train, found.features.state(), found.contents.calibration

    assert learned(50.0) == learned(1e6)
    assert learned(1e6)[0] == 119  # type: ignore[index]
