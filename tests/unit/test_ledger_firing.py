"""What is going on now is known from the ledger alone: told, and not yet told to be over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from monitor.core.accounting import Counts, Outcome, Resolution
from monitor.core.alerts import Alert, EpisodeRef
from monitor.core.clock import ManualClock
from monitor.ledger import Ledger, Retention
from monitor.ledger.files import NAME
from tests.support_files import alert

DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    with Ledger.open(tmp_path, clock=clock, retention=Retention(max_alerts=20)) as ledger:
        yield ledger


def reference(number: int) -> EpisodeRef:
    return EpisodeRef(id=f"{number:032x}", first=None, last=None, peak=2.0)


def told(number: int, stream: str = "web", *, episode: int | None = None) -> Alert:
    """An alert that tells an episode, which it begins unless another one is given."""
    return msgspec.structs.replace(alert(number, stream), episode=reference(number if episode is None else episode))


def over(number: int) -> Resolution:
    return Resolution(reference(number), 3, "2023-11-14T22:13:20Z", "quiet again")


def commit(ledger: Ledger, *alerts: Alert, resolved: Sequence[Resolution] = (), stream: str = "web") -> None:
    ledger.commit([Outcome(stream, (), Counts(), alerts=alerts, resolved=resolved)])


def going_on(ledger: Ledger, *streams: str, within_seconds: float = DAY, limit: int = 100) -> list[int]:
    found = ledger.firing(streams or ("web",), within_seconds=within_seconds, limit=limit)
    return [int(msgspec.json.decode(line)["id"], 16) for line in found]


def test_an_episode_goes_on_until_it_is_over(ledger: Ledger) -> None:
    commit(ledger, told(1), told(2))
    assert going_on(ledger) == [1, 2]

    commit(ledger, resolved=[over(1)])

    assert going_on(ledger) == [2]


def test_an_episode_that_became_worse_ends_with_all_that_told_it(ledger: Ledger) -> None:
    commit(ledger, told(1), told(2, episode=1), told(3))
    assert going_on(ledger) == [1, 2, 3]

    commit(ledger, resolved=[over(1)])

    assert going_on(ledger) == [3]


def test_records_that_are_told_each_by_themselves_do_not_go_on(ledger: Ledger) -> None:
    commit(ledger, alert(1), told(2))

    assert going_on(ledger) == [2]


def test_only_the_streams_asked_for_are_told(ledger: Ledger) -> None:
    commit(ledger, told(1))
    commit(ledger, told(2, "db"), stream="db")

    assert (going_on(ledger, "db"), going_on(ledger, "web", "db")) == ([2], [1, 2])


def test_the_newest_are_given_oldest_first_and_none_that_is_too_old(ledger: Ledger, clock: ManualClock) -> None:
    commit(ledger, told(1))
    clock.advance(DAY)
    commit(ledger, told(2), told(3), told(4))

    assert going_on(ledger, limit=2) == [3, 4]
    assert going_on(ledger, within_seconds=DAY / 2) == [2, 3, 4]


def test_a_repetition_of_an_alert_changes_nothing(ledger: Ledger) -> None:
    commit(ledger, told(1))
    commit(ledger, resolved=[over(1)])
    commit(ledger, told(1))

    assert going_on(ledger) == []


def test_what_is_deleted_from_the_history_goes_on_no_more(ledger: Ledger, tmp_path: Path) -> None:
    commit(ledger, told(1))
    for number in range(2, 60):
        commit(ledger, alert(number))

    assert going_on(ledger) == []
    with closing(sqlite3.connect(tmp_path / NAME)) as reader:
        assert reader.execute("SELECT count(*) FROM firing").fetchone() == (0,)


def test_what_goes_on_is_known_after_a_restart(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        commit(ledger, told(1), told(2))
        commit(ledger, resolved=[over(2)])

    with Ledger.open(tmp_path) as ledger:
        assert going_on(ledger) == [1]
