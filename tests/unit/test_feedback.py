"""Labels are kept beside the ledger; what they and alerts say decides what is learned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from monitor.app.alerting import RAW_CHARACTERS
from monitor.app.feedback import Feedback, labelled
from monitor.app.gates.feedback import framed
from monitor.app.labels import LABELS_FILE, Label, Verdict, add_labels, read_labels
from monitor.app.pipeline import EPISODES
from monitor.core.accounting import Counts, MemoryChange, Outcome, Resolution
from monitor.core.alerts import Alert, EpisodeRef, ModelRef, Score, SourceRef, alert_id
from monitor.core.clock import ManualClock
from monitor.core.config import StreamConfig
from monitor.core.errors import CannotCreateError, PermissionDeniedError, StateError
from monitor.core.records import FieldType
from monitor.deciding.episode import WARNING, Episode
from monitor.deciding.episodes import Episodes
from monitor.ledger import Ledger
from monitor.plugins import load_config
from tests.records import records

CONFIG = """
streams:
  web:
    source: stdin
    parser: json_lines
    key: host
    features: {ms: numeric}
    alert: {episode_gap_seconds: 10}
"""


@pytest.fixture
def stream(tmp_path: Path) -> StreamConfig:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG)
    return load_config(path).streams["web"]


def alert(number: int, key: str | None = "a", seconds: int = 0, raw: str | None = None, stream: str = "web") -> Alert:
    return Alert(
        id=alert_id(stream, "f", 0, number),
        fingerprint="",
        severity="warning",
        stream=stream,
        key=key,
        time=f"1970-01-01T00:00:{seconds:02d}.000Z",
        detected_at="1970-01-01T00:00:00.000Z",
        source=SourceRef("app.log", number),
        score=Score(2.0, 2.0, 1.0),
        fields=(),
        summary="",
        raw=raw or f'{{"ms": {number}, "host": "a"}}',
        model=ModelRef("v", "s"),
        host="h",
    )


def say(directory: Path, verdict: Verdict, *alerts: Alert) -> None:
    add_labels(directory, [Label(verdict, "", "1970-01-01T00:00:00+00:00", one) for one in alerts])


def commit(directory: Path, alerts: Sequence[Alert]) -> None:
    with Ledger.open(directory, clock=ManualClock()) as ledger:
        ledger.commit([Outcome("web", (), Counts(), alerts=alerts)])


def test_the_last_label_of_an_alert_counts(tmp_path: Path) -> None:
    say(tmp_path, "anomaly", alert(1), alert(2))
    say(tmp_path, "benign", alert(1))

    assert [label.label for label in read_labels(tmp_path).values()] == ["benign", "anomaly"]
    assert labelled(tmp_path, "web") == [(alert(1).raw, False), (alert(2).raw, True)]
    assert labelled(tmp_path, "other") == []


def test_without_a_file_nothing_is_labelled(tmp_path: Path) -> None:
    assert read_labels(tmp_path) == {}


def test_what_a_crash_cut_off_is_passed_over_and_the_next_label_is_whole(tmp_path: Path) -> None:
    say(tmp_path, "anomaly", alert(1))
    with (tmp_path / LABELS_FILE).open("ab") as file:
        file.write(b'{"label": "ben')

    before = read_labels(tmp_path)
    say(tmp_path, "benign", alert(2))

    assert [label.label for label in before.values()] == ["anomaly"]
    assert [label.label for label in read_labels(tmp_path).values()] == ["anomaly", "benign"]


def test_a_line_that_is_no_label_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / LABELS_FILE).write_bytes(b"\n{}\n")

    with pytest.raises(StateError, match=r"feedback.jsonl:2: not a label .*delete the line"):
        read_labels(tmp_path)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError, match=r"cannot write .*feedback.jsonl: No such file"):
        say(tmp_path / "none", "benign", alert(1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    say(tmp_path, "benign", alert(1))
    (tmp_path / LABELS_FILE).chmod(0)

    with pytest.raises(PermissionDeniedError, match=r"may not read .*run it as the daemon's user"):
        read_labels(tmp_path)
    with pytest.raises(PermissionDeniedError, match=r"may not write .*run it as the daemon's user"):
        say(tmp_path, "benign", alert(2))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for others")
def test_what_root_labels_belongs_to_the_daemon(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)

    say(tmp_path, "benign", alert(1))

    assert (tmp_path / LABELS_FILE).stat().st_uid == 1234


def test_what_came_near_an_alert_of_its_key_is_known(tmp_path: Path, stream: StreamConfig) -> None:
    commit(tmp_path, [alert(1, "a", 20), alert(2, "b", 40), alert(3, None, 50)])
    say(tmp_path, "benign", alert(2, "b", 40))

    feedback = Feedback.of(tmp_path, "web", stream)

    times = [9.0, 10.0, 30.0, 31.0, 40.0, 41.0]
    batch = records(ms=[1.0] * 6, times=times, keys=["a", "a", "a", "a", "b", None])
    assert feedback.near_alert(batch, np.array(times), np.zeros(len(batch))).tolist() == [
        False,
        True,
        True,
        False,
        False,
        True,
    ]


def test_what_is_odd_itself_within_a_day_of_an_alert_of_its_key_is_under_suspicion(
    tmp_path: Path, stream: StreamConfig
) -> None:
    """A patient attack: two of its records were told of, hours apart, and the others stayed below the limit of 1."""
    commit(tmp_path, [alert(1, "a", 20)])
    times = 20 + np.array([0.4, 0.6, 0.4, 1.1]) * 86_400
    batch = records(ms=[1.0] * 4, keys=["a", "a", "b", "a"])

    near = Feedback.of(tmp_path, "web", stream).near_alert(batch, times, np.array([0.8, 0.4, 0.8, 0.8]))

    assert near.tolist() == [True, False, False, False]


def test_all_of_an_episode_that_is_over_is_near_however_long_it_was(tmp_path: Path, stream: StreamConfig) -> None:
    first = alert(1, "a", 10)
    over = EpisodeRef(first.id, first.time, alert(0, "a", 50).time, 2.0)
    commit(tmp_path, [first])
    with Ledger.open(tmp_path, clock=ManualClock()) as ledger:
        ledger.commit([Outcome("web", (), Counts(), resolved=[Resolution(over, 9, first.detected_at, "over")])])

    times = np.array([31.0, 60.0, 61.0])
    batch = records(ms=[1.0] * 3, keys=["a"] * 3)

    assert Feedback.of(tmp_path, "web", stream).near_alert(batch, times, np.zeros(len(batch))).tolist() == [
        True,
        True,
        False,
    ]
    say(tmp_path, "benign", first)
    assert not Feedback.of(tmp_path, "web", stream).near_alert(batch, times, np.zeros(len(batch))).any()


def test_an_episode_that_goes_on_is_known_as_far_as_it_came(tmp_path: Path, stream: StreamConfig) -> None:
    first = alert(1, "a", 10)
    parts = tuple(float(int(first.id[at : at + 8], 16)) for at in range(0, 32, 8))
    episode = Episode(start=10.0, end=50.0, last=50.0, alerts=9, told=WARNING, id=parts)
    with Ledger.open(tmp_path, clock=ManualClock()) as ledger:
        memory = MemoryChange(EPISODES, Episodes.made_by, {"a": episode.numbers()})
        ledger.commit([Outcome("web", (), Counts(), alerts=[first], memories=[memory])])

    times = np.array([31.0, 60.0, 61.0])
    batch = records(ms=[1.0] * 3, keys=["a"] * 3)

    assert Feedback.of(tmp_path, "web", stream).near_alert(batch, times, np.zeros(len(batch))).tolist() == [
        True,
        True,
        False,
    ]
    say(tmp_path, "benign", first)
    assert not Feedback.of(tmp_path, "web", stream).near_alert(batch, times, np.zeros(len(batch))).any()


def test_a_short_episode_after_a_long_one_does_not_hide_it(tmp_path: Path, stream: StreamConfig) -> None:
    long, short = EpisodeRef("1", alert(0, seconds=0).time, alert(0, seconds=59).time, 2.0), alert(2, "a", 5)
    say(tmp_path, "anomaly", structs.replace(alert(1, "a"), episode=long), short)

    near = Feedback.of(tmp_path, "web", stream).near_alert(records(ms=[1.0], keys=["a"]), np.array([40.0]), np.zeros(1))

    assert near.tolist() == [True]


def test_an_anomaly_that_the_ledger_has_forgotten_is_known_by_its_label(tmp_path: Path, stream: StreamConfig) -> None:
    say(tmp_path, "anomaly", alert(1, "a", 20))

    feedback = Feedback.of(tmp_path, "web", stream)

    assert feedback.near_alert(records(ms=[1.0], keys=["a"]), np.array([25.0]), np.zeros(1)).tolist() == [True]


def test_records_called_benign_are_parsed_and_cut_ones_are_not(tmp_path: Path, stream: StreamConfig) -> None:
    say(tmp_path, "benign", alert(1), alert(2, raw="x" * RAW_CHARACTERS), alert(4, stream="other"))
    say(tmp_path, "anomaly", alert(3))

    (batch,) = Feedback.of(tmp_path, "web", stream).benign()

    assert batch.column("ms", FieldType.NUMBER).to_pylist() == [1.0]
    assert batch.raw.origin.path == str(tmp_path / LABELS_FILE)


def test_lines_with_the_text_of_an_anomaly_are_found_redacted_and_cut_as_it_is(
    tmp_path: Path, stream: StreamConfig
) -> None:
    long = '{"ms": 5, "note": "' + "y" * RAW_CHARACTERS
    say(tmp_path, "anomaly", alert(1, raw="pwd=[redacted] x"), alert(2, raw=long[:RAW_CHARACTERS]))
    say(tmp_path, "benign", alert(3, raw="fine"))

    found = Feedback.of(tmp_path, "web", stream).anomalies(framed(["pwd=abc x", "fine", long + "y", "pwd=abc"]))

    assert found.tolist() == [True, False, True, False]


def test_without_a_ledger_and_labels_nothing_is_near(tmp_path: Path, stream: StreamConfig) -> None:
    feedback = Feedback.of(tmp_path, "web", stream)

    assert feedback.near_alert(records(ms=[1.0], keys=["a"]), np.zeros(1), np.zeros(1)).tolist() == [False]
    assert list(feedback.benign()) == []
    assert not feedback.anomalies(framed(["x"])).any()


def test_records_near_a_known_anomaly_are_told_from_those_near_other_alerts(
    tmp_path: Path, stream: StreamConfig
) -> None:
    commit(tmp_path, [alert(1, seconds=10), alert(2, seconds=40)])
    say(tmp_path, "anomaly", alert(2, seconds=40))
    times = np.array([10.0, 25.0, 40.0])
    batch = records(ms=[1.0, 2.0, 3.0], times=times.tolist(), keys=["a", "a", "a"])

    feedback = Feedback.of(tmp_path, "web", stream)

    assert feedback.near_alert(batch, times, np.zeros(len(batch))).tolist() == [True, False, True]
    assert feedback.near_anomaly(batch, times).tolist() == [False, False, True]
