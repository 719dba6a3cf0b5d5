"""The gate before publication, with small models: one that sees, one that is blind, one that shouts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from monitor.app.gate import Trial, refusal
from monitor.cli import execute
from monitor.core.errors import AemonitorError
from monitor.model.versions import current_version

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
            f"    alert: {alert}\n    features: {{mode: categorical, load: numeric, power: numeric}}\n"
        )

    def retrain(self, path: Path, *options: str) -> int:
        return execute(["retrain", "-c", str(self.config), "--input", str(path), *options])

    @property
    def current(self) -> str | None:
        return current_version(self.root / "state" / "models", "plant")


def _lines(records: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_model_that_sees_gross_faults_is_published_with_what_it_sees(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    assert place.retrain(place.benign, "--json") == 0

    (report,) = json.loads(capfd.readouterr().out)
    assert report["published"] == place.current
    assert report["refused"] is None
    assert report["trial"]["recall"] > 0.9
    assert report["trial"]["named"] > 0.9
    assert report["trial"]["false_alarms"] == 0.0


def test_a_blind_model_does_not_replace_one_that_sees(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.retrain(place.benign) == 0
    champion = place.current
    capfd.readouterr()

    assert place.retrain(place.spoiled) == 75

    told, found = capfd.readouterr(), r"it finds \d% of \d+ gross faults .*, the one in use finds (9\d|100)%"
    assert place.current == champion
    assert re.search(f"refused    {found}", told.out)
    assert re.search(f"stream plant: not published: {found}.*--force publishes all the same", told.err)


def test_a_blind_model_is_published_when_that_is_wanted(place: Place) -> None:
    place.retrain(place.benign)
    champion = place.current

    assert place.retrain(place.spoiled, "--force") == 0
    assert place.current != champion


def test_a_blind_model_is_better_than_none(place: Place) -> None:
    assert place.retrain(place.spoiled) == 0
    assert place.current is not None


def test_a_model_for_other_features_is_no_rival(place: Place) -> None:
    place.retrain(place.benign)
    place.config.write_text(place.config.read_text().replace("power: numeric", "power: {numeric: {scale: linear}}"))

    assert place.retrain(place.spoiled) == 0


def test_a_model_that_shouts_is_not_published(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.write("{threshold: 1.0e-9}")

    assert place.retrain(place.benign) == 75
    assert "of the held-out benign records; raise alert.threshold" in capfd.readouterr().err
    assert place.current is None


def test_a_dry_run_says_what_the_gate_would_say(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.retrain(place.benign)

    assert place.retrain(place.spoiled, "--dry-run") == 75
    assert "refused" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("recall", "rival", "refused"),
    [(0.05, 0.9, True), (0.05, 0.4, False), (0.05, None, False), (0.2, 0.9, False), (None, 0.9, False)],
)
def test_only_a_blind_model_against_a_seeing_one_is_refused(
    recall: float | None, rival: float | None, refused: bool
) -> None:
    found = refusal(Trial(0.0, 100, recall, None), lambda: Trial(0.0, 100, rival, None))

    assert (found is not None) == refused


def test_the_one_in_use_is_not_tried_where_nothing_hangs_on_it() -> None:
    def champion() -> Trial:
        raise AemonitorError("tried")

    assert refusal(Trial(0.01, 100, 0.9, 1.0), champion) is None
