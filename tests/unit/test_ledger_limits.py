"""How limits moved: kept in the transaction of the batch in which they did, the newest only, each stream its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.accounting import Counts, LimitChange, Outcome
from monitor.core.clock import ManualClock
from monitor.ledger import Ledger, ProgressError
from monitor.ledger.limits import MAX_CHANGES, PastChange
from tests.support_files import position

UP = LimitChange(1.0, 1.5, "exceeded in 8 of the last 15 periods of 250 records")
DOWN = LimitChange(1.5, 1.0, "scores were lower")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path, clock=ManualClock(5.0)) as opened:
        yield opened


def moved(*changes: LimitChange, stream: str = "web") -> Outcome:
    return Outcome(stream, (), Counts(), limit_changes=changes)


def test_the_changes_of_a_stream_come_back_newest_first(ledger: Ledger, tmp_path: Path) -> None:
    ledger.commit([moved(UP, DOWN), moved(UP, stream="db")])

    with Ledger.open(tmp_path, read_only=True) as reader:
        assert reader.limit_changes("web") == [PastChange(5.0, DOWN), PastChange(5.0, UP)]
        assert reader.limit_changes("web", 1) == [PastChange(5.0, DOWN)]
        assert reader.limit_changes("mail") == []


def test_only_the_newest_are_kept(ledger: Ledger) -> None:
    ledger.commit([moved(UP, stream="db"), moved(*[LimitChange(i, i + 1.0, "") for i in range(MAX_CHANGES + 7)])])

    kept = [past.change.old for past in ledger.limit_changes("web", 2 * MAX_CHANGES)]

    assert kept == list(range(MAX_CHANGES + 6, 6, -1))
    assert len(ledger.limit_changes("db")) == 1


def test_a_change_is_not_kept_without_its_batch(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (position(10),), Counts())])

    with pytest.raises(ProgressError):
        ledger.commit([moved(UP), Outcome("web", (position(5),), Counts())])

    assert ledger.limit_changes("web") == []
