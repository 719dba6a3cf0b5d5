"""The figures of an evaluation against scikit-learn and against examples worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from monitor.core.arrays import F64, Bools
from monitor.reporting.confusion import (
    confusions,
    estimated_rates,
    rates_of,
    sweep_thresholds,
    threshold_at_rate,
)
from monitor.reporting.curves import CURVE_POINTS, areas, auroc, precision_at, precision_recall, roc
from monitor.reporting.evaluation import Confusion, Estimate
from monitor.reporting.intervals import (
    Bootstrap,
    auroc_of_counts,
    average_precision_of_counts,
    estimate,
    resampled_rankings,
)

FEW = Bootstrap(200, 1)


def quiet(_what: str, _done: int, _total: int, _remark: str) -> None:
    """Progress nobody looks at."""


def random_case(seed: int, count: int = 400, *, ties: bool = True) -> tuple[F64, Bools]:
    """Scores that know something of the labels, many of them equal."""
    random = np.random.default_rng(seed)
    labels = random.random(count) < 0.2
    scores = random.normal(size=count) + labels
    return (np.round(scores, 1) if ties else scores), labels


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-12)


# -- counts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_rates_are_those_of_scikit_learn(seed: int) -> None:
    scores, labels = random_case(seed)
    called = scores > 0.5

    counts = confusions(scores, labels, np.array([0.5]))[0]

    tn, fp, fn, tp = metrics.confusion_matrix(labels, called).ravel().tolist()
    assert counts == Confusion(0.5, tp, fp, tn, fn)
    rates = rates_of(counts)
    assert close(rates.precision[0], metrics.precision_score(labels, called))
    assert close(rates.recall[0], metrics.recall_score(labels, called))
    assert close(rates.f1[0], metrics.f1_score(labels, called))
    assert close(rates.accuracy[0], metrics.accuracy_score(labels, called))
    assert close(rates.mcc[0], metrics.matthews_corrcoef(labels, called))
    assert close(rates.false_positive_rate[0], fp / (fp + tn))


def test_a_score_equal_to_the_threshold_is_not_called_anomalous() -> None:
    scores, labels = np.array([1.0, 1.0, 2.0]), np.array([True, False, True])

    assert confusions(scores, labels, np.array([1.0, 0.9])) == (Confusion(1.0, 1, 0, 1, 1), Confusion(0.9, 2, 1, 0, 0))


def test_with_one_class_what_compares_classes_is_not_defined() -> None:
    benign = rates_of(Confusion(1.0, 0, 2, 8, 0))
    anomalous = rates_of(Confusion(1.0, 2, 0, 0, 8))

    assert np.isnan([benign.precision, benign.recall, benign.f1, benign.mcc]).all()
    assert np.isnan([anomalous.precision, anomalous.false_positive_rate, anomalous.f1, anomalous.mcc]).all()
    assert (benign.false_positive_rate[0], anomalous.recall[0]) == (0.2, 0.2)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.floats(0, 1))
def test_the_threshold_for_a_rate_is_the_smallest_that_keeps_it(benign: list[int], rate: float) -> None:
    scores = np.array(benign, dtype=np.float64)

    threshold = threshold_at_rate(scores, rate)

    allowed = math.floor(rate * len(benign) + 1e-9)
    assert (scores > threshold).sum() <= allowed
    assert (scores > np.nextafter(threshold, -np.inf)).sum() > allowed or allowed == len(benign)


def test_the_rate_of_a_hundred_records_is_exact_in_floating_point() -> None:
    assert (np.arange(100.0) > threshold_at_rate(np.arange(100.0), 0.29)).sum() == 29
    assert math.isnan(threshold_at_rate(np.empty(0), 0.1))


def test_a_sweep_has_about_fifty_rising_thresholds_and_those_asked_for() -> None:
    thresholds = sweep_thresholds(random_case(1, ties=False)[0], 0.123, math.nan, math.inf)

    assert (np.diff(thresholds) > 0).all()
    assert 40 <= len(thresholds) <= 51
    assert 0.123 in thresholds


def test_a_sweep_of_equal_scores_is_one_threshold() -> None:
    assert sweep_thresholds(np.ones(7)).tolist() == [1.0]


# -- rankings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
def test_curves_and_areas_are_those_of_scikit_learn(ties: bool) -> None:
    scores, labels = random_case(3, ties=ties)

    auc, average_precision = areas(scores, labels, FEW, quiet)

    assert close(auc.value, metrics.roc_auc_score(labels, scores))
    assert close(average_precision.value, metrics.average_precision_score(labels, scores))
    curve = roc(scores, labels)
    assert close(float(metrics.auc(curve.x, curve.y)), auc.value)
    precise = precision_recall(scores, labels)
    assert close(float(np.sum(np.diff(precise.x) * precise.y[1:])), average_precision.value)
    assert (np.diff(precise.thresholds[1:]) < 0).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=30))
def test_areas_of_counts_are_those_of_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([float(score) for score, _ in rows]), np.array([label for _, label in rows])
    if labels.all() or not labels.any():
        assert math.isnan(auroc(scores, labels))
        return
    benign, anomalous = (np.bincount(3 - scores[mask].astype(int), minlength=4) for mask in (~labels, labels))

    assert close(auroc_of_counts(benign, anomalous), metrics.roc_auc_score(labels, scores))
    assert close(average_precision_of_counts(benign, anomalous), metrics.average_precision_score(labels, scores))


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_its_area() -> None:
    scores, labels = random_case(5, 20_000, ties=False)

    curve = roc(scores, labels)

    assert CURVE_POINTS // 2 < len(curve.x) <= CURVE_POINTS + 2
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert math.isclose(float(metrics.auc(curve.x, curve.y)), auroc(scores, labels), abs_tol=1e-3)


@pytest.mark.parametrize("anomalous", [False, True])
def test_one_class_has_no_curve_and_no_area(anomalous: bool) -> None:
    scores, labels = np.arange(5.0), np.full(5, anomalous)

    assert all(math.isnan(area.value) for area in areas(scores, labels, FEW, quiet))
    assert (len(roc(scores, labels).x), len(precision_recall(scores, labels).x)) == (0, 0)


def test_precision_at_k_shares_ties_at_the_edge() -> None:
    # The eleventh to thirteenth score are equal, one of the three is anomalous; k = 12 takes two of the three.
    scores = np.array([9.0] * 10 + [5.0] * 3 + [1.0] * 7)
    labels = np.zeros(20, dtype=np.bool_)
    labels[[0, 1, 2, 3, 11, *range(13, 20)]] = True

    (ten, at_ten), (twelve, at_twelve) = precision_at(scores, labels)

    assert (ten, at_ten, twelve) == (10, 0.4, 12)
    assert close(at_twelve, (4 + 2 / 3) / 12)


def test_precision_at_k_needs_an_anomalous_record() -> None:
    assert precision_at(np.arange(50.0), np.zeros(50, dtype=np.bool_)) == ()


# -- intervals -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    scores, labels = random_case(7)

    first, again, other = (areas(scores, labels, Bootstrap(100, seed), quiet) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_without_resamples_there_is_no_interval() -> None:
    scores, labels = random_case(7)

    auc, _ = areas(scores, labels, Bootstrap(0, 1), quiet)
    recall = estimated_rates(confusions(scores, labels, np.array([0.5]))[0], Bootstrap(0, 1)).recall

    assert not math.isnan(auc.value)
    assert np.isnan([auc.low, auc.high, recall.low, recall.high]).all()


def test_an_interval_is_the_middle_of_the_resamples_that_are_defined() -> None:
    resampled = np.append(np.arange(1001.0), [np.nan] * 500)

    assert estimate(500.0, resampled) == Estimate(500.0, 25.0, 975.0)
    assert math.isnan(estimate(math.nan, resampled).low)
    assert math.isnan(Bootstrap(10, 1).share(0, 0).value)


def test_resamples_of_a_recall_scatter_as_a_binomial_share_does() -> None:
    counts = Confusion(1.0, 60, 10, 190, 40)

    recall = estimated_rates(counts, Bootstrap(4000, 3)).recall

    # 0.6 +- 1.96 sqrt(0.6 * 0.4 / 100)
    assert recall.low == pytest.approx(0.504, abs=0.011)
    assert recall.high == pytest.approx(0.696, abs=0.011)


def test_resampled_rankings_scatter_as_theory_says() -> None:
    random = np.random.default_rng(4)
    benign, anomalous = random.normal(size=400), random.normal(1.0, size=100)

    aurocs, precisions = resampled_rankings(benign, anomalous, Bootstrap(600, 1), quiet)

    area = metrics.roc_auc_score(np.repeat([0, 1], [400, 100]), np.concatenate((benign, anomalous)))
    # Hanley and McNeil (1982) for normal scores.
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = math.sqrt((area * (1 - area) + 99 * (q1 - area**2) + 399 * (q2 - area**2)) / 40_000)
    assert aurocs.mean() == pytest.approx(area, abs=0.005)
    assert aurocs.std() == pytest.approx(spread, rel=0.25)
    assert 0 < precisions.min() < precisions.max() < 1


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = 0.7602  # of two normal distributions one deviation apart: Phi(1 / sqrt 2)
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        labels = np.repeat([False, True], [80, 40])
        area, _ = areas(random.normal(size=120) + labels, labels, Bootstrap(100, seed), quiet)
        held += area.low <= truth <= area.high

    assert 176 <= held <= 196  # 88 to 98 %; 190 are expected
