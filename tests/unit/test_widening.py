"""Values that benign records showed after those that were learned: known from then on, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from monitor import plugins
from monitor.core.arrays import F32
from monitor.core.protocols import WideningEncoder
from monitor.core.records import RecordBatch
from monitor.ingest.features import FeatureSpace
from tests.encoding import encode, encoder
from tests.records import records

LEARNED = {
    "categorical": [*["red", "green"] * 200, *[f"shade {i}" for i in range(40)]],
    "ip": [f"10.{i % 3}.{i % 20}.{i % 250}" for i in range(900)],
    "path": [f"/shop/{'abc'[i % 3]}/item{i % 40}.html" for i in range(900)],
    "text": [f"user {'abc'[i % 3]} logged in from host{i % 40}" for i in range(900)],
}
LATER = {
    "categorical": ["mauve", "red", "teal"],
    "ip": ["10.7.1.1", "172.16.0.9", "10.7.2.1"],
    "path": ["/shop/d/item1.html", "/basket?id=7", "/shop/a/item99.html"],
    "text": ["user d logged out from host1", "disk sda1 is full"],
}
STRANGE = {"categorical": ["puce"], "ip": ["203.0.113.9"], "path": ["/etc/passwd"], "text": ["kernel panic"]}


def batch(values: list[str | None]) -> RecordBatch:
    return records(x=values)


def known(kind: str) -> tuple[F32, F32, F32, F32]:
    """Columns and novelty of benign records, the later and a strange one, before and after widening."""
    everything = batch([*LEARNED[kind], *LATER[kind], *STRANGE[kind]])
    before = encoder(kind).fit(batch([*LEARNED[kind]]))
    assert isinstance(before, WideningEncoder)
    after = before.widened(batch([*LATER[kind]]))
    return (*encode(before, everything), *encode(after, everything))


@pytest.mark.parametrize("kind", LEARNED)
def test_what_later_records_showed_is_new_no_more_and_nothing_else_changes(kind: str) -> None:
    columns, novelty, same, less = known(kind)
    learned, later = len(LEARNED[kind]), len(LEARNED[kind]) + len(LATER[kind])

    assert np.array_equal(columns, same)
    assert (less.sum(axis=1) <= novelty.sum(axis=1)).all()
    assert less[learned:later].sum() < novelty[learned:later].sum()
    assert less[later:].sum() == novelty[later:].sum() > 0.0


@pytest.mark.parametrize(
    ("kind", "only", "other"),
    [
        ("categorical", "on", "off"),
        ("ip", "10.0.0.1", "10.0.0.2"),
        ("path", "/health", "/metrics"),
    ],
)
def test_the_only_value_of_what_was_learned_stays_the_only_one(kind: str, only: str, other: str) -> None:
    fitted = encoder(kind).fit(batch([only] * 100))
    assert isinstance(fitted, WideningEncoder)

    widened = fitted.widened(batch([other]))

    assert encode(widened, batch([other]))[1].any()


def test_features_know_later_values_when_they_are_restored() -> None:
    encoders = {"x": encoder("ip"), "load": encoder("numeric", "load")}
    rows = records(x=LEARNED["ip"], load=[float(i % 17) for i in range(900)])
    later = records(x=["192.0.2.1"] * 2, load=[3.0, 4.0])
    space = FeatureSpace.fit(encoders, rows)

    state = space.widened(later).state()
    restored = FeatureSpace.restore(state, lambda kind: plugins.module("encoders", kind))

    assert space.encode(later).values[:, space.layout.width :].any()
    assert not restored.encode(later).values[:, restored.layout.width :].any()
