"""Made-up requests: what hangs together in them, and faults that are labelled with what was true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from monitor.app.requests import request_lines
from monitor.cli import execute
from monitor.core.arrays import F64
from monitor.core.differences import differing
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.datasets.requests import ROUTES, requests
from monitor.faults.planting import FAULTS
from monitor.faults.scattering import VALUE_FAULTS, scatter
from tests.records import records

ROWS = 6000


@pytest.fixture(scope="module")
def benign() -> RecordBatch:
    return requests(ROWS, seed=1)


def numbers(batch: RecordBatch, name: str) -> F64:
    found: F64 = batch.column(name, FieldType.NUMBER).to_numpy(zero_copy_only=False)
    return found


def texts(batch: RecordBatch, name: str) -> Any:
    return np.array(batch.column(name, FieldType.TEXT).to_pylist())


def test_requests_depend_on_the_seed_alone_and_the_next_one_is_the_weeks_after() -> None:
    first, again, after = requests(50, seed=2), requests(50, seed=2), requests(50, seed=3)

    assert all(first.columns[field].equals(again.columns[field]) for field in first.columns)
    assert first.times is not None
    assert after.times is not None
    assert after.times[0] - first.times[0] == pytest.approx(4 * 7 * 86_400, abs=3600)
    assert (np.diff(first.times) >= 0).all()


def test_every_type_of_field_is_there(benign: RecordBatch) -> None:
    kinds = [field.type for field in benign.columns]

    assert (kinds.count(FieldType.NUMBER), kinds.count(FieldType.BOOLEAN)) == (7, 1)
    assert len(kinds) == 14
    assert np.isfinite(numbers(benign, "duration_ms")).all()


def test_a_cached_answer_has_no_upstream_and_every_other_one_has_a_smaller_one(benign: RecordBatch) -> None:
    cached = benign.column("cached", FieldType.BOOLEAN).to_numpy(zero_copy_only=False).astype(bool)
    upstream, duration = numbers(benign, "upstream_ms"), numbers(benign, "duration_ms")

    assert np.array_equal(np.isnan(upstream), cached)
    assert (upstream[~cached] <= duration[~cached]).all()


def test_sizes_and_durations_are_told_by_the_route_and_not_by_themselves(benign: RecordBatch) -> None:
    paths, size, duration = texts(benign, "path"), numbers(benign, "bytes"), numbers(benign, "duration_ms")
    routes = np.array([next(r.path for r in reversed(ROUTES) if p.startswith(r.path.split("{")[0])) for p in paths])
    good = numbers(benign, "status") < 300

    for values in (np.log(size), np.log(duration)):
        within = np.concatenate([values[good & (routes == r)] - np.median(values[good & (routes == r)])
                                 for r in set(routes[good])])  # fmt: skip
        assert within.std() < 0.5 * values[good].std()
        assert within.std() > 0.1


def test_load_follows_the_day_and_slows_the_service(benign: RecordBatch) -> None:
    workers, upstream = numbers(benign, "workers_busy"), numbers(benign, "upstream_ms")
    hours = (np.asarray(benign.times) / 3600) % 24
    searches = np.array([path == "/search" for path in texts(benign, "path")]) & (upstream < 4000)
    busy = workers > np.median(workers[searches])

    assert workers[(hours > 12) & (hours < 16)].mean() > 2 * workers[(hours < 4)].mean()
    assert np.median(upstream[searches & busy]) > 1.2 * np.median(upstream[searches & ~busy])


def test_scattered_faults_have_rows_of_their_own_and_leave_all_else_alone(benign: RecordBatch) -> None:
    fields = [field.name for field in benign.columns if field.name != "time"]

    made = scatter(benign, fields, 0.1, np.random.default_rng(1))

    rows = np.concatenate([planting.rows for planting in made.planted])
    assert len(np.unique(rows)) == len(rows)
    assert 0.05 * ROWS < len(rows) < 0.12 * ROWS
    assert {planting.fault for planting in made.planted} == set(VALUE_FAULTS)
    assert len(VALUE_FAULTS) == 8
    assert {planting.field for planting in made.planted} == set(fields)
    for column, before in benign.columns.items():
        changed = np.flatnonzero(differing(before, made.records.columns[column]))
        told = [planting.rows for planting in made.planted if planting.field == column.name]
        assert changed.tolist() == sorted(np.concatenate([*told, np.empty(0, dtype=np.int64)]).tolist())


def test_what_a_scattered_fault_takes_from_others_was_true_there() -> None:
    batch = records(x=np.arange(200.0).tolist())

    made = scatter(batch, ["x"], 0.5, np.random.default_rng(1), ["x10", "swap"])

    (swapped,) = (planting for planting in made.planted if planting.fault == "swap")
    after = made.records.columns[Field("x", FieldType.NUMBER)].take(pa.array(swapped.rows))
    assert pc.all(pc.less(after, 200.0)).as_py()


def test_lines_are_json_with_what_was_true_and_benign_ones_have_no_label() -> None:
    lines, planted = request_lines(1000, 4, 0.2)
    made = [json.loads(line) for line in "".join(lines).splitlines()]
    (benign, none) = request_lines(1000, 4, 0.0)
    clean = [json.loads(line) for line in "".join(benign).splitlines()]

    spoiled = [row for row in made if row["label"]]
    assert len(spoiled) == sum(len(planting.rows) for planting in planted)
    assert {row["fault"] for row in spoiled} <= set(FAULTS)
    assert not any(len(planting.rows) for planting in none)
    assert not any("label" in row for row in clean)
    for row, was in zip(made, clean, strict=True):
        if not row.pop("label"):
            assert row == was
            continue
        field, true = row.pop("fault_field"), row.pop("true_value")
        del row["fault"]
        assert str(was[field]).lower() == true.lower()
        assert row != was
        assert {**row, field: was[field]} == was


def test_the_command_counts_what_it_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "requests.jsonl"

    assert execute(["data", "requests", "--rows", "900", "--faults", "0.1", "--seed", "3", "-o", str(place)]) == 0

    err = capsys.readouterr().err
    assert "x10, ten times the value: " in err
    assert f"wrote {place}: 900 lines" in err
    assert "".join(request_lines(900, 3, 0.1)[0]) == place.read_text()
