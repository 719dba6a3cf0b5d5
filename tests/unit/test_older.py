"""Older records of the files calibrate: all of them, and none that was learned, whoever scores them."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor.app import older
from monitor.app.benign import benign
from monitor.app.compose import build_encoders
from monitor.app.kept import Kept
from monitor.app.older import Older
from monitor.app.places import Places
from monitor.app.spread import Share
from monitor.core.limit import Limit
from monitor.engines.engine import Engine
from monitor.engines.processes import Processes
from monitor.plugins import load_config
from monitor.training.gathering import gather
from monitor.training.recipe import Judging, train
from tests.support_models import CPU
from tests.unit.test_feedback import alert, say

CONFIG = """
state_dir: {root}
streams:
  web:
    source: stdin
    parser: json_lines
    time: {{field: at}}
    key: host
    features:
      status: categorical
      size: {{numeric: {{scale: log}}}}
      path: text
    model: {{hidden: [4], epochs: 2}}
    score: {{method: field}}
    alert: {{false_alarm_rate: 0.001}}
    sinks: []
"""
LEARNED, CALIBRATING = 2_000, 400
"""Records a training takes, and those of them that it holds out."""

LARGE, SMALL = 15_000, 1_500
"""Records of a file of more than one piece, and of others."""


def lines(begin: int, count: int, *, odd: bool) -> str:
    """Records from a number on; every hundredth line is none."""
    random = np.random.default_rng(begin)
    found: list[str] = []
    for number in range(begin, begin + count):
        record = {
            "at": 1_790_000_000 + number,
            "host": f"web-{random.integers(8)}",
            "status": [200, 404, 500][random.integers(3)],
            "size": round(float(random.lognormal(8, 0.5)) * (50 if odd else 1), 3),
            "path": f"/item/{random.integers(90)}",
        }
        found += [json.dumps(record), *(["no json"] if number % 100 == 99 else [])]
    return "".join(f"{line}\n" for line in found)


@dataclass
class Place:
    """A directory with a configuration and files; what a training said on the way."""

    root: Path
    said: list[str] = field(default_factory=list[str])

    def file(self, name: str, begin: int, count: int, *, odd: bool = False) -> Path:
        path, text = self.root / name, lines(begin, count, odd=odd).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
        return path

    def learned(
        self, *files: Path, engine: Engine | None = None, meanwhile: Callable[[], object] = lambda: None
    ) -> tuple[int, Limit]:
        """How many older records were scored, and the limit; ``meanwhile`` something happens to the files."""

        def progress(what: str, done: int, total: int, remark: str) -> None:
            del done, total
            self.said += [f"{what}: {remark}"] if remark else []

        config = load_config(self.root / "aemonitor.yaml")
        stream, places = config.streams["web"], Places(LEARNED)
        others = Older(Share(config, "web"), files, engine, progress)
        batches = benign(config, "web", stream, files, Kept((), ()), progress)
        records, _, _ = gather(places.watch(batches), LEARNED)
        meanwhile()
        judging = Judging(stream.score, stream.alert, older=partial(others.tail, places.begins(len(records))))
        trained = train("web", records, build_encoders(stream), stream.model, judging, CPU, lambda _epoch: None)
        assert trained.contents.limit is not None
        return others.scored, trained.contents.limit


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(older, "BLOCKS", 1)  # small files in several pieces
    (tmp_path / "aemonitor.yaml").write_text(CONFIG.format(root=tmp_path))
    return Place(tmp_path)


def test_all_records_calibrate_but_those_that_were_learned(place: Place) -> None:
    files = (
        place.file("1.jsonl", 0, LARGE),
        place.file("2.jsonl.gz", LARGE, SMALL),
        place.file("3.jsonl", LARGE + SMALL, SMALL),
    )

    scored, limit = place.learned(*files)

    assert scored == LARGE + 2 * SMALL - LEARNED
    assert limit.records == scored + CALIBRATING
    with closing(Processes(2)) as engine:
        assert place.learned(*files, engine=engine) == (scored, limit)


def test_the_newest_alone_promise_less(place: Place) -> None:
    early, late = place.file("1.jsonl", 0, LARGE), place.file("2.jsonl", LARGE, LEARNED)

    (none, newest), (_, both) = place.learned(late), place.learned(early, late)

    assert (none, newest.records) == (0, CALIBRATING)
    assert newest.share > 0.001 >= both.share
    assert newest.share_upper > 3 * both.share_upper


def test_a_file_that_is_named_twice_calibrates_with_nothing_that_was_learned(place: Place) -> None:
    early, late = place.file("1.jsonl", 0, SMALL), place.file("2.jsonl", SMALL, LEARNED)

    assert place.learned(late, early, late)[0] == SMALL


def test_the_first_part_of_a_file_calibrates(place: Place) -> None:
    assert place.learned(place.file("1.jsonl", 0, LARGE))[0] == LARGE - LEARNED


def test_records_that_score_otherwise_do_not_calibrate(place: Place) -> None:
    early, late = place.file("1.jsonl", 0, LARGE, odd=True), place.file("2.jsonl", LARGE, LEARNED)

    scored, limit = place.learned(early, late)

    assert (scored, limit.records) == (LARGE, CALIBRATING)


def test_what_people_called_an_anomaly_does_not_calibrate(place: Place) -> None:
    early, late = place.file("1.jsonl", 0, SMALL), place.file("2.jsonl", SMALL, LEARNED)
    say(place.root, "anomaly", alert(1, raw=early.read_text().splitlines()[7]))

    assert place.learned(early, late)[0] == SMALL - 1


def test_a_time_that_nobody_can_read_is_that_of_the_record_before(place: Place) -> None:
    early, late = place.file("1.jsonl", 0, SMALL), place.file("2.jsonl", SMALL, LEARNED)
    early.write_text(early.read_text().replace('"at": 1790000007,', '"at": "soon",'))
    timeless = place.root / "0.jsonl"
    timeless.write_text(lines(0, SMALL, odd=False).replace('"at"', '"then"'))

    scored, limit = place.learned(timeless, early, late)

    assert (scored, limit.records) == (SMALL, SMALL + CALIBRATING)


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [replaced, Path.unlink])
def test_files_that_change_meanwhile_do_not_calibrate(place: Place, change: Callable[[Path], object]) -> None:
    early, late = place.file("1.jsonl", 0, SMALL), place.file("2.jsonl", SMALL, LEARNED)

    scored, limit = place.learned(early, late, meanwhile=partial(change, early))

    assert (scored, limit.records) == (0, CALIBRATING)
    assert place.said == ["web: calibrating: left out: files have changed since they were read"]


def test_no_more_pieces_are_read_than_are_wanted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(older, "MOST", SMALL)
    files = [place.file(f"{number}.jsonl", number * SMALL, SMALL) for number in range(5)]

    assert place.learned(*files)[0] == 2 * SMALL - LEARNED % SMALL  # the rest of a file, and the one before it
