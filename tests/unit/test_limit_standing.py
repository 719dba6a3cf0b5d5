"""What a stream's configuration makes of its limit: it stays, follows, or is refused with the cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.app.compose import load_pipeline
from monitor.app.limits import lines, standing
from monitor.app.pipeline import LIMIT
from monitor.cli import execute
from monitor.core.accounting import Memory
from monitor.core.clock import ManualClock
from monitor.core.errors import BundleError, UsageError
from monitor.plugins import load_config


class Place:
    """A directory with a configuration and benign records, one a minute."""

    def __init__(self, root: Path) -> None:
        self.config, self.benign, self._state = root / "c.yaml", root / "benign.jsonl", root / "state"
        self.benign.write_text(
            "".join(json.dumps({"at": 1.7e9 + 60 * i, "load": i * 7 % 31, "mode": i % 3}) + "\n" for i in range(600))
        )

    def write(self, alert: str, *, time: bool = True, streams: int = 1) -> None:
        stream = (
            "    source: stdin\n    parser: json_lines\n    score: {method: l1}\n    model: {epochs: 3}\n"
            f"    alert: {alert}\n    features: {{load: numeric}}\n" + ("    time: {field: at}\n" if time else "")
        )
        named = "".join(f"  plant{number or ''}:\n{stream}" for number in range(streams))
        self.config.write_text(f"server: {{listen: none}}\nstate_dir: {self._state}\ndevice: cpu\nstreams:\n{named}")

    def retrain(self) -> int:
        return execute(["retrain", "-c", str(self.config), "--input", str(self.benign), "--force"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_limit_stays_unless_it_is_asked_to_follow(place: Place) -> None:
    place.write("{threshold: 0.9}")
    assert place.retrain() == 0

    found = standing(place.config, None)

    assert (found.adaptive, found.calibrated, found.limit, found.changes) == (False, 0.9, 0.9, [])
    assert lines(found)[1:] == [
        "limit     0.9: stays (alert.adaptive: false)",
        f"expected  {found.expected}",
        "came      0 alerts in 0 episodes, of 0 records",
    ]
    assert found.expected
    assert found.expected.startswith("expect ")


def test_nothing_is_promised_of_a_threshold_that_was_changed(place: Place) -> None:
    place.write("{threshold: 0.9}")
    assert place.retrain() == 0
    place.write("{threshold: 0.7}")

    found = standing(place.config, None)

    assert (found.limit, found.expected) == (0.7, None)
    assert "expected  nothing is known of this threshold" in lines(found)
    place.write("{threshold: 0.7, adaptive: true}")
    with pytest.raises(BundleError, match=r"of stream plant: alert\.adaptive: it is not known .* and retrain"):
        standing(place.config, None)


def test_without_times_retrain_says_that_no_limit_can_follow(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("{adaptive: true}", time=False)

    assert place.retrain() == 65

    assert "set `time`, or alert.records_per_day" in capsys.readouterr().err
    place.write("{adaptive: true, records_per_day: 1440}", time=False)
    assert place.retrain() == 0
    assert standing(place.config, None).adaptive


def test_what_followed_is_forgotten_when_it_is_switched_off(place: Place) -> None:
    place.write("{threshold: 0.9, adaptive: true}")
    assert place.retrain() == 0
    following = load_pipeline(load_config(place.config), "plant", ManualClock())
    place.write("{threshold: 0.9}")
    staying = load_pipeline(load_config(place.config), "plant", ManualClock())

    memory = following.memories()[LIMIT]

    assert following.take_over({LIMIT: memory}) == {}
    assert staying.take_over({LIMIT: memory}) == {LIMIT: "alert.adaptive is off"}
    assert staying.take_over({LIMIT: Memory("", dict)}) == {LIMIT: "alert.adaptive is off"}


def test_of_several_streams_one_must_be_named(place: Place) -> None:
    place.write("{}", streams=2)

    with pytest.raises(UsageError, match="say which stream with --stream: plant, plant1"):
        standing(place.config, None)
