"""k-means on latent vectors: how many clusters, who is in which, who stands apart, and what has no clusters at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none; comes with scikit-learn

from monitor.core.arrays import F32
from monitor.core.errors import DataError, UsageError
from monitor.reporting.cluster_count import CHOICE_RECORDS, Choice
from monitor.reporting.cluster_table import About, Latents, record_tables, report
from monitor.reporting.clustering import FIT_RECORDS, Clustering, cluster_latent, plane


def blobs(*sizes: int, width: int = 3, apart: float = 4.0, seed: int = 0) -> F32:
    """Normal clouds of these sizes, one behind the other, their centres ``apart`` from each other on one axis each."""
    random = np.random.default_rng(seed)
    clouds = [random.normal(size=(size, width)) for size in sizes]
    for index, cloud in enumerate(clouds):
        cloud[:, index % width] += apart * (1 + index // width)
    return np.concatenate(clouds).astype(np.float32)


def clustered(latent: F32, wanted: int | None = None, *, most: int = 6, seed: int = 1) -> Clustering:
    return cluster_latent(latent, wanted, most=most, seed=seed, progress=lambda *_: None)


# -- how many ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(60, 60), (90, 60, 40), (70, 50, 40, 30)])
def test_separate_clouds_are_found_with_their_members(sizes: tuple[int, ...]) -> None:
    found = clustered(blobs(*sizes, width=4, apart=9.0))

    assert found.choice.clusters == len(sizes)
    assert found.cluster.tolist() == [c for c, size in enumerate(sizes, 1) for _ in range(size)]
    assert "the largest excess of 2 to 6 clusters" in found.choice.reason


@pytest.mark.parametrize("width", [1, 2, 8])
@pytest.mark.parametrize("shape", ["normal", "uniform"])
def test_a_single_cloud_is_one_cluster_in_any_number_of_dimensions(shape: str, width: int) -> None:
    random = np.random.default_rng(width)
    latent = (random.normal if shape == "normal" else random.uniform)(size=(400, width)).astype(np.float32)

    found = clustered(latent)

    assert found.choice.clusters == 1
    assert "no split is better than chance" in found.choice.reason
    assert len(found.choice.candidates) == 5
    assert found.silhouette is None
    assert not found.small.any()


def test_a_candidate_is_measured_by_the_usual_silhouette() -> None:
    latent = blobs(80, 60, apart=6.0)

    found = clustered(latent)

    by_hand = silhouette_score(latent.astype(np.float64), found.cluster)
    assert found.choice.candidates[0].clusters == 2
    assert found.choice.candidates[0].silhouette == pytest.approx(by_hand)
    assert found.silhouette == pytest.approx(by_hand)
    assert found.choice.candidates[0].excess > 0.1


def test_progress_is_told_for_each_data_set_of_the_choice() -> None:
    steps: list[tuple[int, int]] = []

    cluster_latent(
        blobs(30, 30), None, most=3, seed=1, progress=lambda _what, done, total, _remark: steps.append((done, total))
    )

    assert steps == [(done, 7) for done in range(1, 8)]


def test_a_number_that_was_asked_for_is_not_questioned() -> None:
    found = clustered(blobs(200), 4)

    assert found.choice == Choice(4, "as asked for")
    assert len(found.sizes) == 4


# -- what has no clusters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latent", "reason"),
    [
        (np.zeros((50, 0)), "latent vectors have no columns, every feature was constant in training"),
        (np.full((50, 3), 0.25), "all latent vectors are equal"),
        (np.eye(9), "9 records are too few to tell clusters from chance, 10 are needed"),
        (np.ones((1, 3)), "all latent vectors are equal"),
    ],
)
def test_a_degenerate_input_is_one_cluster_with_the_reason(latent: F32, reason: str) -> None:
    found = clustered(latent.astype(np.float32))

    assert (found.choice.clusters, found.choice.reason) == (1, reason)
    assert found.cluster.tolist() == [1] * len(latent)
    assert np.isfinite(found.relative).all()
    assert plane(latent.astype(np.float32), 1)[0].shape == (len(latent), 2)


def test_one_odd_record_among_equal_ones_is_a_small_cluster() -> None:
    latent = np.zeros((500, 2), dtype=np.float32)
    latent[123] = 1.0

    found = clustered(latent)

    assert found.sizes.tolist() == [499, 1]
    assert found.small.tolist() == [False, True]
    assert found.prototypes.tolist() == [0, 123]
    assert found.farthest(10).tolist() == []


def test_one_odd_record_in_a_cluster_of_equal_ones_is_far_from_its_centre_but_finite() -> None:
    latent = np.zeros((500, 2), dtype=np.float32)
    latent[123] = 1.0

    found = clustered(latent, 1)

    assert found.radii[0] == pytest.approx(0, abs=0.01)
    assert found.farthest(1).tolist() == [123]
    assert 10 < found.relative[123] < 1e6


def test_a_vector_that_is_not_finite_is_in_no_cluster_and_moves_no_other() -> None:
    latent = blobs(60, 40, apart=9.0)
    spoilt = np.insert(latent, [0, 50], [[np.nan] * 3, [np.inf, 0, 0]], axis=0).astype(np.float32)

    found, without = clustered(spoilt), clustered(latent)

    assert found.cluster[[0, 51]].tolist() == [0, 0]
    assert np.isnan(found.distance[[0, 51]]).all()
    assert np.array_equal(np.delete(found.cluster, [0, 51]), without.cluster)
    assert not np.isin(found.farthest(1000), [0, 51]).any()
    assert np.isnan(plane(spoilt, 1)[0][[0, 51]]).all()


def test_latent_vectors_none_of_which_is_finite_are_refused() -> None:
    with pytest.raises(DataError, match="none of 20 records has a finite latent vector; retrain"):
        clustered(np.full((20, 2), np.nan, dtype=np.float32))


def test_more_clusters_than_different_records_are_refused() -> None:
    latent = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)

    with pytest.raises(
        UsageError, match="4 clusters cannot be made of 30 records with 3 different latent vectors; ask for --k 3 or"
    ):
        clustered(latent, 4)


def test_zero_and_minus_zero_are_the_same_latent_vector() -> None:
    assert clustered(np.array([[0.0], [-0.0]] * 10, dtype=np.float32)).choice.reason == "all latent vectors are equal"


def test_vectors_that_differ_by_rounding_alone_do_not_break_k_means() -> None:
    latent = np.full((100, 2), 1e6, dtype=np.float32)
    latent[:7, 0] = np.nextafter(np.float32(1e6), np.float32(2e6))

    assert clustered(latent).sizes.sum() == 100


def test_the_largest_float32_numbers_do_not_overflow() -> None:
    latent = (blobs(40, 40, apart=9.0) * np.float32(1e37)).astype(np.float32)

    assert clustered(latent).sizes.tolist() == [40, 40]


# -- measures ------------------------------------------------------------------------------------------------------


def test_every_record_of_a_large_input_is_with_its_nearest_centre() -> None:
    latent = blobs(FIT_RECORDS, 3_000, 2_000, width=2, apart=7.0)

    found = clustered(latent, 3)

    distances = np.linalg.norm(latent[:, np.newaxis].astype(np.float64) - found.centres, axis=2)  # [n, k]
    assert np.array_equal(found.cluster, distances.argmin(axis=1) + 1)
    np.testing.assert_allclose(found.distance, distances.min(axis=1))
    assert found.sizes.sum() == len(latent) > FIT_RECORDS > CHOICE_RECORDS


def test_clusters_are_numbered_by_size_and_measured() -> None:
    found = clustered(blobs(20, 90, 50, apart=12.0), 3)

    assert found.sizes.tolist() == [90, 50, 20]
    for number in (1, 2, 3):
        members = np.flatnonzero(found.cluster == number)
        assert found.radii[number - 1] == pytest.approx(np.quantile(found.distance[members], 0.95))
        assert found.prototypes[number - 1] == members[found.distance[members].argmin()]


@pytest.mark.parametrize(("others", "few", "small"), [(60, 4, True), (60, 5, False), (900, 9, True), (900, 10, False)])
def test_a_cluster_under_1_percent_or_of_fewer_than_5_is_small(others: int, few: int, small: bool) -> None:
    found = clustered(blobs(others, few, apart=60.0), 2)

    assert found.small.tolist() == [False, small]


def test_who_stands_apart_is_measured_in_radii_of_the_own_cluster() -> None:
    tight, loose = blobs(100, width=2) * np.float32(0.01), blobs(100, width=2) * np.float32(2) + np.float32(50)
    latent = np.concatenate([tight, loose])
    latent[7] += np.float32(1.0)  # far for the tight cluster, within the loose one's spread

    found = clustered(latent, 2)

    assert found.farthest(1).tolist() == [7]
    assert found.distance[7] < found.radii.max()
    assert np.all(np.diff(found.relative[found.farthest(200)]) <= 0)


def test_the_same_seed_gives_the_same_clusters_whatever_the_threads() -> None:
    latent = blobs(200, 150, 100, width=12, apart=2.5)

    with threadpool_limits(2):
        first = clustered(latent, most=4, seed=5)
    second = clustered(latent, most=4, seed=5)

    assert first.choice == second.choice
    assert np.array_equal(first.distance, second.distance)


def test_the_plane_shows_the_two_directions_of_most_variance() -> None:
    random = np.random.default_rng(0)
    latent = (random.normal(size=(300, 3)) * [1, 10, 5]).astype(np.float32)

    points, axes = plane(latent, 1)

    assert points.std(axis=0) == pytest.approx([10, 5], rel=0.1)
    assert abs(np.corrcoef(points[:, 0], latent[:, 1])[0, 1]) > 0.99
    shares = [int(re.findall(r"\((\d+)% of the variance\)", axis)[0]) for axis in axes]
    assert shares == [pytest.approx(100 * 100 / 126, abs=4), pytest.approx(100 * 25 / 126, abs=4)]


def test_a_latent_vector_of_one_column_lies_on_a_line() -> None:
    points, axes = plane(blobs(50, width=1), 1)

    assert not points[:, 1].any()
    assert axes == ("Principal component 1 (100% of the variance)", "Principal component 2 (0% of the variance)")


# -- how it is told ------------------------------------------------------------------------------------------------

ABOUT = About(stream="s", model="m", unparsed=2, seed=1)


def latents(latent: F32, labels: Sequence[str | None] | None = None, file: str = "a.log") -> Latents:
    count = np.arange(len(latent))
    label = None if labels is None else pa.array(labels, pa.string())
    return Latents(latent, count / 10.0, (file,), np.zeros_like(count), count + 1, count, label)


def test_a_report_says_of_a_cluster_its_scores_labels_and_prototype() -> None:
    records = latents(blobs(30, 20, apart=9.0), ["x"] * 29 + ["y"] * 20 + [None])
    found = clustered(records.latent)

    made = report(found, records, {int(found.prototypes[0]): "level=4"}, found.farthest(3), ABOUT)

    first = made.clusters[0]
    assert (first.records, first.share, first.labels) == (30, 0.6, {"x": 29, "y": 1})
    assert [first.mean_score, first.max_score] == pytest.approx([1.45, 2.9])
    assert (first.prototype.line, first.prototype.summary) == (found.prototypes[0] + 1, "level=4")
    assert len(made.outliers) == 3
    assert "97% x" in made.as_text()
    assert "2 records could not be parsed and are left out" in made.as_text()
    assert f"a.log:{first.prototype.line}  level=4" in made.as_text()


def test_nothing_from_the_data_reaches_a_terminal_raw() -> None:
    records = latents(blobs(30, apart=9.0), ["\x1b[31mred"] * 30, file="a\x1b[2J.log")
    found = clustered(records.latent)

    text = report(found, records, dict.fromkeys(range(30), "v=\x9b1m"), found.farthest(3), ABOUT).as_text()

    assert not {"\x1b", "\x9b"} & set(text)
    assert "\\x1b[31mred" in text


def test_the_rows_are_in_the_order_of_the_input_and_a_spoilt_one_has_gaps() -> None:
    latent = blobs(30, width=2)
    latent[4, 1] = np.nan
    records = latents(latent, [str(number) for number in range(30)])
    found = clustered(latent)

    table = pa.concat_tables(record_tables(found, records))

    assert table.column_names == [
        "file", "line", "cluster", "distance", "relative_distance", "score", "latent_1", "latent_2", "label",
    ]  # fmt: skip
    assert table["line"].to_pylist() == list(range(1, 31))
    assert table["label"].to_pylist() == [str(number) for number in range(30)]
    assert [table[name][4].as_py() for name in ("cluster", "distance", "latent_2")] == [None] * 3
    assert [table[name].null_count for name in table.column_names] == [0, 0, 1, 1, 1, 0, 0, 1, 0]
    assert "1 record in no cluster: the latent vector is not finite" in report(
        found, records, {}, found.farthest(0), ABOUT
    ).as_text()  # fmt: skip
