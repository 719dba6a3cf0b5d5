"""Retraining through the gates, as a user does it: what sees is published, what is blind or shouts is not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from monitor.app.gates import NAMES
from monitor.app.gates.contender import champion
from monitor.cli import execute
from monitor.model.device import choose_device
from monitor.model.versions import current_version, version_directory, versions
from monitor.plugins import load_config

pytestmark = pytest.mark.timeout(120)

BENIGN: list[dict[str, object]] = [
    {"mode": ("idle", "busy")[i % 2], "load": 10 + 20 * (i % 2) + i * 7 % 5, "power": 100 + 200 * (i % 2) + i * 7 % 5}
    for i in range(600)
]
FAULTY: list[dict[str, object]] = [
    {**record, "load": 1e9, "mode": f"mode {i}", "power": None} for i, record in enumerate(BENIGN)
]


class Place:
    """A configuration, a file of benign records and one in which the newest of them are anything but that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "c.yaml"
        self.write("{}")
        self.benign, self.spoiled = root / "benign.jsonl", root / "spoiled.jsonl"
        self.benign.write_text(_lines(BENIGN))
        self.spoiled.write_text(_lines([*BENIGN[:540], *FAULTY[540:]]))

    def write(self, alert: str) -> None:
        self.config.write_text(
            f"server: {{listen: none}}\nstate_dir: {self.root / 'state'}\ndevice: cpu\nstreams:\n  plant:\n"
            "    source: stdin\n    parser: json_lines\n    score: {method: l1}\n    model: {epochs: 30}\n"
            "    keep_models: 2\n"
            f"    alert: {alert}\n    features: {{mode: categorical, load: numeric, power: numeric}}\n"
        )

    def retrain(self, path: Path, *options: str) -> int:
        return execute(["retrain", "-c", str(self.config), "--input", str(path), *options])

    @property
    def models(self) -> Path:
        return self.root / "state" / "models"

    @property
    def current(self) -> str | None:
        return current_version(self.models, "plant")

    def read(self, name: str) -> str:
        return (version_directory(self.models, "plant") / name).read_text()


def _lines(records: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a model of the benign records."""
    place = Place(tmp_path_factory.mktemp("first"))
    assert place.retrain(place.benign) == 0
    return place


@pytest.fixture
def place(tmp_path: Path, first: Place) -> Place:
    """A copy of it."""
    shutil.copytree(first.root / "state", tmp_path / "state")
    return Place(tmp_path)


def test_a_model_that_sees_is_published_with_what_it_showed(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    before = place.current

    assert place.retrain(place.benign, "--json", "--metrics-file", str(place.root / "m.prom")) == 0

    (report,) = json.loads(capfd.readouterr().out)
    assert report["published"] == place.current != before
    assert report["refused"] is None
    assert tuple(gate["name"] for gate in report["gates"]) == NAMES
    assert all(gate["passed"] for gate in report["gates"])
    assert report["trial"]["recall"] > 0.8
    assert report["trial"]["named"] > 0.7
    assert report["disagreements"] == {"both": 0, "only_new": 0, "only_old": 0, "shown": []}
    assert "| loads | passed |" in place.read("MODEL.md")
    assert re.search(r"\| load \| 100% \|", place.read("MODEL.md"))
    page = place.read("report.html")
    assert all(f'id="{part}"' in page for part in ("gates", "scores", "planted", "fields", "training"))
    assert page.count("<svg") == 4
    assert 'aemonitor_retrain_published{stream="plant"} 1.0' in (place.root / "m.prom").read_text()


def test_a_blind_model_does_not_replace_one_that_sees(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    before, metrics = place.current, place.root / "m.prom"

    assert place.retrain(place.spoiled, "--metrics-file", str(metrics)) == 75

    told, found = capfd.readouterr(), r"faults: of those planted in (load|mode) it finds \d%, the one in use 100%"
    assert place.current == before
    assert re.search("gate       faults: FAILED: of those planted in", told.out)
    assert "replayed   records that alert: 0 with both, 0 now, 60 with the one in use only" in told.out
    assert "spoiled.jsonl:541: scores" in told.out
    assert re.search(f"refused    .*{found}", told.out)
    assert re.search(f"stream plant: not published: .*{found}.*--force publishes all the same", told.err)
    shown = metrics.read_text()
    assert 'aemonitor_retrain_published{stream="plant"} 0.0' in shown
    assert 'aemonitor_retrain_gate_passed{gate="faults",stream="plant"} 0.0' in shown
    assert 'aemonitor_retrain_refused{reason="baselines",stream="plant"} 1.0' in shown
    assert not re.search(r"last_success_timestamp_seconds\{.*\} 0.0", shown)  # that of the one in use


def test_force_publishes_and_the_card_says_what_failed(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    before = place.current
    place.retrain(place.benign)

    assert place.retrain(place.spoiled, "--force") == 0

    assert before not in versions(place.models, "plant")  # keep_models: 2
    assert len(versions(place.models, "plant")) == 2
    assert "| faults | **failed** |" in place.read("MODEL.md")
    assert "FAILED" in place.read("report.html")
    assert f"published  {place.current} by force, against the gates" in capfd.readouterr().out


def test_a_blind_model_is_better_than_none(tmp_path: Path) -> None:
    place = Place(tmp_path)

    assert place.retrain(place.spoiled) == 0
    assert place.current is not None


def test_a_model_for_other_features_is_no_rival(place: Place) -> None:
    def rival() -> object:
        return champion(load_config(place.config), "plant", choose_device("cpu")[0])

    assert rival() is not None
    place.config.write_text(place.config.read_text().replace("power: numeric", "power: {numeric: {scale: linear}}"))

    assert rival() is None


def test_a_model_that_shouts_is_not_published(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    before = place.current
    place.write("{threshold: 1.0e-9}")

    assert place.retrain(place.benign) == 75
    assert re.search(
        r"replay: it alerts on \d+% of 120 benign records replayed; raise alert.th", capfd.readouterr().err
    )
    assert place.current == before


def test_a_dry_run_says_what_every_gate_says_and_leaves_nothing(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.models.rglob("*"))

    assert place.retrain(place.benign, "--dry-run") == 0
    assert "gate       loads: a fresh process loads it" in capfd.readouterr().out
    assert sorted(place.models.rglob("*")) == before


def test_what_one_stream_lacks_does_not_keep_another_from_learning(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    text = place.config.read_text()
    second = (
        text[text.index("  plant:") :]
        .replace("  plant:", "  bare:")
        .replace("source: stdin", "source: {file_tail: {include: [/nowhere/x]}}")
    )
    place.config.write_text(
        text.replace("source: stdin", f"source: {{file_tail: {{include: ['{place.benign}']}}}}").replace(
            "  plant:\n", second + "  plant:\n"
        )
    )
    before = place.current

    code = execute(["retrain", "-c", str(place.config), "--metrics-file", str(place.root / "m.prom")])

    assert code == 66
    assert place.current != before
    assert "no file matches /nowhere/x" in capfd.readouterr().err
    assert 'aemonitor_retrain_refused{reason="no_input",stream="bare"} 1.0' in (place.root / "m.prom").read_text()


def test_epochs_end_when_the_time_is_up_and_the_report_says_so(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.retrain(place.benign, "--max-seconds", "0", "--dry-run")

    assert "best of 1 epochs: 1, then the time was up (--max-seconds)" in capfd.readouterr().out


def test_a_metrics_file_that_cannot_be_written_is_said(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.retrain(place.benign, "--dry-run", "--metrics-file", str(place.root / "no" / "m.prom")) == 73
    assert "m.prom: cannot write the metrics: No such file or directory" in capfd.readouterr().err
