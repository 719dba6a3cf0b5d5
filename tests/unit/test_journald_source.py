"""The source `journald` over real journal files: in order, on where it left off, and what was deleted is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.errors import UnavailableError
from monitor.sources import journald
from tests.journal import add_entries
from tests.received import Ledger, Received, killed

FIRST, SECOND = [f"m{number}" for number in range(10)], [f"m{number}" for number in range(10, 20)]


def opened(directory: Path, ledger: Ledger | None = None, *, once: bool = False, **options: Any) -> Received:
    return Received(journald, ledger, once=once, directory=str(directory), **options)


def messages(received: Received) -> list[Any]:
    return [json.loads(payload)["MESSAGE"] for payload in received.payloads]


def read_once(directory: Path, ledger: Ledger | None = None, **options: Any) -> Received:
    received = opened(directory, ledger, once=True, **options)
    received.until_exhausted()
    received.turn()
    received.source.close()
    return received


def until(received: Received, *wanted: str) -> None:
    received.until(lambda: set(wanted) <= set(messages(received)), f"{len(wanted)} entries")


def test_entries_come_in_order_with_their_numbers_and_fields(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST, more="PRIORITY=6\n")
    received = read_once(tmp_path / "j")

    assert messages(received) == FIRST
    assert [number for number, _ in received.read] == list(range(1, 11))
    assert json.loads(received.payloads[0])["PRIORITY"] == "6"
    assert [why for _, why in received.events.connections] == [""]


def test_what_is_written_later_is_followed(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    received = opened(tmp_path / "j")
    until(received, *FIRST)
    add_entries(tmp_path / "j", SECOND, first=10)
    until(received, *SECOND)
    received.source.close()

    assert messages(received) == [*FIRST, *SECOND]


def test_it_goes_on_where_it_left_off_and_finds_the_entry_it_read_last(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    first = read_once(tmp_path / "j")
    add_entries(tmp_path / "j", SECOND, first=10)
    second = read_once(tmp_path / "j", first.ledger)
    third = read_once(tmp_path / "j", second.ledger)

    assert messages(second) == SECOND
    assert messages(third) == []
    assert second.events.lost == third.events.lost == []


def test_what_was_read_and_not_committed_when_it_was_killed_comes_again(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    first = read_once(tmp_path / "j")
    add_entries(tmp_path / "j", SECOND, first=10)
    killed("journald", 10, directory=str(tmp_path / "j"))

    assert messages(read_once(tmp_path / "j", first.ledger)) == SECOND


def test_a_cursor_that_lags_behind_the_progress_repeats_nothing(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    first = read_once(tmp_path / "j")
    cursors = {name: place for name, place in first.ledger.places.items() if name.endswith("#cursor")}
    add_entries(tmp_path / "j", SECOND, first=10)
    second = read_once(tmp_path / "j", first.ledger)
    second.ledger.places |= cursors

    assert messages(read_once(tmp_path / "j", second.ledger)) == []


def test_entries_that_were_deleted_meanwhile_are_told(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    first = read_once(tmp_path / "j")
    (tmp_path / "j" / "a.journal").unlink()
    add_entries(tmp_path / "j", SECOND, first=10, name="b.journal")
    second = read_once(tmp_path / "j", first.ledger)

    assert messages(second) == SECOND
    assert second.events.lost == [(f"journald:{tmp_path}/j", 1)]


def test_at_the_end_means_what_comes_from_now_on(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", FIRST)
    received = opened(tmp_path / "j", start_at="end")
    received.until(lambda: bool(received.events.connections), "the beginning")
    add_entries(tmp_path / "j", SECOND, first=10)
    until(received, *SECOND)
    received.source.close()

    assert messages(received) == SECOND


def test_units_priority_and_matches_are_filters(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", ["a"], more="PRIORITY=3\n_SYSTEMD_UNIT=web.service\n_TRANSPORT=stdout\n")
    add_entries(tmp_path / "j", ["b"], first=1, more="PRIORITY=6\n_SYSTEMD_UNIT=web.service\n_TRANSPORT=stdout\n")
    add_entries(tmp_path / "j", ["c"], first=2, more="PRIORITY=3\n_SYSTEMD_UNIT=db.service\n_TRANSPORT=syslog\n")

    assert messages(read_once(tmp_path / "j", units=["web.service"])) == ["a", "b"]
    assert messages(read_once(tmp_path / "j", priority="err")) == ["a", "c"]
    assert messages(read_once(tmp_path / "j", matches=["_TRANSPORT=syslog"])) == ["c"]
    only = read_once(tmp_path / "j", fields=["MESSAGE"], units=["db.service"])
    assert "_TRANSPORT" not in json.loads(only.payloads[0])


def test_coloured_texts_and_fields_that_occur_twice_are_readable(tmp_path: Path) -> None:
    add_entries(tmp_path / "j", ["\x1b[31mred"], more="TAG=x\nTAG=y\n")
    received = read_once(tmp_path / "j")

    assert messages(received) == ["\x1b[31mred"]
    assert sorted(json.loads(received.payloads[0])["TAG"]) == ["x", "y"]


def test_a_directory_that_is_not_there_is_told_and_tried_again(tmp_path: Path) -> None:
    received = opened(tmp_path / "none")
    received.until(lambda: any(why for _, why in received.events.connections), "the failure to be told")
    add_entries(tmp_path / "none", FIRST)
    until(received, *FIRST)
    received.source.close()

    assert any("No such file or directory" in why for _, why in received.events.connections)


def test_without_journalctl_the_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="there is no journalctl here"):
        opened(tmp_path)


@pytest.mark.parametrize("options", [{"matches": ["--vacuum-size=1"]}, {"directory": "x"}, {"fields": ["a b"]}])
def test_options_that_would_be_others_of_journalctl_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        journald.Config(**options)
