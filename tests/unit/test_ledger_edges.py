"""The exact edges of what the ledger keeps and says; what a mutation of the code got by with."""

from __future__ import annotations

from pathlib import Path

from monitor.core.accounting import Counts, DeadLetter, Outcome
from monitor.core.records import Origin
from monitor.ledger import Ledger, Retention
from monitor.ledger.history import MAX_DEAD_LETTER_BYTES, MAX_TEXT_BYTES
from monitor.ledger.outbox import PRUNED_PER_ALERT
from tests.support_files import alert

PATH, REASON = "/x", "no"


def letter(number: int) -> DeadLetter:
    """One that takes a 256th of the room there is, its path and reason counted."""
    size = MAX_DEAD_LETTER_BYTES // 256 - len(PATH) - len(REASON)
    assert size <= MAX_TEXT_BYTES
    return DeadLetter(Origin("f", 0, PATH), number, REASON, "x" * size)


def test_dead_letters_that_just_fill_their_room_are_all_kept(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([Outcome("web", (), Counts(), dead_letters=list(map(letter, range(256))))])
        full = ledger.dead_letters("web", 1_000)
        ledger.commit([Outcome("web", (), Counts(), dead_letters=[letter(256)])])
        fuller = ledger.dead_letters("web", 1_000)

    assert [each.offset for each in full] == list(range(255, -1, -1))
    assert [each.offset for each in fuller] == list(range(256, 0, -1))


def test_what_each_rule_suppressed_is_summed_up(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([Outcome("web", (), Counts(), suppressed={"night": 3, "storm": 1})])
        ledger.commit([Outcome("web", (), Counts(), suppressed={"night": 2}), Outcome("db", (), Counts())])

        assert ledger.suppressed("web") == {"night": 5, "storm": 1}
        assert ledger.suppressed("db") == {}


def test_of_a_backlog_just_as_many_old_alerts_go_as_a_commit_pays_for(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([Outcome("web", (), Counts(), [alert(number) for number in range(30)])])

    with Ledger.open(tmp_path, retention=Retention(max_alerts=5)) as ledger:
        ledger.commit([Outcome("web", (), Counts(), [alert(30), alert(31)])])

        assert len(ledger.alerts()) == 32 - 2 * PRUNED_PER_ALERT
