"""The exact edges of what the ledger keeps and says; what a mutation of the code got by with."""

from __future__ import annotations

from pathlib import Path

from monitor.core.accounting import Counts, DeadLetter, Outcome
from monitor.core.records import Origin
from monitor.ledger import Ledger
from monitor.ledger.history import MAX_DEAD_LETTER_BYTES, MAX_TEXT_BYTES

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
