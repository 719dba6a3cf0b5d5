"""A benchmark tells what has become slower since it was last kept."""

from __future__ import annotations

from pathlib import Path

from history import RUNS, changes, keep, kept


def test_a_ratio_is_compared_with_the_median_of_the_newest_runs_that_have_it(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    keep({"json": 90.0, "csv": 3.0}, {"json": 1.0, "csv": 1.0}, path)
    for ratio in (4.0, 4.0, 80.0, 1.0, 4.0)[:RUNS]:
        keep({"json": ratio}, {"json": 1.0}, path)

    found = {change.workload: (change.before, change.lost) for change in changes({"json": 3.1, "csv": 2.2}, path)}

    assert len(kept(path)) == 1 + RUNS
    assert found == {"json": (4.0, False), "csv": (3.0, True)}


def test_a_new_workload_has_lost_nothing(tmp_path: Path) -> None:
    (change,) = changes({"text": 0.1}, tmp_path / "none.json")

    assert not change.lost
    assert change.text() == "text      0.10  (new)"
