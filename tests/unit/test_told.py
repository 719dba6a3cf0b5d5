"""Episodes that were told of count towards the budget of the next model: each once, as high as it came."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.told import told_records
from monitor.core.alerts import Alert, EpisodeRef, Score
from monitor.core.clock import DAY_SECONDS
from monitor.core.config import StreamConfig
from monitor.core.records import FieldType
from monitor.deciding.told import ToldRecords
from monitor.plugins import load_config
from tests.unit.test_feedback import CONFIG, alert, commit, say

PERIOD = (0.0, DAY_SECONDS / 2)


def told(number: int, of: int | None = None, score: float = 2.0, peak: float = 2.0, **changes: object) -> Alert:
    """An alert of the episode that the alert ``of`` told first, itself by default."""
    made = alert(number)
    episode = EpisodeRef(alert(number if of is None else of).id, None, None, peak)
    return structs.replace(made, episode=episode, score=Score(score, score, 1.0), **changes)


@pytest.fixture
def stream(tmp_path: Path) -> StreamConfig:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG)
    return load_config(path).streams["web"]


def values(found: ToldRecords | None) -> list[float]:
    assert found is not None
    return [float(value) for value in found.records.column("ms", FieldType.NUMBER).to_pylist()]


def test_an_episode_counts_once_and_as_high_as_it_came(tmp_path: Path, stream: StreamConfig) -> None:
    worse, over = told(2, of=1, score=8.0, peak=8.0), told(1, peak=12.0, state="resolved")
    commit(tmp_path, [told(1), worse, told(5), over])

    found = told_records(tmp_path, "web", stream, PERIOD)

    assert sorted(values(found)) == [2.0, 5.0]
    assert found is not None
    assert sorted(found.factors.tolist()) == [1.0, 1.5]  # 12 where 8 was told
    assert found.days == 0.5


def test_what_people_labelled_is_learned_or_no_false_alert(tmp_path: Path, stream: StreamConfig) -> None:
    commit(tmp_path, [told(1), told(2), told(3)])
    say(tmp_path, "benign", told(1))
    say(tmp_path, "anomaly", told(2))

    assert values(told_records(tmp_path, "web", stream, PERIOD)) == [3.0]


@pytest.mark.parametrize(
    "other",
    [
        told(1, time="1970-01-01T13:00:00.000Z"),  # later than the sample
        told(1, raw="x" * RAW_CHARACTERS),  # only the beginning of the record is known
        told(1, raw="no record"),
        structs.replace(told(1), stream="other"),
        alert(1),  # records are told of, not episodes
    ],
)
def test_what_tells_of_no_episode_of_the_sample_is_left_out(tmp_path: Path, stream: StreamConfig, other: Alert) -> None:
    commit(tmp_path, [other, told(7)])

    assert values(told_records(tmp_path, "web", stream, PERIOD)) == [7.0]


def test_without_a_ledger_nothing_was_told(tmp_path: Path, stream: StreamConfig) -> None:
    assert told_records(tmp_path, "web", stream, PERIOD) is None
