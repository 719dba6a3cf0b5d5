"""Score histograms agree with counting one by one, whatever the scores are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.accounting import Counts
from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.telemetry.names import SCORE_BOUNDS
from tests.unit.test_telemetry import scores, scraped, value


def buckets(telemetry: Telemetry, name: str = "score") -> dict[float, float]:
    return {
        float(dict(labels)["le"]): number
        for (sample, labels), number in scraped(telemetry).items()
        if sample == f"aemonitor_{name}_bucket"
    }


def test_scores_fall_into_cumulative_buckets_with_1_and_the_threshold_among_them(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.model(version="v1", sha256="ab", created=0.0, threshold=0.85, low=0.0, high=1.0)

    stream.batch(Counts(read=6, scored=6), scores(-3.0, 0.0, 0.85, 0.86, 1.0, 200.0), {})

    found = buckets(telemetry)
    assert set(found) == {*SCORE_BOUNDS, 0.85, float("inf")}
    assert (found[0.0], found[0.75], found[0.85], found[0.9], found[1.0], found[100.0]) == (2, 2, 3, 4, 5, 5)
    assert found[float("inf")] == value(telemetry, "score_count", stream="web") == 6
    assert value(telemetry, "score_sum", stream="web") == pytest.approx(0.85 + 0.86 + 1.0 + 200.0)


def test_scores_that_are_no_finite_numbers_are_counted_as_huge_and_spoil_no_sum(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")

    stream.batch(Counts(read=4, scored=4), scores(float("nan"), float("inf"), float("-inf"), 1e308), {})

    found = buckets(telemetry)
    assert (found[0.0], found[100.0], found[float("inf")]) == (1, 1, 4)
    assert value(telemetry, "score_sum", stream="web") == 3e9


def test_single_precision_scores_are_taken_too(telemetry: Telemetry) -> None:
    telemetry.stream("web").batch(Counts(read=1, scored=1), np.array([0.5], dtype=np.float32), {})

    assert buckets(telemetry)[0.5] == 1


def test_a_model_with_the_same_threshold_keeps_the_histogram_and_another_one_starts_it_anew(
    telemetry: Telemetry,
) -> None:
    stream = telemetry.stream("web")
    stream.batch(Counts(read=1, scored=1), scores(0.5), {})

    stream.model(version="v1", sha256="a", created=0.0, threshold=1.0, low=0.0, high=1.0)
    kept = value(telemetry, "score_count", stream="web")
    stream.model(version="v2", sha256="b", created=0.0, threshold=1.1, low=0.0, high=1.0)

    assert kept == 1
    assert value(telemetry, "score_count", stream="web") == 0
    assert 1.1 in buckets(telemetry)


@pytest.mark.parametrize("threshold", [float("inf"), float("nan"), -1.0])
def test_a_threshold_that_is_no_bucket_bound_does_no_harm(telemetry: Telemetry, threshold: float) -> None:
    telemetry.stream("web").model(version="v", sha256="a", created=0.0, threshold=threshold, low=0.0, high=1.0)

    assert set(buckets(telemetry)) == {*SCORE_BOUNDS, float("inf")}
    assert telemetry.scrape()[0].count(b'aemonitor_score_bucket{le="+Inf"') == 1


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=40))
@settings(max_examples=60, deadline=None)
def test_buckets_agree_with_counting_one_by_one(values: list[float]) -> None:
    telemetry = Telemetry(ManualClock())
    telemetry.stream("web").batch(Counts(read=len(values), scored=len(values)), scores(*values), {})

    found = buckets(telemetry)

    for bound in SCORE_BOUNDS:
        assert found[bound] == sum(v <= bound for v in values)  # NaN is in none of them
    assert found[float("inf")] == len(values)


def test_l1_scores_have_a_histogram_of_their_own_whatever_the_method(telemetry: Telemetry) -> None:
    telemetry.stream("web").batch(Counts(), scores(0.5, 2.0), {})
    telemetry.stream("db").batch(Counts(), scores(0.5, 2.0), {}, l1=scores(0.1, 0.2))

    sums = {stream: value(telemetry, "score_l1_sum", stream=stream) for stream in ("web", "db")}
    assert sums == {"web": 2.5, "db": pytest.approx(0.3)}
    assert value(telemetry, "score_sum", stream="db") == 2.5
