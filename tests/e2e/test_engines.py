"""Offline commands say the same whoever does their work: to the last byte of what they write."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.app.cleaning import cleaned
from monitor.app.evaluate import Request as Evaluating
from monitor.app.evaluate import evaluate_files
from monitor.app.offline import open_offline
from monitor.app.parts import Part
from monitor.app.ranking import rank
from monitor.app.retrain import Request as Retraining
from monitor.app.retrain import retrain_streams
from monitor.app.retrain_report import Report
from monitor.app.score import latents, scores
from monitor.engines.engine import Engine
from monitor.reporting.tables import as_json
from tests.e2e.support import aemonitor, wait_for

pytestmark = pytest.mark.timeout(600)

CONFIG = """
state_dir: {root}/state
device: cpu
streams:
  apart:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: json_lines
    features:
      status: categorical
      size: {{numeric: {{scale: log}}}}
      path: text
    model: {{hidden: [4], epochs: 2}}
    score: {{method: l1}}
    sinks: []
  following:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: json_lines
    time: {{field: at}}
    key: host
    features:
      size: streaming
      status: categorical
    model: {{epochs: 2}}
    sinks: []
"""
BENIGN, TESTED = 2_000, 15_000
ENGINE = ("--engine", "processes", "--workers", "2")


def record(number: int, random: np.random.Generator, odd: bool) -> dict[str, object]:
    return {
        "at": 1_790_000_000 + number,
        "host": f"web-{random.integers(8)}",
        "status": [200, 404, 500][random.integers(3)],
        "size": round(float(random.lognormal(8, 0.5)) * (1e6 if odd else 1), 3),
        "path": f"/item/{random.integers(90)}",
        "label": int(odd),
    }


def records(count: int, seed: int) -> list[dict[str, object]]:
    random = np.random.default_rng(seed)
    return [record(number, random, odd=seed > 1 and number % 1000 == 7) for number in range(count)]


def jsonl(rows: Sequence[dict[str, object]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@dataclass(frozen=True)
class Place:
    """A directory with two streams, their models, and a file of more than a megabyte with odd and broken records."""

    root: Path
    config: Path
    benign: Path
    tested: Path

    def run(self, command: str, stream: str, *options: str | Path, code: int = 0) -> bytes:
        words = (command, "-c", str(self.config), "--stream", stream, *map(str, options))
        return aemonitor(*words, code=code).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("engines")
    made = Place(root, root / "aemonitor.yaml", root / "benign.jsonl", root / "tested.jsonl")
    made.config.write_text(CONFIG.format(root=root))
    made.benign.write_text(jsonl(records(BENIGN, 1)))
    made.tested.write_text("no json\n" + jsonl(records(TESTED, 2)) + "{\n")
    for stream in ("apart", "following"):
        made.run("retrain", stream, "--input", made.benign, "--force")
    return made


def quiet(what: str, done: int, total: int, remark: str) -> None:
    """Nobody listens."""


def written(parts: Iterable[Part]) -> list[dict[str, object]]:
    return [row for part in parts for row in part.table.to_pylist()]


@pytest.mark.parametrize("stream", ["apart", "following"])
def test_rows_are_the_same(place: Place, engine: Engine, stream: str) -> None:
    ours, theirs = (open_offline(place.config, stream, each) for each in (None, engine))
    inputs = (place.tested, place.benign)

    for make in (partial(scores, squared=True), latents, cleaned):
        alone, together = (written(make(offline, inputs, quiet)) for offline in (ours, theirs))
        assert together == alone
        assert len(alone) == TESTED + 2 + BENIGN
    best = [rank(offline, inputs, quiet, top=5, lowest=5) for offline in (ours, theirs)]
    assert best[0].rows == best[1].rows


def test_evaluation_says_the_same(place: Place, engine: Engine) -> None:
    alone, together = (
        evaluate_files(
            place.config, "apart", (place.tested,), Evaluating(labels="label", resamples=10, engine=each), quiet
        )
        for each in (None, engine)
    )

    assert as_json(together.evaluation) == as_json(alone.evaluation)


def test_what_is_learned_is_the_same(place: Place, engine: Engine) -> None:
    def learned(engine: Engine | None) -> Report:
        asked = Retraining(("apart",), (place.tested,), max_records=5_000, dry_run=True, force=True, engine=engine)
        (outcome,) = retrain_streams(place.config, asked, quiet)
        assert isinstance(outcome.found, Report)
        return outcome.found

    alone = learned(None)
    assert (alone.older, alone.limit and alone.limit.records) == (TESTED - 5_000, TESTED - 5_000 + alone.calibration)
    assert learned(engine) == alone


def test_a_pattern_stands_for_files_compressed_or_parquet(place: Place) -> None:
    rows = records(500, 3)
    files = place.root / "many"
    files.mkdir()
    for name, part in (("a", rows[:250]), ("b", rows[250:])):
        pq.write_table(pa.Table.from_pylist(part), files / f"{name}.parquet")
    plain = place.root / "plain.jsonl"
    plain.write_text(jsonl(rows))

    def scores(*words: str | Path) -> list[float]:
        return [json.loads(line)["score"] for line in place.run("score", "apart", *words).splitlines()]

    assert scores(files / "*.parquet", *ENGINE) == scores(plain)


def test_a_pattern_that_nothing_matches_is_named(place: Place) -> None:
    done = aemonitor("score", "-c", str(place.config), "--stream", "apart", str(place.root / "*.none"), code=66)

    assert b"*.none: no file matches" in done.stderr


def test_what_workers_cannot_open_is_named(place: Place) -> None:
    words = ("score", "-c", str(place.config), "--stream", "apart", "-", *ENGINE)

    assert b"workers cannot read standard input" in aemonitor(*words, code=2).stderr


@pytest.mark.parametrize(("kind", "name"), [("processes", "spawn_main"), ("ray", "ray::")], ids=["processes", "ray"])
def test_a_killed_worker_costs_no_record(place: Place, tmp_path: Path, kind: str, name: str) -> None:
    large, rows = tmp_path / "large.jsonl", tmp_path / "scores.jsonl"
    with large.open("w") as file:
        for _ in range(12):
            file.write(place.tested.read_text())
    words = ("score", "-c", str(place.config), "--stream", "apart", str(large))
    command = subprocess.Popen(
        [sys.executable, "-m", "monitor", *words, "--engine", kind, "--workers", "2", "-o", str(rows)],
        stderr=subprocess.PIPE,
    )

    def workers() -> list[psutil.Process]:
        """Those that have loaded a model, and so are at work."""
        children = psutil.Process(command.pid).children(recursive=True)
        return [child for child in children if name in " ".join(child.cmdline()) and child.memory_info().rss > 3e8]

    wait_for(lambda: bool(workers()), "a worker to work")
    workers()[0].send_signal(signal.SIGKILL)
    _, told = command.communicate(timeout=300)

    assert command.returncode == 0, told
    assert rows.read_bytes() == aemonitor(*words).stdout
