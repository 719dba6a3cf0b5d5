"""Every rotation here goes through ``rename`` of ``tests.support_files``, which fails when nothing was renamed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from monitor.core.clock import ManualClock
from monitor.core.protocols import SourceContext
from monitor.sources import file_tail
from monitor.sources._patterns import excluded, parse, parse_exclusion
from monitor.sources._siblings import is_rotated_name
from tests.support_files import (
    Broken,
    Follower,
    RecordedEvents,
    joined,
    make_older,
    numbered,
    recreate,
    rename,
    replace_content,
    rotated,
    truncate,
    write,
)

REPOSITORY = Path(__file__).resolve().parents[2]

OLD, NEW, LATE = numbered(0, 20, "old"), numbered(100, 20, "new"), numbered(200, 5, "late")


# -- reading and resuming --------------------------------------------------------------------------------------


def test_lines_are_read_as_they_are_written(log: Path) -> None:
    tail = Follower(log)
    tail.step()
    assert tail.lines == []

    write(log, joined(OLD))
    tail.step()
    write(log, joined(NEW))
    tail.read(scan=False)
    tail.commit()

    assert tail.lines == [*OLD, *NEW]


def test_a_restart_goes_on_behind_the_last_commit(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    write(log, joined(NEW))

    tail.crash()
    tail.step()

    assert tail.lines == [*OLD, *NEW]
    assert not tail.events.resets


def test_what_was_read_and_not_committed_is_read_again(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.read()

    tail.crash()
    tail.step()

    assert tail.lines == OLD


def test_a_partial_line_waits_for_its_end_through_restarts(log: Path) -> None:
    tail = Follower(log)
    record = bytes(range(48, 122)) * 2 + b"a record of two hundred bytes, and never a delimiter"
    assert len(record) == 200
    for place in range(len(record)):
        write(log, record[place : place + 1])
        tail.step()
        assert tail.lines == []
        tail.crash()

    write(log, b"\n")
    tail.step()

    assert tail.lines == [record]


def test_a_resumed_place_needs_only_the_bytes_that_were_known(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    for line in NEW:  # after each start only one short record has been seen
        tail.crash()
        write(log, line + b"\n")
        tail.step()

    assert tail.lines == [*OLD, *NEW]
    assert not tail.events.resets


def test_a_budget_of_nothing_still_finds_and_holds_files(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)

    assert tail.source.read(0) == []
    rename(log, rotated(log))
    rotated(log).unlink()
    tail.step()

    assert tail.lines == OLD


@pytest.mark.parametrize("budget", [1, 7])
def test_no_more_than_the_budget_is_read(log: Path, budget: int) -> None:
    write(log, joined(OLD))
    tail = Follower(log)

    chunks = tail.source.read(budget)

    assert sum(len(chunk.data) for chunk in chunks) == budget


def test_a_file_with_much_to_read_does_not_starve_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a.log", b"a" * 100_000)
    write(tmp_path / "b.log", b"b" * 10)
    tail = Follower(tmp_path / "*.log", read_bytes=1000)

    chunks = tail.source.read(2000)
    again = tail.source.read(2000)

    assert {Path(chunk.origin.path).name for chunk in chunks} == {"a.log", "b.log"}
    assert again
    assert all(len(chunk.data) <= 1000 for chunk in chunks + again)


def test_reading_turns_between_files_that_are_all_behind(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / name, b"x" * 10_000)
    tail = Follower(tmp_path / "*", read_bytes=1000)

    seen = [Path(tail.source.read(1000)[0].origin.path).name for _ in range(9)]

    assert sorted(seen) == list("aaabbbccc")


# -- where to start --------------------------------------------------------------------------------------------


def test_starting_at_the_end_skips_what_is_there_but_not_an_unfinished_line(log: Path) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(log, start_at="end")
    tail.step()

    write(log, b" no more\n" + joined(NEW))
    tail.step()

    assert tail.lines == [b"unfinished no more", *NEW]


@pytest.mark.parametrize("content", [b"", b"one line without an end"])
def test_starting_at_the_end_of_a_file_without_a_line_reads_all_of_it(log: Path, content: bytes) -> None:
    write(log, content)
    tail = Follower(log, start_at="end")
    tail.step()

    write(log, b" x\n")
    tail.step()

    assert tail.lines == [content + b" x"]


def test_the_end_that_was_started_at_is_remembered_though_nothing_was_read(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, start_at="end")
    tail.step()
    tail.stop()
    write(log, joined(NEW))

    tail.start()
    tail.step()

    assert tail.lines == NEW


def test_files_that_come_later_are_read_from_their_beginning(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    tail = Follower(tmp_path / "*.log", start_at="end")
    tail.step()

    write(tmp_path / "b.log", joined(NEW))
    tail.step()

    assert tail.lines == NEW


# -- rename and create -----------------------------------------------------------------------------------------


def rotate(log: Path, late: list[bytes]) -> None:
    """Rename, let the writer finish in the old file, and begin a new one."""
    rename(log, rotated(log))
    write(rotated(log), joined(late))
    write(log, joined(NEW))


def find_only(tail: Follower) -> None:
    assert tail.source.read(0) == []


def read_partly(tail: Follower) -> None:
    for chunk in tail.source.read(100):
        tail.framed.push(chunk)


PHASES: dict[str, Callable[[Follower], None]] = {
    "found": find_only,
    "partly read": read_partly,
    "read": Follower.read,
    "committed": Follower.step,
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_renamed_file_is_read_to_its_end(log: Path, phase: str) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    PHASES[phase](tail)

    rotate(log, LATE)
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]
    assert tail.events.rotations == [(str(log), "rename")]


def test_a_file_renamed_before_the_first_scan_is_not_ours(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)

    rotate(log, LATE)
    tail.settle()

    assert tail.lines == NEW


@pytest.mark.parametrize("phase", ["read", "committed"])
def test_a_file_renamed_while_down_is_read_to_its_end(log: Path, phase: str) -> None:
    write(log, joined(OLD[:5]))
    tail = Follower(log)
    tail.step()
    write(log, joined(OLD[5:]))
    PHASES[phase](tail)

    tail.stop()
    rotate(log, LATE)
    tail.start()
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]
    assert (str(log), "rename") in tail.events.rotations


def test_a_crash_after_the_rename_was_seen_loses_nothing(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    rotate(log, LATE)
    tail.read()

    tail.crash()
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]


def test_lines_written_long_after_the_rename_are_read_while_the_writer_keeps_writing(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    rotate(log, [])
    for line in LATE:
        write(rotated(log), line + b"\n")
        tail.step()
        tail.clock.advance(tail.config.rotate_grace_seconds / 2)

    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, *LATE])


def test_an_unfinished_last_line_counts_only_after_the_grace_time(log: Path) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(log, rotate_grace_seconds=5)
    tail.step()
    rename(log, rotated(log))
    tail.step()
    tail.clock.advance(3)
    tail.step()
    assert tail.lines == OLD

    tail.settle()

    assert tail.lines == [*OLD, b"unfinished"]


def test_the_grace_time_begins_anew_with_every_write(log: Path) -> None:
    write(log, joined(OLD) + b"un")
    tail = Follower(log, rotate_grace_seconds=5)
    tail.step()
    rename(log, rotated(log))
    for part in (b"fi", b"n", b"is", b"hed"):
        tail.clock.advance(3)
        write(rotated(log), part)
        tail.step()

    tail.settle()

    assert tail.lines == [*OLD, b"unfinished"]


def test_a_write_between_the_end_of_a_file_and_its_last_commit_is_read(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.read()
    rename(log, rotated(log))
    tail.read()
    with rotated(log).open("ab", buffering=0) as writer:
        rotated(log).unlink()
        tail.clock.advance(60)
        tail.read()  # at its end, but not yet committed

        writer.write(joined(LATE))
        tail.commit()
        tail.settle()

    assert tail.lines == [*OLD, *LATE]


def test_an_unfinished_line_is_not_taken_while_there_is_no_room_to_read_its_rest(log: Path) -> None:
    write(log, joined(OLD) + b"unfin")
    tail = Follower(log)
    tail.step()
    rename(log, rotated(log))
    tail.step()
    write(rotated(log), b"ished\n")
    tail.clock.advance(60)

    assert tail.source.read(0) == []
    tail.settle()

    assert tail.lines == [*OLD, b"unfinished"]


def test_a_finished_file_is_closed_only_when_all_of_it_is_committed(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.read()
    rename(log, rotated(log))
    for _ in range(5):
        tail.clock.advance(10)
        tail.read()
    assert tail.events.opened == 1

    tail.commit()
    tail.read()
    tail.read()

    assert tail.events.opened == 0


def test_a_finished_file_is_not_read_again_after_a_restart(log: Path) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(log)
    tail.step()
    rename(log, rotated(log))
    tail.settle()
    assert tail.lines == [*OLD, b"unfinished"]

    tail.crash()
    tail.settle()

    assert tail.lines == [*OLD, b"unfinished"]
    assert not tail.events.resets


def test_a_late_write_to_a_finished_file_that_matches_goes_on_in_a_new_epoch(log: Path) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(f"{log}*")
    tail.step()
    rename(log, rotated(log))
    tail.settle()
    assert tail.events.opened == 0

    write(rotated(log), b" but\n" + joined(LATE))
    tail.settle()
    tail.crash()
    tail.settle()

    assert tail.lines == [*OLD, b"unfinished", b" but", *LATE]


@pytest.mark.parametrize("name", ["access.log.1", "set.aside"])
def test_a_late_write_to_a_finished_file_that_does_not_match_is_read_too(log: Path, name: str) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(log)
    tail.step()
    rename(log, log.with_name(name))
    write(log, joined(NEW))
    tail.settle()
    assert tail.events.opened == 1

    write(log.with_name(name), b" but\n" + joined(LATE))
    tail.clock.advance(10)
    tail.settle()
    tail.crash()
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *NEW, b" but", *LATE])
    assert tail.events.opened == 1


def test_a_file_that_is_only_touched_after_its_end_is_not_read_again(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*")
    tail.step()
    rename(log, rotated(log))
    tail.settle()

    os.utime(rotated(log))
    tail.settle()

    assert tail.lines == OLD
    assert (tail.events.opened, tail.events.tracked) == (0, 1)


def test_a_file_renamed_and_back_is_live_again(log: Path) -> None:
    write(log, joined(OLD) + b"unfin")
    tail = Follower(log)
    tail.step()
    rename(log, rotated(log))
    tail.step()
    rename(rotated(log), log)
    tail.settle()
    assert tail.lines == OLD

    write(log, b"ished\n")
    tail.step()

    assert tail.lines == [*OLD, b"unfinished"]


def test_a_finished_file_that_comes_back_is_not_read_twice(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    rename(log, rotated(log))
    tail.settle()

    rename(rotated(log), log)
    write(log, joined(NEW))
    tail.step()

    assert tail.lines == [*OLD, *NEW]


def test_two_files_that_swap_names_are_read_once_each(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a.log", "b.log", "c.tmp"))
    write(a, joined(OLD))
    write(b, joined(NEW))
    tail = Follower(tmp_path / "*.log")
    tail.step()

    rename(a, c)
    rename(b, a)
    rename(c, b)
    write(a, b"to a\n")
    write(b, b"to b\n")
    tail.settle()
    tail.crash()
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, b"to a", b"to b"])


def test_old_lines_come_before_new_ones_of_the_same_log(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, read_bytes=64)
    tail.read()
    write(log, joined(LATE))
    rename(log, rotated(log))
    write(log, joined(NEW))

    tail.step()

    assert tail.lines == [*OLD, *LATE, *NEW]


# -- chains ----------------------------------------------------------------------------------------------------


def shift(log: Path, count: int) -> None:
    """What logrotate does: .2 becomes .3, .1 becomes .2, the log becomes .1."""
    for number in range(count, 0, -1):
        if rotated(log, number).exists():
            rename(rotated(log, number), rotated(log, number + 1))
    rename(log, rotated(log))


@pytest.mark.parametrize("include", ["{}", "{}*"])
@pytest.mark.parametrize("down", [True, False])
def test_files_created_and_rotated_unseen_are_read_in_order(log: Path, include: str, down: bool) -> None:
    write(rotated(log, 1), b"older than the program\n")
    make_older(rotated(log, 1), 3600)
    write(log, joined(OLD))
    tail = Follower(include.format(log))
    tail.step()
    if down:
        tail.stop()
    write(log, joined(LATE))
    generations = [numbered(1000 * n, 10, "gen") for n in range(1, 4)]
    for lines in generations:
        shift(log, 9)
        write(log, joined(lines))
    if down:
        tail.start()

    tail.settle()
    tail.crash()
    tail.settle()

    expected = [*OLD, *LATE, *generations[0], *generations[1], *generations[2]]
    assert [line for line in tail.lines if not line.startswith(b"older")] == expected
    assert tail.lines.count(b"older than the program") == (include == "{}*")


def test_a_known_file_is_found_three_names_further_after_several_downtimes(log: Path) -> None:
    tail = Follower(log)
    tail.step()
    expected: list[bytes] = []
    for number in range(6):
        lines = numbered(1000 * number, 10)
        write(log, joined(lines[:5]))
        tail.step()
        tail.stop()
        write(log, joined(lines[5:]))
        shift(log, 9)
        tail.start()
        tail.step()
        expected += lines

    tail.settle()

    assert tail.lines == expected


def test_other_logs_and_backups_beside_a_rotated_one_are_left_alone(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, exclude=["*.9"])
    tail.step()
    tail.stop()
    shift(log, 1)
    write(log, joined(NEW))
    for name in ("access.log.debug", "access.log-errors", "access.log.1.gz", "access.log.9", "access.logs"):
        write(log.with_name(name), b"not ours\n")
    shutil.copy(rotated(log), rotated(log, 7))  # a backup somebody made
    os.mkfifo(rotated(log, 8))
    tail.start()

    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_an_empty_file_that_was_seen_is_not_missed_when_it_is_rotated_while_down(log: Path) -> None:
    write(log, b"")
    tail = Follower(log)
    tail.step()
    tail.stop()
    write(log, joined(OLD))
    shift(log, 1)
    write(log, joined(NEW))

    tail.start()
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_a_log_that_is_no_longer_configured_is_not_followed_when_it_is_rotated(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    write(tmp_path / "b.log", joined(NEW))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    tail.stop()
    write(tmp_path / "b.log", b"not ours any more\n")
    rename(tmp_path / "b.log", tmp_path / "b.log.1")

    tail.config = file_tail.Config(include=[str(tmp_path / "a.log")], watch="poll")
    tail.start()
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


# -- truncation and replacement --------------------------------------------------------------------------------


def test_a_truncated_file_is_read_from_its_start(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()

    truncate(log)
    write(log, joined(LATE))
    tail.step()
    tail.crash()
    tail.step()

    assert tail.lines == [*OLD, *LATE]
    assert tail.events.rotations == [(str(log), "truncate")]
    assert not tail.events.abandoned


def test_what_was_left_of_a_line_at_truncation_is_dropped_and_counted(log: Path) -> None:
    write(log, joined(OLD) + b"partial")
    tail = Follower(log)
    tail.step()

    truncate(log)
    write(log, joined(LATE))
    tail.step()

    assert tail.lines == [*OLD, *LATE]
    assert tail.events.abandoned == [(str(log), len("partial"), "truncated")]


HEADER = b"#" * 1024 + b"\n"


@pytest.mark.parametrize("header", [b"", HEADER], ids=["unique", "shared header"])
@pytest.mark.parametrize("extra", [0, 1, 500])
@pytest.mark.parametrize("down", [False, True])
def test_a_file_truncated_and_refilled_past_the_offset_is_found(
    log: Path, header: bytes, extra: int, down: bool
) -> None:
    old, new = numbered(0, 50, "old"), numbered(0, 50 + extra, "new")
    write(log, header + joined(old))
    tail = Follower(log)
    tail.step()
    if down:
        tail.stop()
    replace_content(log, header + joined(new))
    os.utime(log, ns=(1, 1))  # no matter when
    if down:
        tail.start()

    tail.step()

    assert [line for line in tail.lines if line[:1] != b"#"] == [*old, *new]
    assert tail.events.resets == ([(str(log), "marker" if header else "head")] if down else [])


def test_a_file_cut_short_while_down_is_said_to_have_shrunk(log: Path) -> None:
    write(log, HEADER + joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    os.truncate(log, len(HEADER) + 30)

    tail.start()
    tail.step()

    assert tail.events.resets == [(str(log), "shrunk")]


def test_two_hundred_refills_are_all_found(log: Path) -> None:
    write(log, HEADER + joined(numbered(0, 5)))
    tail = Follower(log)
    tail.step()
    for number in range(1, 200):
        lines = numbered(1000 * number, 5 + number % 7)
        replace_content(log, HEADER + joined(lines))
        tail.step()
        assert tail.lines[-len(lines) :] == lines
        if number % 3 == 0:
            tail.crash()


def test_the_hole_that_a_stale_writer_leaves_is_stepped_over_and_counted(log: Path) -> None:
    with log.open("wb", buffering=0) as writer:
        writer.write(joined(OLD) * 1000)
        tail = Follower(log)
        tail.step()
        truncate(log)
        tail.step()
        hole = writer.tell()
        writer.write(joined(NEW))
        tail.step()
        tail.crash()
        writer.write(joined(LATE))
        tail.step()

    assert tail.lines == [*OLD * 1000, *NEW, *LATE]
    assert sum(count for _, count, reason in tail.events.abandoned if reason == "hole") == hole


def test_zeros_in_a_file_that_was_not_truncated_are_content(log: Path) -> None:
    write(log, b"\0\0\0\n")
    tail = Follower(log)

    tail.step()

    assert tail.lines == [b"\0\0\0"]


def test_a_copytruncate_while_down_is_neither_lost_nor_read_twice(log: Path) -> None:
    for include in (str(log), f"{log}*"):
        for leftover in log.parent.iterdir():
            leftover.unlink()
        write(log, joined(OLD))
        tail = Follower(include)
        tail.step()
        tail.stop()
        write(log, joined(LATE))
        shutil.copyfile(log, rotated(log))
        truncate(log)
        write(log, joined(NEW))

        tail.start()
        tail.settle()
        tail.crash()
        tail.settle()

        assert tail.lines == [*OLD, *LATE, *NEW]


def test_a_file_moved_to_another_place_that_matches_goes_on_there(tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "a.log", tmp_path / "new" / "a.log"
    old.parent.mkdir()
    new.parent.mkdir()
    write(old, joined(OLD))
    tail = Follower(tmp_path / "*" / "a.log")
    tail.step()
    tail.stop()
    shutil.copyfile(old, new)  # as to another file system
    old.unlink()
    write(new, joined(NEW))

    tail.start()
    tail.step()

    assert tail.lines == [*OLD, *NEW]


def test_a_copy_does_not_take_the_place_of_a_file_that_cannot_be_read_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tmp_path / "a.log"
    write(original, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    tail.stop()
    shutil.copyfile(original, tmp_path / "copy.log")
    broken = Broken(monkeypatch, "open", 13, lambda target: target == str(original))
    tail.start()
    tail.step()
    broken.mend()
    write(original, joined(NEW))
    tail.clock.advance(30)
    tail.step()

    assert tail.lines == [*OLD, *OLD, *NEW]  # the copy is a file of its own
    assert not tail.events.rotations


@pytest.mark.parametrize("down", [True, False])
def test_a_file_deleted_and_made_again_is_read_from_its_start(log: Path, down: bool) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    expected = list(OLD)
    reused = 0
    for number in range(1, 40):
        lines = numbered(1000 * number, 20 + number)
        inode = log.stat().st_ino
        if down:
            tail.stop()
        recreate(log, joined(lines))
        reused += log.stat().st_ino == inode
        if down:
            tail.start()
        tail.step()
        expected += lines

    assert tail.lines == expected
    if not down:
        assert tail.events.rotations[0] == (str(log), "recreate")
    elif not reused:
        pytest.skip("this file system did not use an inode again")


def test_a_new_file_with_the_inode_of_a_finished_one_is_read(tmp_path: Path) -> None:
    tail = Follower(tmp_path / "*.log")
    expected: list[bytes] = []
    for number in range(30):
        lines = numbered(1000 * number, 20)
        path = tmp_path / f"{number}.log"
        write(path, joined(lines))
        tail.settle()
        path.unlink()
        tail.settle()
        expected += lines

    assert tail.lines == expected
    assert tail.events.tracked == 0


# -- names -----------------------------------------------------------------------------------------------------


def test_hard_links_symbolic_links_and_overlapping_globs_are_read_once(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    (tmp_path / "b.log").hardlink_to(tmp_path / "a.log")
    (tmp_path / "c.log").symlink_to(tmp_path / "a.log")
    tail = Follower(tmp_path / "*.log", tmp_path / "a.*", tmp_path / "**")

    tail.step()
    (tmp_path / "a.log").unlink()
    write(tmp_path / "b.log", joined(NEW))
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_a_symbolic_link_that_is_turned_to_another_file(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    link = tmp_path / "current.log"
    write(tmp_path / "1" / "x", joined(OLD))
    link.symlink_to(tmp_path / "1" / "x")
    tail = Follower(link)
    tail.step()

    write(tmp_path / "2" / "x", joined(NEW))
    (tmp_path / "swap").symlink_to(tmp_path / "2" / "x")
    (tmp_path / "swap").replace(link)
    write(tmp_path / "1" / "x", joined(LATE))
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *LATE, *NEW])
    assert tail.events.rotations == [(str(link), "symlink")]


def test_a_directory_swapped_by_a_link_as_in_a_mounted_volume(tmp_path: Path) -> None:
    for generation in ("..1", "..2"):
        (tmp_path / generation).mkdir()
    write(tmp_path / "..1" / "app.log", joined(OLD))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "app.log").symlink_to("..data/app.log")
    tail = Follower(tmp_path / "*.log")
    tail.step()

    write(tmp_path / "..2" / "app.log", joined(NEW))
    (tmp_path / "..swap").symlink_to("..2")
    (tmp_path / "..swap").replace(tmp_path / "..data")
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_globs_find_files_at_any_depth_but_not_through_links(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for place in (tmp_path / "x.log", tmp_path / "a" / "x.log", deep / "x.log", deep / "x.txt", deep / ".hidden.log"):
        write(place, f"{place.relative_to(tmp_path)}\n")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    tail = Follower(tmp_path / "**" / "*.log", exclude=[str(tmp_path / "a" / "x.*")])

    tail.step()

    assert sorted(tail.lines) == [b"a/b/x.log", b"x.log"]


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("/v/*.log", "/v/a.log", True),
        ("/v/*.log", "/v/w/a.log", False),
        ("/v/**", "/v/w/x/a.log", True),
        ("/v/**/a.log", "/v/a.log", True),
        ("/v/**/w/*.log", "/v/1/2/w/a.log", True),
        ("/v/**/w/*.log", "/v/1/2/a.log", False),
        ("/v/[ab].log", "/v/a.log", True),
        ("/v/a.log", "/v/a.log", True),
        ("/v/*", "/v/.a", False),
        ("/v/.*", "/v/.a", True),
        ("/*", "/a", True),
        ("/v/a", "/v/ab", False),
    ],
)
def test_what_a_glob_fits(glob: str, path: str, fits: bool) -> None:
    assert parse(glob).matches(path) is fits


def test_an_exclusion_without_a_slash_is_for_the_name_alone() -> None:
    exclusions = (parse_exclusion("*.gz"), parse_exclusion("/v/**/tmp/*"))

    assert excluded("/any/where/a.gz", exclusions)
    assert excluded("/v/x/tmp/a.log", exclusions)
    assert not excluded("/any/tmp/a.log", exclusions)


@pytest.mark.parametrize("ending", [".1", ".12", "-20240131", ".2024-01-31", "-20240131-1706700000", ".old", ".1.2"])
def test_names_that_rotation_makes(ending: str) -> None:
    assert is_rotated_name(f"/v/a.log{ending}", "/v/a.log")


@pytest.mark.parametrize("ending", ["", ".debug", "-errors", "1", ".1.gz", ".v2", ".", "x.1"])
def test_names_that_are_other_logs(ending: str) -> None:
    assert not is_rotated_name(f"/v/a.log{ending}", "/v/a.log")


def test_names_that_are_not_unicode_are_followed(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.log"))
    write(path, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    rename(path, path.with_name(path.name + ".1"))

    tail.crash()
    write(path, joined(NEW))
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


# -- things that go wrong --------------------------------------------------------------------------------------


def test_what_is_not_a_plain_file_is_left_alone_and_said_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    write(tmp_path / "packed.gz", b"\x1f\x8b")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    write(tmp_path / "a.log", joined(OLD))
    tail = Follower(tmp_path / "*")

    tail.settle()

    assert tail.lines == OLD
    said = sorted((Path(path).name, error.strerror) for path, error in tail.events.failures if "circle" not in path)
    assert said == [
        ("directory", "not a plain file, so it is not read"),
        ("fifo", "not a plain file, so it is not read"),
        ("packed.gz", "compressed, so it is not read"),
        ("socket", "not a plain file, so it is not read"),
    ]


def test_a_file_that_goes_between_the_scan_and_the_open_is_no_failure(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    real_open = os.open

    def open_after_removal(path: str, *arguments: int) -> int:
        log.unlink()
        monkeypatch.undo()
        return real_open(path, *arguments)

    monkeypatch.setattr(os, "open", open_after_removal)
    tail.step()
    write(log, joined(NEW))
    tail.step()

    assert tail.lines == NEW
    assert not tail.events.failures


def test_permission_lost_and_regained_while_open_changes_nothing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    broken = Broken(monkeypatch, "stat", 13, lambda target: target == str(log))

    write(log, joined(NEW) + b"unfin")
    tail.settle()
    assert tail.lines == [*OLD, *NEW]
    broken.mend()
    write(log, b"ished\n")
    tail.settle()

    assert tail.lines == [*OLD, *NEW, b"unfinished"]
    assert not tail.events.rotations
    assert {error.errno for _, error in tail.events.failures} == {13}


@pytest.mark.parametrize("number", [5, 13, 23, 24, 116], ids=["EIO", "EACCES", "ENFILE", "EMFILE", "ESTALE"])
def test_a_file_that_cannot_be_opened_is_tried_less_and_less_often_and_then_resumed(
    log: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    write(log, joined(NEW))
    broken = Broken(monkeypatch, "open", number, lambda target: target == str(log))
    tail.start()

    for _ in range(120):
        tail.step()
    assert 6 < broken.calls < 16
    assert len(tail.events.failures) == broken.calls - 1  # and one look for what may be forgotten
    broken.mend()
    tail.clock.advance(30)
    tail.step()

    assert tail.lines == [*OLD, *NEW]
    assert not tail.events.resets


@pytest.mark.parametrize("number", [5, 116], ids=["EIO", "ESTALE"])
def test_a_file_that_cannot_be_read_for_a_while_does_not_stop_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(tmp_path / "a.log", joined(OLD))
    write(tmp_path / "b.log", joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    inode = (tmp_path / "a.log").stat().st_ino
    write(tmp_path / "a.log", joined(NEW))
    write(tmp_path / "b.log", joined(LATE))
    broken = Broken(monkeypatch, "pread", number, lambda fd: os.fstat(int(str(fd))).st_ino == inode)

    for _ in range(120):
        tail.step()
    assert tail.lines == [*OLD, *OLD, *LATE]
    assert 6 < len(tail.events.failures) < 16
    assert tail.events.behind_bytes == len(joined(NEW))
    assert tail.events.oldest_seconds > 100
    broken.mend()
    tail.clock.advance(30)
    tail.step()

    assert tail.lines == [*OLD, *OLD, *LATE, *NEW]


def test_a_directory_that_cannot_be_listed_takes_nothing_away(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, joined(OLD))
    tail = Follower(log.parent / "*.log")
    tail.step()
    tail.stop()
    write(log, joined(NEW))
    shift(log, 1)
    write(log, joined(LATE))
    broken = Broken(monkeypatch, "scandir", 13, lambda target: target == str(log.parent))
    tail.start()

    tail.settle()
    assert tail.lines == OLD
    broken.mend()
    tail.clock.advance(30)
    tail.settle()

    assert tail.lines == [*OLD, *NEW, *LATE]


WEEK_SECONDS = 7 * 86_400


def test_files_missed_by_complete_scans_for_a_week_are_told_once_so_that_they_can_be_forgotten(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c.log"):
        write(tmp_path / name, joined(numbered(0, 3, name)))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    tail.stop()
    (tmp_path / "a.log").unlink()
    rename(tmp_path / "b.log", tmp_path / "b.log.1")
    tail.start()
    tail.settle()
    tail.clock.advance(WEEK_SECONDS - 60)
    tail.step()
    assert tail.source.forgettable() == []

    tail.clock.advance(3600)
    tail.step()

    (gone,) = tail.source.forgettable()
    assert tail.states[gone].origin.path == str(tmp_path / "a.log")
    assert tail.source.forgettable() == []


def test_a_file_that_comes_back_within_a_week_is_not_forgotten(tmp_path: Path) -> None:
    log, away = tmp_path / "a.log", tmp_path / "away"
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    away.mkdir()
    rename(log, away / "a.log")
    tail.start()
    tail.settle()
    tail.clock.advance(WEEK_SECONDS - 60)
    rename(away / "a.log", log)
    tail.settle()
    tail.clock.advance(WEEK_SECONDS)
    tail.settle()

    assert tail.source.forgettable() == []
    assert tail.lines == OLD


def test_a_scan_that_could_not_look_everywhere_makes_nothing_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.log", joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    tail.stop()
    (tmp_path / "a.log").unlink()
    Broken(monkeypatch, "scandir", 13, lambda target: target == str(tmp_path))
    tail.start()

    for _ in range(3):
        tail.clock.advance(WEEK_SECONDS)
        tail.step()

    assert tail.source.forgettable() == []


def test_a_file_read_to_its_end_and_deleted_is_forgotten_after_a_week(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    log.unlink()
    tail.settle()
    tail.settle()
    (file_id,) = tail.states
    assert tail.source.forgettable() == []

    tail.clock.advance(WEEK_SECONDS)
    tail.step()

    assert tail.source.forgettable() == [file_id]


# -- many files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("once", [False, True])
def test_more_files_than_may_be_open_are_all_read(tmp_path: Path, once: bool) -> None:
    for number in range(60):
        write(tmp_path / f"{number}.log", joined(numbered(100 * number, 3)))
    tail = Follower(tmp_path / "*.log", max_open_files=7, once=once)

    for _ in range(30):
        tail.step()
    if not once:
        for number in range(60):
            write(tmp_path / f"{number}.log", joined(numbered(100 * number + 3, 3)))
        for _ in range(30):
            tail.step()
            assert tail.events.opened <= 7

    count = 3 if once else 6
    assert sorted(tail.lines) == sorted(line for number in range(60) for line in numbered(100 * number, count))
    assert tail.source.exhausted is once


def test_a_file_rotated_while_closed_for_lack_of_descriptors_is_read_to_its_end(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.log", joined(numbered(100 * number, 3)) + b"un")
    tail = Follower(tmp_path / "*.log", max_open_files=1)
    for _ in range(10):
        tail.step()

    for number in range(4):
        write(tmp_path / f"{number}.log", b"finished\n" + joined(numbered(100 * number + 3, 3)) + b"rest")
        rename(tmp_path / f"{number}.log", tmp_path / f"{number}.log.1")
    for _ in range(60):
        tail.step()

    assert tail.lines.count(b"unfinished") == tail.lines.count(b"rest") == 4
    assert len(set(tail.lines)) == 4 * 6 + 2


def test_missed_files_wait_for_a_descriptor(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, max_open_files=1)
    tail.step()
    expected = list(OLD)
    for number in range(1, 5):
        shift(log, number)
        lines = numbered(1000 * number, 5)
        write(log, joined(lines))
        expected += lines

    for _ in range(8):
        tail.settle()

    assert sorted(tail.lines) == sorted(expected)


def test_a_deleted_file_with_something_unread_is_not_closed_to_make_room(tmp_path: Path) -> None:
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    write(a, joined(OLD))
    tail = Follower(tmp_path / "*.log", max_open_files=1)
    tail.step()
    tail.step()
    write(a, joined(LATE))
    a.unlink()
    write(b, joined(NEW))

    for _ in range(3):
        tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]
    assert not tail.events.failures


def test_a_file_deleted_while_closed_for_lack_of_descriptors_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    write(tmp_path / "b.log", joined(NEW))
    tail = Follower(tmp_path / "*.log", max_open_files=1)
    for _ in range(5):
        tail.step()

    (tmp_path / "a.log").unlink()
    (tmp_path / "b.log").unlink()
    tail.step()

    (failure,) = tail.events.failures
    assert failure[1].strerror == "gone while closed"


LIMITED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
from tests.support_files import Follower
tail = Follower(Path(sys.argv[1]) / "*.log")
for _ in range(40):
    tail.step()
print(len(tail.lines), len(set(tail.lines)))
"""


def test_two_hundred_files_at_a_limit_of_one_hundred_descriptors(tmp_path: Path) -> None:
    for number in range(200):
        write(tmp_path / f"{number}.log", joined(numbered(100 * number, 2)))

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )

    assert done.stdout.split() == ["400", "400"]


# -- once ------------------------------------------------------------------------------------------------------


def test_once_reads_everything_there_is_unfinished_lines_too_and_ends(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD) + b"unfinished")
    write(tmp_path / "b.log", b"")
    tail = Follower(tmp_path / "*.log", once=True)
    before = tail.source.exhausted

    tail.step()

    assert (before, tail.source.exhausted) == (False, True)
    assert tail.lines == [*OLD, b"unfinished"]
    assert tail.source.read(1000) == []


def test_once_again_reads_only_what_is_new(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, once=True)
    tail.step()
    write(log, joined(NEW))

    tail.crash()
    tail.step()

    assert tail.lines == [*OLD, *NEW]


def test_once_without_any_file_is_exhausted_at_once(tmp_path: Path) -> None:
    tail = Follower(tmp_path / "none", once=True)

    tail.step()

    assert tail.source.exhausted


def test_once_ends_though_a_file_cannot_be_read_and_says_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.log", joined(OLD))
    write(tmp_path / "b.log", joined(NEW))
    tail = Follower(tmp_path / "*.log", once=True)
    tail.source.read(0)
    inode = (tmp_path / "a.log").stat().st_ino
    Broken(monkeypatch, "pread", 5, lambda fd: os.fstat(int(str(fd))).st_ino == inode)

    tail.step()

    assert tail.lines == NEW
    assert tail.source.exhausted
    assert [error.errno for _, error in tail.events.failures] == [5]


# -- the driver's side -----------------------------------------------------------------------------------------


def test_the_pause_is_short_while_files_are_busy_and_long_when_all_is_quiet(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    assert tail.source.pause == pytest.approx(0.020)

    tail.clock.advance(30)
    tail.step()
    assert tail.source.pause == pytest.approx(0.250)

    tail.clock.advance(0.9)
    assert tail.source.pause == pytest.approx(0.100)


def test_a_quiet_file_is_read_again_within_a_scan_at_the_latest(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.clock.advance(3600)
    tail.step()
    write(log, joined(NEW))

    tail.read()

    assert tail.framed.complete == NEW


def test_an_idle_file_is_looked_at_between_scans(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, scan_seconds=20)
    tail.step()
    tail.step()
    write(log, joined(NEW))

    tail.clock.advance(0.25)
    tail.read(scan=False)

    assert tail.framed.complete == NEW


def test_what_is_behind_is_told(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.read()
    assert tail.events.behind_bytes == len(joined(OLD))

    tail.commit()
    tail.read()

    assert tail.events.behind_bytes == 0
    assert (tail.events.opened, tail.events.tracked) == (1, 1)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_twice_is_allowed_and_leaves_no_descriptor(log: Path) -> None:
    write(log, joined(OLD))
    before = open_descriptors()
    tail = Follower(log)
    tail.step()

    tail.source.close()
    tail.source.close()

    assert open_descriptors() == before


def test_a_wall_clock_that_jumps_changes_nothing(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    for jump in (86_400, -200_000, 3_600):
        tail.clock.jump(jump)
        shift(log, 9)
        write(log, joined(NEW))
        tail.settle()
        tail.crash()

    tail.settle()

    assert tail.lines == [*OLD, *NEW * 3]


def watched(log: Path, wake: threading.Event) -> tuple[file_tail.FileTail, ManualClock, RecordedEvents]:
    clock, events = ManualClock(), RecordedEvents()
    config = file_tail.Config(include=[str(log)], scan_seconds=3600)
    return file_tail.build(config, SourceContext("web", [], clock, events, wake.set)), clock, events


def test_a_watch_wakes_the_reader_long_before_the_next_scan(log: Path) -> None:
    wake = threading.Event()
    source, clock, _ = watched(log, wake)
    source.read(1000)
    wake.clear()

    write(log, joined(OLD))
    assert wake.wait(30)
    clock.advance(0.05)
    chunks = source.read(1 << 20)
    source.close()

    assert b"".join(chunk.data for chunk in chunks) == joined(OLD)


def test_without_watches_everything_is_polled(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources._watch.Watch.follow", no_watches)
    source, clock, events = watched(log, threading.Event())
    source.read(1000)

    write(log, joined(OLD))
    clock.advance(3600)
    chunks = source.read(1 << 20)
    source.close()

    assert b"".join(chunk.data for chunk in chunks) == joined(OLD)
    assert [error.strerror for _, error in events.failures] == ["inotify watch limit reached"]


def no_watches(*_: object) -> None:
    raise OSError(28, "inotify watch limit reached")


# -- configuration ---------------------------------------------------------------------------------------------


def test_at_least_one_file_must_be_named() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        file_tail.Config(include=[])


def test_a_rename_that_does_nothing_cannot_pass_for_a_rotation(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, joined(OLD))
    monkeypatch.setattr(os, "rename", lambda *_: None)

    with pytest.raises(AssertionError):
        rename(log, rotated(log))
    with pytest.raises(AssertionError):
        rename(log, log)
