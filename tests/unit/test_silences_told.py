"""Which rule hides a silence, where somebody is looked for who is silent, and what a training learns of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.app.last_places import LastPlaces
from monitor.app.learned_silence import LearnedSilence
from monitor.app.silences import rules_of
from monitor.core.alerts import SourceRef
from monitor.core.clock import ManualClock
from monitor.core.config import StreamConfig
from monitor.core.records import Origin, RecordBatch
from monitor.core.rows import places_only
from monitor.core.suppress_config import SuppressConfig
from monitor.deciding.suppression import Suppression
from monitor.plugins import load_config
from tests.records import records

MIDNIGHT = 1_772_409_600.0  # 2026-03-02, a Monday
RACK = {"name": "rack", "reason": "moved", "until": "never", "fields": {"host": {"matches": "^rack3-"}}}
NIGHTS = {"name": "nights", "reason": "backups", "weekly": [{"from": "22:00", "to": "04:00"}]}
REQUESTS = {"name": "requests", "reason": "known", "until": "never", "fields": {"path": {"equals": "/"}}}


def suppression(*rules: Mapping[str, Any]) -> Suppression:
    return Suppression([SuppressConfig.model_validate(rule) for rule in rules])


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(12, ["rack", "", ""]), (23, ["rack", "nights", "nights"]), (3, ["rack", "nights", "nights"])],
)
def test_rules_are_asked_with_the_key_and_the_time(hour: int, expected: list[str]) -> None:
    rules = rules_of(suppression(RACK, REQUESTS, NIGHTS), "host", ManualClock(MIDNIGHT + 3_600 * hour))

    assert rules(["rack3-1", "rack2-1", None]) == expected


def test_without_rules_nothing_is_hidden() -> None:
    assert rules_of(suppression(), None, ManualClock())(["a", None]) == ["", ""]


def test_who_is_silent_was_heard_last_where_its_last_record_stood() -> None:
    places = LastPlaces(["/var/log/a.log", "/var/log/b/*.log"])
    assert places.of("x") == places.of() == SourceRef(path="/var/log/a.log, /var/log/b/*.log", offset=0)

    places.note(places_only(Origin("f", 2, "/var/log/b/x.log"), 7), ["x", None])
    places.note(places_only(Origin("g", 0, "/var/log/b/y.log"), 9), ["y"])

    assert places.of("x") == SourceRef(path="/var/log/b/x.log", offset=7, file_id="f", epoch=2)
    assert places.of() == places.of("y") == SourceRef(path="/var/log/b/y.log", offset=9, file_id="g")


CONFIG = """
streams:
  web:
    source: stdin
    parser: json_lines
    features: {level: numeric}
    key: host
    time: {field: at}
"""


def stream(tmp_path: Path, key_silence: str = "auto") -> StreamConfig:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(f"{CONFIG}    alert: {{key_silence: {key_silence}}}\n")
    return load_config(path).streams["web"]


def two_days() -> Iterator[RecordBatch]:
    times = np.repeat(np.arange(0, 2 * 86_400, 600.0), 10)
    for part in np.array_split(np.arange(len(times)), 5):
        yield records(times=times[part].tolist(), keys=[f"k{row % 10}" for row in part])


def section(config: StreamConfig, batches: Iterator[RecordBatch], *, sampled: bool = False) -> dict[str, Any]:
    learned = LearnedSilence(config, ManualClock(), sampled=sampled)
    for _ in learned.watch(batches):
        pass
    return learned.section(None, {"silence": {"seconds": 1.0, "keys": 5, "key_seconds": 60.0}})


def test_a_training_learns_which_keys_are_there_all_the_time(tmp_path: Path) -> None:
    assert section(stream(tmp_path), two_days()) == {"keys": 10, "key_seconds": 1_800.0}
    assert section(stream(tmp_path, "off"), two_days()) == {}


def test_what_a_sample_cannot_tell_stays_as_it_was_known(tmp_path: Path) -> None:
    assert section(stream(tmp_path), iter(())) == {}
    assert section(stream(tmp_path), iter(()), sampled=True) == {"seconds": 1.0, "keys": 5, "key_seconds": 60.0}


def test_a_sample_does_not_make_the_silence_of_a_stream_longer(tmp_path: Path) -> None:
    times = np.arange(0.0, 86_400.0, 60.0)
    before = {"silence": {"seconds": 90.0}}

    whole, sampled = (LearnedSilence(stream(tmp_path, "off"), ManualClock(), sampled=each) for each in (False, True))

    assert whole.section(times, before)["seconds"] > 90.0
    assert sampled.section(times, before) == before["silence"]
    assert sampled.section(times, None)["seconds"] > 90.0
