"""What a feature says of how much it must remember is true: behind that, what came earlier makes no difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.core.arrays import F32
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import take
from monitor.core.warm_up import WarmUp
from monitor.ingest.features import FeatureSpace
from monitor.plugins import module
from monitor.reservoir.stretches import warming
from tests.records import records

COUNT, BEGINS = 3000, 1700
"""Records of a stream, and where a stretch of them begins."""


def stream() -> RecordBatch:
    """A number that drifts, an event, irregular times with pauses; two keys."""
    chance = np.random.default_rng(7)
    steps = chance.exponential(1.0, COUNT) + 20.0 * (chance.random(COUNT) < 0.02)
    level = np.convolve(chance.normal(size=COUNT), np.ones(20) / 20, "same")
    return records(
        {
            Field("ms", FieldType.NUMBER): (level + 0.2 * chance.normal(size=COUNT)).tolist(),
            Field("event", FieldType.TEXT): chance.choice(["a", "b", "c"], COUNT).tolist(),
        },
        times=np.cumsum(steps).tolist(),
        keys=chance.choice(["x", "y"], COUNT).tolist(),
    )


def encoded(kind: str, field: str, options: dict[str, Any]) -> tuple[F32, F32, WarmUp]:
    """The stretch with all of its past and with none, and what the feature says that it needs."""
    plugin, whole = module("encoders", kind), stream()
    config = plugin.Config(**options)
    state = FeatureSpace.fit({"it": plugin.build(config, field)}, whole).state()
    stretch = take(whole, np.arange(BEGINS, COUNT))

    def fresh() -> FeatureSpace:
        return FeatureSpace.restore(state, lambda name: module("encoders", name))

    return fresh().encode(whole).values[BEGINS:], fresh().encode(stretch).values, config.warm_up


KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("window", "ms", {"length": 8}),
    ("interarrival", "gap", {}),
    ("counts", "event", {"window": "tumbling", "seconds": 60.0}),
    ("counts", "event", {"window": "sliding", "seconds": 60.0, "step": 5.0}),
    ("counts", "event", {"window": "session", "gap": 15.0}),
]


@pytest.mark.parametrize(("kind", "field", "options"), [*KINDS, ("streaming", "ms", {"rate": True})])
def test_nothing_is_remembered_from_one_stretch_in_the_next(kind: str, field: str, options: dict[str, Any]) -> None:
    plugin, whole = module("encoders", kind), stream()
    space = FeatureSpace.fit({"it": plugin.build(plugin.Config(**options), field)}, whole)
    numbers = np.arange(COUNT) // 700 * 2 + (np.array(whole.keys) == "x")
    fresh = space.keyed_state()

    together = space.encode(replace(whole, stretches=numbers)).values

    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        space.load_keyed_state(fresh)
        assert np.array_equal(together[rows], space.encode(take(whole, rows)).values)


def warm(needed: WarmUp) -> np.ndarray:
    whole = stream()
    assert whole.times is not None
    keys = (np.array(whole.keys)[BEGINS:] == "x").astype(np.int64)
    return ~warming(keys, whole.times[BEGINS:], [needed])


@pytest.mark.parametrize(("kind", "field", "options"), KINDS)
def test_behind_the_warm_up_nothing_depends_on_what_came_earlier(
    kind: str, field: str, options: dict[str, Any]
) -> None:
    past, none, needed = encoded(kind, field, options)

    rows = warm(needed)

    assert rows.sum() > 300
    assert np.array_equal(past[rows], none[rows])
    assert not np.array_equal(past[~rows], none[~rows])


def test_behind_the_warm_up_of_an_average_little_depends_on_what_came_earlier() -> None:
    past, none, needed = encoded("streaming", "ms", {"rate": True, "since": True})

    rows = warm(needed)

    assert rows.sum() > 300
    assert np.abs(past[rows] - none[rows]).mean() < 0.02 * np.abs(past[rows]).mean()
    assert np.abs(past[~rows] - none[~rows]).mean() > 5 * np.abs(past[rows] - none[rows]).mean()
