"""What a random walk found once: windows in which a crash, or a lack of descriptors, lost or repeated something."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from monitor.core.accounting import Counts, Outcome, Position
from monitor.core.clock import ManualClock
from monitor.core.records import Origin
from monitor.ledger import Ledger
from tests.support_files import (
    Follower,
    compress,
    copy,
    copytruncate,
    followed,
    joined,
    numbered,
    recreate,
    rename,
    replace_content,
    rotated,
    truncate,
    write,
)

OLD, NEW, LATE, BETWEEN = (numbered(100 * k, 90, text) for k, text in enumerate(["old", "new", "late", "between"]))


def look(tail: Follower) -> None:
    """Look for files, read nothing, and commit what was seen."""
    tail.clock.advance(1)
    assert tail.source.read(0) == []
    tail.commit()


# -- copies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("include", ["{}", "{}*"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_copy_that_is_shorter_than_what_was_committed_is_known_after_a_downtime(
    log: Path, include: str, ending: str
) -> None:
    tail = followed(log, OLD, LATE, include=include)
    copy(log, rotated(log))
    write(log, joined(BETWEEN))
    tail.read(scan=False)
    tail.commit()

    tail.stop()
    truncate(log)
    write(log, joined(NEW))
    if ending:
        compress(rotated(log), ending)
    tail.start()
    for _ in range(5):
        tail.settle()

    assert tail.lines == [*OLD, *LATE, *BETWEEN, *NEW]


def test_a_truncation_that_is_committed_before_its_copy_is_found_is_remembered_over_a_crash(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*", max_open_files=1)
    tail.step()
    write(log, joined(LATE))
    copytruncate(log, rotated(log))
    write(log, joined(NEW))
    tail.clock.advance(1)
    for chunk in tail.source.read(100):  # the log has the only descriptor, so the copy is not found yet
        tail.framed.push(chunk)
    tail.commit()

    tail.crash()
    for _ in range(5):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *LATE, *NEW])


@pytest.mark.parametrize("refilled", [True, False])
def test_what_was_seen_and_not_read_is_found_in_a_copy_that_does_not_match(log: Path, refilled: bool) -> None:
    write(log, b"")
    tail = Follower(log)
    tail.step()
    write(log, joined(OLD))
    look(tail)

    copytruncate(log, rotated(log))
    if refilled:
        write(log, joined(NEW * 2))
    tail.settle()
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *(NEW * 2 if refilled else [])])
    assert not tail.events.abandoned


def test_an_older_part_that_begins_alike_is_not_the_copy_of_what_was_not_read(log: Path) -> None:
    write(rotated(log, 2), b"header\nread long ago\n")
    tail = Follower(log)
    tail.step()
    tail.clock.advance(10)
    write(log, b"header\n")
    look(tail)

    truncate(log)
    tail.settle()

    assert tail.lines == []
    assert tail.events.abandoned == [(str(log), len("header\n"), "truncated")]


def test_a_copy_that_holds_the_only_descriptor_does_not_wait_for_a_closed_original(log: Path) -> None:
    write(log, b"unfinished")
    tail = Follower(f"{log}*", max_open_files=1)
    tail.step()
    tail.step()
    for number in range(2, 9):
        copy(log, rotated(log, number))
    tail.settle()
    copytruncate(log, rotated(log))
    tail.clock.advance(1)
    tail.source.read(0)
    write(log, joined(NEW))

    for _ in range(40):
        tail.settle()

    assert set(NEW) <= set(tail.lines)


def test_a_copy_is_compared_with_a_log_that_was_closed_truncated_and_renamed_where_that_is_now(log: Path) -> None:
    other = log.with_name("other.txt")
    write(log, b"unfinished")
    tail = Follower(log, other, max_open_files=2, rotate_grace_seconds=2, copy_hold_seconds=2)
    tail.step()
    copytruncate(log, rotated(log))
    write(log, joined(OLD))
    write(other, joined(LATE))
    tail.step()
    rename(rotated(log), rotated(log, 2))
    copy(log, rotated(log))
    look(tail)

    truncate(log)
    rename(rotated(log, 2), rotated(log, 3))
    rename(rotated(log), rotated(log, 2))
    rename(log, rotated(log))
    for _ in range(5):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *LATE, b"unfinished"])


# -- compressed parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(5))
def test_compressed_parts_that_nobody_could_look_into_yet_are_remembered_over_crashes(log: Path, steps: int) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    for lines in (LATE, BETWEEN, NEW):
        for number in (2, 1):
            if rotated(log, number).with_suffix(f".{number}.gz").exists():
                rename(
                    rotated(log, number).with_suffix(f".{number}.gz"),
                    rotated(log, number + 1).with_suffix(f".{number + 1}.gz"),
                )
        rename(log, rotated(log))
        compress(rotated(log))
        write(log, joined(lines))

    for _ in range(3):
        tail.start()
        for _ in range(steps):
            tail.clock.advance(5)
            for chunk in tail.source.read(10):
                tail.framed.push(chunk)
            tail.commit()
        tail.stop()
    tail.start()
    for _ in range(10):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *LATE, *BETWEEN, *NEW])


def test_parts_of_the_same_time_do_not_wait_for_each_other(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    write(log, joined(LATE))
    rename(log, rotated(log))
    packed = compress(rotated(log))
    write(log, joined(NEW))
    stamp = packed.stat().st_mtime_ns

    os.utime(log, ns=(stamp, stamp))
    tail.start()
    look(tail)
    look(tail)

    recreate(log)
    os.utime(log, ns=(stamp, stamp))
    for _ in range(4):
        tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]


def test_a_log_that_is_compressed_and_linked_is_one_file_also_after_a_crash(log: Path) -> None:
    write(log, joined(OLD))
    log.with_name("access.log.hard").hardlink_to(log)
    tail = Follower(f"{log}*", rotate_grace_seconds=2)
    tail.step()
    rename(log, rotated(log))
    write(log, joined(NEW))
    tail.settle()
    compress(rotated(log))
    tail.settle()

    tail.crash()
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW])


# -- what the ledger keeps for that ----------------------------------------------------------------------------


def test_the_ledger_keeps_the_places_that_were_passed_in_an_epoch(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        for offset in range(0, 100_000, 100):
            commit(ledger, 0, offset)
        (state,) = ledger.resume("web")
        assert state.offset == 99_900
        assert len(state.marks) <= 32
        offsets = [mark.offset for mark in state.marks]
        assert offsets == sorted(set(offsets))
        assert offsets[0] < 20_000
        assert offsets[-1] == 99_800
        commit(ledger, 1, 0)
        assert ledger.resume("web")[0].marks == ()


def commit(ledger: Ledger, epoch: int, offset: int) -> None:
    tail = f"{offset:06d}".encode() if offset else b""
    position = Position(Origin("f", epoch, "/var/log/x", 1, 2, b"head"), offset, tail)
    ledger.commit([Outcome("web", [position], Counts())])


def test_what_replaced_a_log_and_was_rotated_while_down_waits_for_a_descriptor_over_crashes(log: Path) -> None:
    other = log.with_name("other.txt")
    tail = Follower(log, other, max_open_files=1, clock=ManualClock(time.time()))
    write(log, b"unfinished")
    tail.step()
    tail.stop()
    replace_content(log, joined(OLD))
    rename(log, rotated(log))
    for newer, lines in ((other, LATE), (log, NEW)):  # each takes the only descriptor
        write(newer, joined(lines))
        tail.start()
        tail.clock.advance(9)
        tail.step()
        tail.stop()
    tail.start()
    for _ in range(3):
        tail.settle()

    assert sorted(tail.lines) == sorted(OLD + LATE + NEW)


def test_a_copy_that_waits_for_a_descriptor_is_not_met_before_its_original_after_a_crash(log: Path) -> None:
    tail = Follower(log.with_name("*"), max_open_files=1)
    for path, lines in ((log, OLD), (log.with_name("other.txt"), LATE)):
        write(path, joined(lines))
        tail.step()
    tail.crash()
    copy(log, log.with_name("copy.txt"))
    tail.step()
    tail.crash()
    for _ in range(4):
        tail.settle()

    assert sorted(tail.lines) == sorted(OLD + LATE)
