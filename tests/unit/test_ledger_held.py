"""Alerts that are held are told by nobody until they are released, and by nobody ever once they are withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.core.accounting import Counts, Outcome, Release, Resolution
from monitor.core.alerts import Alert, EpisodeRef
from monitor.ledger import Ledger
from tests.support_files import alert

STANDS = Resolution(EpisodeRef(id=f"{1:032x}", first=None, last=None, peak=9.0), 7, "2023-11-14T22:14:00Z", "Worse: ")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path) as opened:
        opened.commit([Outcome("web", (), Counts(), [alert(1, state="held"), alert(2), alert(3, state="held")])])
        yield opened


def sent(ledger: Ledger) -> list[Alert]:
    return [msgspec.json.decode(body, type=Alert) for _, body in ledger.pending("ops")]


def test_a_held_alert_is_sent_behind_the_others_once_it_is_released(ledger: Ledger) -> None:
    assert [one.summary for one in sent(ledger)] == ["alert 2"]

    for _ in range(2):
        ledger.commit([Outcome("web", (), Counts(), released=[Release(f"{1:032x}")])])

    assert [(one.summary, one.state) for one in sent(ledger)] == [("alert 2", "firing"), ("alert 1", "firing")]
    assert ledger.duplicate_alerts("web") == 0


def test_a_released_alert_says_how_its_episode_stands_by_now(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (), Counts(), released=[Release(f"{1:032x}", STANDS)])])

    released = sent(ledger)[-1]
    assert (released.state, released.count, released.summary) == ("firing", 7, "Worse: alert 1")
    assert released.episode == STANDS.episode


def test_a_withdrawn_alert_is_kept_as_suppressed_and_never_sent(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (), Counts(), withdrawn=[f"{1:032x}"])])
    ledger.commit([Outcome("web", (), Counts(), released=[Release(f"{1:032x}")])])

    (kept,) = (msgspec.json.decode(body, type=Alert) for body in ledger.alerts(which="suppressed"))
    assert (kept.summary, kept.suppressed_by) == ("alert 1", "storm")
    assert [one.summary for one in sent(ledger)] == ["alert 2"]


def test_the_newest_that_were_told_are_given_oldest_first(ledger: Ledger) -> None:
    ledger.commit([Outcome("db", (), Counts(), [alert(4, "db"), alert(5, "db")])])

    def newest(streams: list[str] | None, limit: int) -> list[str]:
        return [msgspec.json.decode(body, type=Alert).summary for _, body in ledger.newest(streams, limit)]

    assert newest(None, 2) == ["alert 4", "alert 5"]
    assert newest(["web"], 2) == ["alert 2"]
