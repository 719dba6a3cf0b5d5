from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quality import bench, documents, nab, options, peers, sets, streams, table
from quality.measures import Measures, measured
from quality.memory import Memory, key

WINDOW = (60, 69)


def alerting(*rows: int, count: int = 100) -> np.typing.NDArray[np.bool_]:
    return np.isin(np.arange(count), rows)


def trial(rows: np.typing.NDArray[np.float64]) -> sets.Trial:
    return sets.Trial("tabular", "made up", rows, rows, rows[:, 0] > 0, (rows, rows))


def test_half_of_the_benign_rows_are_learned_and_the_rest_and_all_anomalies_judged() -> None:
    truth = np.arange(101) % 10 == 0

    train, test = sets.split_benign(truth, seed=1)

    assert len(train) == 45
    assert not truth[train].any()
    assert sorted([*train, *test]) == list(range(101))
    assert train.tolist() != sets.split_benign(truth, seed=2)[0].tolist()


def test_rows_of_a_stream_have_the_times_that_follow_those_learned() -> None:
    times = sets.timed(np.zeros((2, 1)), first=1440, period_seconds=60)["time"].to_pylist()

    assert [str(time) for time in times] == ["2024-01-02 00:00:00", "2024-01-02 00:01:00"]


def test_what_benign_documents_never_said_is_counted_in_a_column_of_its_own() -> None:
    train, test = documents.counted([["a", "b", "a"]], [["b", "c", "d"]], analyzer=list)

    assert train.tolist() == [[2, 1, 0]]
    assert test.tolist() == [[0, 1, 2]]


def test_rates_of_the_own_threshold_and_the_best_f1_of_any() -> None:
    found = measured(
        np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True]), np.array([False, True, False, True])
    )

    assert found == Measures(auroc=1.0, average_precision=1.0, best_f1=1.0, fpr=0.5, tpr=0.5)


def test_a_published_detection_is_worth_what_was_published() -> None:
    """Random cut forest on ec2_cpu_utilization_ac20cd: nothing but the window is found, at its 202nd record."""
    assert nab.raw_score(alerting(3575, 3600, count=4032), [(3374, 3776)]) == pytest.approx(0.86067182427)


def test_an_alert_is_worth_more_the_earlier_it_comes_and_one_outside_costs() -> None:
    worth = nab.worths(1000, [(600, 699)])

    assert worth[600] == pytest.approx(1.0)
    assert worth[649] == pytest.approx((2 / (1 + np.exp(-2.55)) - 1) / (2 / (1 + np.exp(-5)) - 1))
    assert worth[798] == pytest.approx(0.11 * (2 / (1 + np.exp(5)) - 1))
    assert worth[[0, 599, 996, 999]] == pytest.approx(-0.11)
    assert worth[700] > worth[701] > -0.11


@pytest.mark.parametrize(
    ("alerts", "raw"),
    [
        (alerting(), -1.0),
        (alerting(60), 1.0),
        (alerting(60, 61, 69), 1.0),
        (alerting(20, 30, 60), 0.78),
        (alerting(14, 60), 1.0),
    ],
    ids=["silence", "at once", "one window counts once", "two false alerts", "probation is not judged"],
)
def test_the_raw_score_of_a_stream(alerts: np.typing.NDArray[np.bool_], raw: float) -> None:
    assert nab.raw_score(alerts, [WINDOW]) == pytest.approx(raw)


def test_silence_is_0_and_perfection_100() -> None:
    assert [nab.normalised(raw, windows=3) for raw in (-3.0, 0.0, 3.0)] == [0, 50, 100]


@pytest.mark.parametrize(("rows", "learned"), [(100, 15), (5_000, 750), (20_000, 750)])
def test_the_first_records_are_for_learning(rows: int, learned: int) -> None:
    assert nab.probation(rows) == learned


def test_the_table_of_streams_has_the_product_and_the_published() -> None:
    scores = np.where(alerting(30, 60, 61), 2.0, 0.0) + np.where(alerting(60), 1.0, 0.0)
    minutes = 60 * np.arange(100, dtype=np.float64)
    both = [
        streams.Stream(group, [WINDOW], minutes, scores, scores > 1)
        for group in ("realKnownCause", "realAWSCloudwatch")
    ]

    found = {score.detector: score.both for score in streams.table(both)}

    assert found["aemonitor, own threshold, each alerting record"] == pytest.approx(94.5)
    assert found["aemonitor, best threshold in hindsight, each alerting record"] == pytest.approx(100)
    assert found["aemonitor, own threshold, episodes as init drafts them"] == pytest.approx(94.5)
    assert "random cut forest, published, best threshold in hindsight" in found


def test_a_mean_counts_each_set_once_however_many_seeds_it_has() -> None:
    results = [
        bench.Result("tabular", name, seed, "aemonitor", Measures(auroc, 0, 0))
        for name, seed, auroc in (("a", 0, 0.5), ("a", 1, 0.7), ("b", 0, 1.0))
    ]

    assert table.mean(results, "auroc") == pytest.approx(0.8)
    assert table.mean(results, "fpr") is None


def test_the_page_keeps_its_prose_around_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "quality.md"
    path.write_text(f"before\n{table.BEGIN}\n(stale)\n{table.END}\nafter\n")
    result = bench.Result("hdfs", "hdfs sessions", 0, "aemonitor", Measures(0.75, 0.5, 0.6, fpr=0.01, tpr=0.5))

    table.write(path, bench.Figures([result], [], {}))

    page = path.read_text()
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "| hdfs | 0.750 / 0.500 |" in page
    assert "| hdfs sessions | 1.00% | 50.0% | 0.600 |" in page
    assert "(stale)" not in page


def test_a_page_without_a_place_for_the_tables_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "quality.md"
    path.write_text("prose")

    with pytest.raises(ValueError, match="there is no place for the tables"):
        table.write(path, bench.Figures([], [], {}))


def test_results_of_peers_are_remembered_until_the_numbers_or_the_version_change(tmp_path: Path) -> None:
    rows = np.array([[0.0], [1.0]])
    known = key(trial(rows), "kNN", "library 1")
    Memory(tmp_path / "peers.json").recall(known, Measures, lambda: Measures(1, 2, 3))

    found = Memory(tmp_path / "peers.json").recall(known, Measures, lambda: pytest.fail("measured again"))

    assert found == Measures(1, 2, 3)
    assert len({known, key(trial(rows), "kNN", "library 2"), key(trial(rows + 1), "kNN", "library 1")}) == 3
    assert Memory(tmp_path / "peers.json", fresh=True).recall(known, Measures, lambda: Measures(4, 5, 6)).auroc == 4


def test_a_library_that_is_not_installed_is_said_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.LIBRARIES, "kNN (5)", "no-such-library")

    with pytest.raises(SystemExit, match="no-such-library is not installed; `make bench-quality` installs it"):
        peers.library("kNN (5)")


def test_only_a_run_of_everything_writes_the_page() -> None:
    assert options.parse([]).whole
    assert options.parse(["--slow"]).whole
    assert not any(options.parse([flag]).whole for flag in ("--quick", "--product-only", "--only=tabular,web"))


def test_a_group_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse(["--only", "tabular,wbe"])

    assert "no such group: wbe" in capsys.readouterr().err


def test_absent_data_is_said_with_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEMONITOR_DATA", str(tmp_path / "nowhere"))

    with pytest.raises(SystemExit, match=r"the labelled data sets are not at .*nowhere; say where with AEMONITOR_DATA"):
        sets.data_dir()
