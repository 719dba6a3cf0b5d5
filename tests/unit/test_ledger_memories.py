"""What is remembered of keys: bit by bit, in the order of sight, in the same transaction as the progress."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.accounting import Counts, MemoryChange, Outcome
from monitor.core.errors import StateError
from monitor.ledger import Ledger, ProgressError
from tests.support_files import position, remember, remembered


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "state") as opened:
        yield opened


KEYS: st.SearchStrategy[str | None] = st.none() | st.text(st.characters(categories=None), max_size=3)
NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.dictionaries(KEYS, NUMBERS, max_size=6), st.sets(KEYS, max_size=4), st.booleans()), max_size=6
    )
)
def test_what_is_remembered_comes_back_bit_by_bit_in_the_order_of_sight(
    tmp_path: Path, steps: list[tuple[dict[str | None, list[float]], set[str | None], bool]]
) -> None:
    state_dir = tmp_path / f"{random.getrandbits(64):x}"
    held: dict[str | None, list[float]] = {}
    ledger = Ledger.open(state_dir)
    for updated, forgotten, restarted in steps:
        ledger.commit([remember(updated, *forgotten - {*updated})])
        for key in {*updated} | forgotten:
            held.pop(key, None)
        held |= updated
        if restarted:
            ledger.close()
            ledger = Ledger.open(state_dir)

    found = remembered(ledger) if steps else []
    ledger.close()

    assert repr(found) == repr(list(held.items()))  # that of a number tells -0.0 from 0.0
    shutil.rmtree(state_dir, ignore_errors=True)


def test_only_the_keys_that_were_seen_are_written(ledger: Ledger, tmp_path: Path) -> None:
    ledger.commit([remember({"a": [1.0], "b": [2.0], "c": [3.0]})])
    before = rows(tmp_path)

    ledger.commit([remember({"b": [2.0]}, "c")])

    after = rows(tmp_path)
    assert [key for key, _ in before] == [b"a", b"b", b"c"]
    assert (after[0], [key for key, _ in after]) == (before[0], [b"a", b"b"])
    assert after[1] > before[1]


def rows(directory: Path) -> list[tuple[bytes, int]]:
    connection = sqlite3.connect(directory / "state" / "ledger.sqlite3")
    found = connection.execute("SELECT key, seen FROM remembered ORDER BY key").fetchall()
    connection.close()
    return found


def test_each_memory_of_each_stream_is_its_own_and_says_what_it_was_made_by(ledger: Ledger) -> None:
    ledger.commit([remember({"a": [1.0]}), remember({"a": [2.0]}, name="rate"), remember({"a": [3.0]}, stream="db")])

    assert {name: memory.made_by for name, memory in ledger.memories("web").items()} == {
        "gap": "gap of a kind",
        "rate": "rate of a kind",
    }
    assert [remembered(ledger), remembered(ledger, "rate"), remembered(ledger, stream="db")] == [
        [("a", [1.0])], [("a", [2.0])], [("a", [3.0])],
    ]  # fmt: skip
    assert ledger.memories("other") == {}


def test_a_dropped_memory_goes_before_the_batch_that_begins_it_anew(ledger: Ledger) -> None:
    ledger.commit([remember({"a": [1.0], "b": [1.0]}), remember({"a": [2.0]}, name="rate")])
    anew = MemoryChange("gap", "gap of another kind", {"c": [3.0, 4.0]})

    ledger.commit([Outcome("web", (), Counts(), memories=[anew], dropped=["gap", "never there"])])

    assert remembered(ledger) == [("c", [3.0, 4.0])]
    assert ledger.memories("web")["gap"].made_by == "gap of another kind"
    assert remembered(ledger, "rate") == [("a", [2.0])]


def test_nothing_is_remembered_of_a_commit_that_fails(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (position(10),), Counts()), remember({"a": [1.0]})])
    dropping, backwards = (Outcome("web", (), Counts(), dropped=["gap"]), Outcome("web", (position(5),), Counts()))

    with pytest.raises(ProgressError):
        ledger.commit([dropping, remember({"b": [2.0]}, "a"), backwards])

    assert remembered(ledger) == [("a", [1.0])]


@pytest.mark.parametrize(
    "damage",
    ["key = x'c3'", "key = 'text'", "key = 5", "numbers = x'00'", "numbers = 'text'", "numbers = 5"],
)
def test_a_row_no_commit_could_have_written_is_refused_and_can_be_dropped(
    ledger: Ledger, tmp_path: Path, damage: str
) -> None:
    ledger.commit([remember({"a": [1.0], "b": [1.0]})])
    connection = sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")
    connection.execute(f"UPDATE remembered SET {damage} WHERE key = x'61'")
    connection.commit()
    connection.close()

    with pytest.raises(StateError, match="remembered keys: a row of the ledger is damaged: "):
        ledger.memories("web")["gap"].state()

    ledger.commit([Outcome("web", (), Counts(), dropped=["gap"])])
    assert ledger.memories("web") == {}
