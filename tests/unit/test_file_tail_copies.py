"""Copies of a log, as ``copytruncate``, ``cp``, editors and rsync make them: each line is read once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support_files import (
    Follower,
    copy,
    copytruncate,
    followed,
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

OLD, NEW, LATE = numbered(0, 20, "old"), numbered(100, 20, "new"), numbered(200, 5, "late")
HEADER = b"#" * 10_240 + b"\n"

INCLUDES = ["{}", "{}*"]
"""Whether the copies match, too."""


# -- copytruncate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("seen", [True, False])
def test_what_was_unread_at_a_copytruncate_is_read_in_the_copy(log: Path, include: str, seen: bool) -> None:
    write(log, joined(OLD) + b"unfin")
    tail = Follower(include.format(log))
    tail.step()
    write(log, b"ished\n" + joined(LATE) + b"rest")

    copy(log, rotated(log))
    if seen:
        tail.source.read(0)
    truncate(log)
    write(log, joined(NEW))
    tail.settle()

    assert tail.lines == [*OLD, b"unfinished", *LATE, *NEW, b"rest"]
    assert tail.events.rotations == [(str(log), "copytruncate")]
    assert tail.events.adoptions == [str(log)]
    assert not tail.events.abandoned


@pytest.mark.parametrize("include", INCLUDES)
def test_a_crash_right_after_a_copytruncate_loses_and_repeats_nothing(log: Path, include: str) -> None:
    for committed_first in range(4):
        for leftover in log.parent.iterdir():
            leftover.unlink()
        write(log, joined(OLD))
        tail = Follower(include.format(log))
        tail.step()
        write(log, joined(LATE))
        copytruncate(log, rotated(log))
        write(log, joined(NEW))

        tail.clock.advance(1)
        for _ in range(committed_first):  # a part of what there is
            for chunk in tail.source.read(100):
                tail.framed.push(chunk)
            tail.commit()
        tail.crash()
        tail.settle()

        assert sorted(tail.lines) == sorted([*OLD, *LATE, *NEW])


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("looked", [True, False])
def test_lines_read_between_the_copy_and_the_truncation_make_the_copy_no_new_file(
    log: Path, include: str, looked: bool
) -> None:
    tail = followed(log, OLD, LATE, include=include)

    copy(log, rotated(log))
    if looked:
        tail.source.read(0)
    write(log, joined(NEW))
    tail.read(scan=looked)
    tail.commit()
    truncate(log)
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_copy_that_ends_before_the_first_place_that_was_reached_is_read_once(
    log: Path, include: str, share: float
) -> None:
    lines = numbered(0, 1000)
    write(log, joined(lines[: round(1000 * share)]))
    tail = Follower(include.format(log))
    copied = log.read_bytes()
    write(log, joined(lines[round(1000 * share) :]))
    tail.step()

    rotated(log).write_bytes(copied)  # which took its maker so long
    truncate(log)
    write(log, joined(NEW))
    tail.settle()

    assert tail.lines == [*lines, *NEW]


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("when", ["crash", "down"])
@pytest.mark.parametrize("count", [1, 2, 20, 45, 70, 500, 900])
def test_a_copy_that_ends_before_the_first_commit_is_known_for_one_after_a_restart(
    log: Path, include: str, when: str, count: int
) -> None:
    lines = numbered(0, 1000)
    tail = followed(log, lines, include=include)

    if when == "crash":
        tail.crash()
        tail.step()
    else:
        tail.stop()
    rotated(log).write_bytes(joined(lines[:count]))
    truncate(log)
    write(log, joined(NEW))
    if when != "crash":
        tail.start()
    tail.settle()

    assert tail.lines == [*lines, *NEW]


@pytest.mark.parametrize("include", INCLUDES)
def test_a_copy_of_before_a_restart_is_known_for_one_when_its_original_is_truncated_after_it(
    log: Path, include: str
) -> None:
    lines = numbered(0, 300)
    tail = followed(log, lines[:100], lines[100:200], lines[200:], include=include)

    tail.crash()
    tail.step()
    rotated(log).write_bytes(joined(lines[:150]))
    truncate(log)
    write(log, joined(NEW))
    tail.settle()

    assert tail.lines == [*lines, *NEW]


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("down", [True, False])
def test_a_copy_of_all_that_was_read_is_known_for_one_though_more_was_seen(log: Path, include: str, down: bool) -> None:
    first, then, late = (joined(OLD[number : number + 1]) for number in range(3))
    write(log, first + then + late)
    tail = Follower(include.format(log))
    tail.clock.advance(1)
    for part in first, then:  # with the second comes the whole beginning of the file into view
        for chunk in tail.source.read(len(part)):
            tail.framed.push(chunk)
        tail.commit()

    if down:
        tail.stop()
    rotated(log).write_bytes(first + then)  # which took its maker so long
    truncate(log)
    write(log, joined(NEW))
    if down:
        tail.start()
    tail.settle()

    assert tail.lines == [*OLD[:2], *NEW]


@pytest.mark.parametrize("include", INCLUDES)
def test_one_hundred_copytruncates_repeat_nothing_and_lose_only_what_no_file_holds(log: Path, include: str) -> None:
    tail = Follower(include.format(log))
    tail.step()
    kept: list[bytes] = []
    destroyed: list[bytes] = []
    for number in range(100):
        lines, between = numbered(1000 * number, 10 + number % 5), numbered(1000 * number + 500, number % 3, "between")
        write(log, joined(lines[:5]))
        if number % 4:
            tail.step()
        write(log, joined(lines[5:]))
        for older in range(min(number, 9), 0, -1):
            rename(rotated(log, older), rotated(log, older + 1))
        copytruncate(log, rotated(log), joined(between))
        kept += lines
        destroyed += between
        if number % 7 == 0:
            tail.crash()
        tail.step()

    for _ in range(3):
        tail.settle()

    assert len(set(tail.lines)) == len(tail.lines)
    assert set(kept) <= set(tail.lines) <= {*kept, *destroyed}


@pytest.mark.parametrize("include", INCLUDES)
def test_one_hundred_copytruncates_while_down_lose_and_repeat_nothing(log: Path, include: str) -> None:
    tail = Follower(include.format(log))
    write(log, b"first\n")
    tail.step()
    expected: list[bytes] = [b"first"]
    for number in range(100):
        lines, late = numbered(1000 * number, 5 + number % 5), numbered(1000 * number + 500, number % 3, "late")
        write(log, joined(lines))
        tail.step()
        tail.stop()
        write(log, joined(late))
        rotated(log, 2).unlink(missing_ok=True)
        if number:
            rename(rotated(log), rotated(log, 2))
        copytruncate(log, rotated(log))
        tail.start()
        tail.step()
        expected += [*lines, *late]

    tail.settle()

    assert tail.lines == expected


def test_two_copytruncates_while_nothing_could_be_read(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*")
    tail.step()
    write(log, joined(LATE))
    expected = [*OLD, *LATE]
    for number in range(3):
        if number:
            rename(rotated(log), rotated(log, number + 1))
        copytruncate(log, rotated(log))
        lines = numbered(1000 * number, 10)
        write(log, joined(lines))
        expected += lines
        tail.clock.advance(1)
        assert tail.source.read(0) == []

    tail.settle()

    assert sorted(tail.lines) == sorted(expected)


def test_a_copy_that_is_behind_an_unread_backlog_is_not_passed_over(log: Path) -> None:
    write(log, joined(OLD) + joined(LATE))
    tail = Follower(f"{log}*")
    tail.step()
    write(log, joined(NEW))
    copy(log, rotated(log))
    for _ in range(10):  # seen for longer than any hold, but the original is not read as far
        tail.clock.advance(2)
        tail.source.read(0)

    truncate(log)
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]
    assert not tail.events.ignored


def test_a_copy_of_what_was_overwritten_before_anything_of_it_was_read_is_read(log: Path) -> None:
    tail = Follower(f"{log}*")
    tail.step()
    write(log, joined(LATE))
    tail.clock.advance(1)
    tail.source.read(0)
    copy(log, rotated(log))
    tail.clock.advance(1)
    tail.source.read(0)

    truncate(log)
    write(log, joined(NEW))  # longer than before, so that nothing shows that it is other content
    tail.settle()

    assert sorted(tail.lines) == sorted([*LATE, *NEW])


def test_an_original_of_which_only_an_unfinished_line_is_there_is_not_the_copy_after_a_crash(log: Path) -> None:
    write(log, b"unfin")
    tail = Follower(f"{log}*")
    tail.step()
    copy(log, rotated(log, 7))
    tail.settle()

    tail.crash()
    tail.settle()
    write(log, b"ished\n" + joined(NEW))
    tail.settle()

    assert [line for line in tail.lines if line != b"unfin"] == [b"unfinished", *NEW]


def test_a_backup_that_came_shortly_before_is_not_taken_for_the_copy_of_a_copytruncate(log: Path) -> None:
    tail = followed(log, OLD, include="{}*")
    copy(log, log.with_name("access.log.backup"))
    tail.step()
    write(log, joined(NEW))
    tail.step()
    write(log, joined(LATE))
    copytruncate(log, rotated(log))
    tail.settle()

    assert tail.lines == OLD + NEW + LATE
    assert tail.events.abandoned == []


def test_a_copy_is_not_judged_before_it_is_known_that_its_original_was_replaced(log: Path) -> None:
    tail = followed(log, OLD, include="{}*")
    truncate(log)
    write(log, joined(NEW[:3]))
    copy(log, rotated(log))
    tail.clock.advance(1)
    assert tail.source.read(0) == []
    write(log, joined(NEW[3:]))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + NEW


def test_a_log_truncated_while_closed_for_lack_of_descriptors_goes_on_in_its_copy(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*", max_open_files=1)
    tail.step()
    tail.step()
    write(log.with_name("access.log.x"), b"takes the only descriptor\n")
    tail.settle()
    write(log, joined(LATE))
    copytruncate(log, rotated(log))
    write(log, joined(NEW[:3]))

    for _ in range(10):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, b"takes the only descriptor", *LATE, *NEW[:3]])


def test_a_truncation_without_a_copy_counts_what_was_destroyed(log: Path) -> None:
    write(log, joined(OLD) + b"partial")
    tail = Follower(f"{log}*")
    write(rotated(log), joined(NEW))
    tail.step()

    truncate(log)
    tail.step()

    assert tail.events.abandoned == [(str(log), len("partial"), "truncated")]
    assert (str(log), "truncate") in tail.events.rotations


@pytest.mark.parametrize("header", [b"", HEADER[:1024] + b"\n"], ids=["unique", "shared header"])
def test_a_thousand_truncations_refilled_past_the_place_are_all_found(log: Path, header: bytes) -> None:
    write(log, header + joined(numbered(0, 5)))
    tail = Follower(log, scan_seconds=60)
    tail.step()
    for number in range(1, 1001):
        lines = numbered(1000 * number, 5 + number % 7)
        replace_content(log, header + joined(lines))
        tail.read(scan=False)
        tail.commit()
        assert tail.lines[-len(lines) :] == lines
    assert sum(kind == "truncate" for _, kind in tail.events.rotations) == 1000


# -- copies beside their original ------------------------------------------------------------------------------


def test_two_live_files_with_a_long_header_in_common_are_both_read_whole(tmp_path: Path) -> None:
    messages, syslog = tmp_path / "messages", tmp_path / "syslog"
    write(messages, HEADER + joined(OLD))
    tail = Follower(tmp_path / "*")
    tail.step()

    write(syslog, HEADER)
    tail.step()
    write(syslog, joined(NEW))
    tail.step()

    assert tail.lines == [HEADER[:-1], *OLD, HEADER[:-1], *NEW]
    assert not tail.events.ignored


def test_a_file_that_has_only_the_header_of_another_is_read_once_it_could_no_longer_be_a_copy(tmp_path: Path) -> None:
    write(tmp_path / "a.log", HEADER + joined(OLD))
    tail = Follower(tmp_path / "*", copy_hold_seconds=5)
    tail.step()
    write(tmp_path / "b.log", HEADER)
    tail.clock.advance(1)
    tail.step()
    assert tail.lines == [HEADER[:-1], *OLD]

    tail.clock.advance(5)
    tail.step()

    assert tail.lines == [HEADER[:-1], *OLD, HEADER[:-1]]


@pytest.mark.parametrize("down", [True, False])
def test_a_copy_of_a_live_file_is_passed_over_and_what_is_appended_to_it_is_read(tmp_path: Path, down: bool) -> None:
    original, made = tmp_path / "a.log", tmp_path / "copy.log"
    write(original, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()

    copy(original, made)
    if down:
        tail.crash()
    write(original, joined(LATE))
    tail.settle()
    assert tail.lines == [*OLD, *LATE]
    assert tail.events.ignored == [str(made)]

    write(made, joined(NEW))
    tail.crash()
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]


def test_a_copy_is_read_where_the_configuration_says_so(tmp_path: Path) -> None:
    original, made = tmp_path / "a.log", tmp_path / "copy.log"
    write(original, joined(OLD))
    tail = Follower(tmp_path / "*.log", duplicate_files="read")
    tail.step()

    copy(original, made)
    tail.settle()

    assert tail.lines == [*OLD, *OLD]
    assert not tail.events.ignored


def test_a_copy_being_made_is_not_begun_however_long_it_takes(tmp_path: Path) -> None:
    original, made = tmp_path / "a.log", tmp_path / "copy.log"
    write(original, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    content = original.read_bytes()
    for start in range(0, len(content), 50):
        write(made, content[start : start + 50])
        tail.clock.advance(2)
        tail.step()

    tail.settle()

    assert tail.lines == OLD
    assert tail.events.ignored == [str(made)]


def test_a_copy_goes_on_as_the_log_once_the_original_is_deleted(tmp_path: Path) -> None:
    original, made = tmp_path / "a.log", tmp_path / "moved.log"
    write(original, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()

    write(original, joined(LATE))
    copy(original, made)  # as `mv` to another file system does
    original.unlink()
    write(made, joined(NEW))
    tail.settle()

    assert tail.lines == [*OLD, *LATE, *NEW]


@pytest.mark.parametrize("more", [[], NEW], ids=["same content", "and more"])
@pytest.mark.parametrize("down", [True, False])
def test_a_file_replaced_by_a_copy_of_itself_goes_on(log: Path, more: list[bytes], down: bool) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    if down:
        tail.stop()
    temporary = log.with_name("temporary")
    copy(log, temporary)  # as an editor or rsync does
    write(temporary, joined(more))
    inode = temporary.stat().st_ino
    temporary.replace(log)
    assert log.stat().st_ino == inode
    if down:
        tail.start()

    tail.settle()
    write(log, joined(LATE))
    tail.settle()

    assert tail.lines == [*OLD, *more, *LATE]


def test_a_file_replaced_by_one_with_other_content_is_read_whole(log: Path) -> None:
    tail = followed(log, OLD)
    temporary = log.with_name("temporary")
    write(temporary, joined(NEW))
    inode = temporary.stat().st_ino
    temporary.replace(log)
    assert log.stat().st_ino == inode

    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_the_successor_of_a_renamed_log_may_begin_as_that_did(log: Path) -> None:
    write(log, b"started\n")
    tail = Follower(log)
    tail.step()

    rename(log, rotated(log))
    write(log, b"started\n")
    tail.step()

    assert tail.lines == [b"started", b"started"]


def test_a_large_copy_is_compared_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources._copies.COMPARED_BYTES", 100)
    write(tmp_path / "a.log", joined(OLD))
    tail = Follower(tmp_path / "*.log")
    tail.step()
    copy(tmp_path / "a.log", tmp_path / "b.log")
    copy(tmp_path / "a.log", tmp_path / "c.log")
    write(tmp_path / "c.log", joined(NEW))
    tail.clock.advance(1)
    tail.source.read(0)
    assert tail.source.pause == 0

    for _ in range(20):
        tail.step()

    assert sorted(tail.lines) == sorted([*OLD, *OLD, *NEW])  # c went on by itself: a file of its own
    assert tail.events.ignored == [str(tmp_path / "b.log")]


def test_a_copy_of_a_file_closed_for_lack_of_descriptors_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    tail = Follower(tmp_path / "*.log", max_open_files=1)
    tail.step()
    tail.step()
    copy(tmp_path / "a.log", tmp_path / "b.log")

    for _ in range(10):
        tail.step()

    assert tail.lines == OLD


@pytest.mark.parametrize("name", ["a.backup", "access.log.backup"])
@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("crashes", [True, False])
def test_a_copy_is_not_read_before_its_original_that_waits_for_a_descriptor(
    log: Path, name: str, limit: int, crashes: bool
) -> None:
    write(log, joined(OLD) + b"unfinished")
    tail = Follower(log.with_name("a*"), max_open_files=limit)
    tail.step()
    rename(log, rotated(log))  # which keeps its descriptor
    write(log, joined(NEW))
    tail.step()
    copy(log, log.with_name(name))
    tail.step()
    if crashes:
        tail.crash()

    write(log, joined(LATE))
    for _ in range(10):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *NEW, *LATE])


def test_a_copy_is_not_taken_for_its_renamed_original_that_waits_for_the_only_descriptor(log: Path) -> None:
    tail = followed(log, LATE, include=str(log.with_name("*.log")), max_open_files=1)
    rename(log, rotated(log, 2))
    write(log, joined(OLD) + b"unfinished")
    tail.settle()
    rename(log, rotated(log))
    write(log, joined(NEW))
    for _ in range(3):
        tail.settle()

    copy(rotated(log), log.with_name("backup.log"))
    tail.crash()
    for _ in range(20):
        tail.step()

    assert sorted(tail.lines) == sorted([*LATE, *OLD, b"unfinished", *NEW])


def test_a_log_rotated_while_it_waited_for_the_only_descriptor_is_remembered_once(log: Path) -> None:
    tail = followed(log, OLD, include="{}*", max_open_files=1)
    rename(log, rotated(log))  # which keeps its descriptor
    write(log, joined(NEW) + b"unfinished")
    tail.step()
    copy(log, log.with_name("access.log.backup"))
    tail.step()
    rename(rotated(log), rotated(log, 2))
    rename(log, rotated(log))
    while b"unfinished" not in tail.lines:
        tail.settle()
    places = [(state.origin.device, state.origin.inode) for state in tail.states.values()]
    assert len(set(places)) == len(places)

    tail.crash()  # now the backup must not be opened before its original
    for _ in range(10):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, b"unfinished"])


def test_a_backup_that_waits_for_the_only_descriptor_is_no_file_of_its_own_once_the_log_is_truncated(log: Path) -> None:
    tail = followed(log, OLD[:1], include="{}*", max_open_files=1)
    copy(log, log.with_name("access.log.backup"))

    tail.crash()
    write(log, joined(OLD[1:2]))
    tail.clock.advance(1)
    assert tail.source.read(0) == []  # the log has the descriptor, and its beginning was seen
    truncate(log)
    write(log, joined(NEW))
    for _ in range(5):
        tail.settle()

    assert tail.lines == [*OLD[:1], *NEW]


@pytest.mark.parametrize("include", INCLUDES)
@pytest.mark.parametrize("down", [True, False])
def test_a_copy_that_ends_exactly_where_an_earlier_commit_did_is_read_once(log: Path, include: str, down: bool) -> None:
    first, then = numbered(0, 1000, "first"), numbered(1000, 1000, "then")
    tail = followed(log, first, then, include=include)

    rotated(log).write_bytes(joined(first))
    if down:
        tail.stop()
    truncate(log)
    write(log, joined(NEW))
    if down:
        tail.start()
    tail.settle()
    tail.settle()

    assert tail.lines == [*first, *then, *NEW]


def test_files_that_are_alike_at_the_very_first_start_are_both_read(tmp_path: Path) -> None:
    write(tmp_path / "a.log", joined(OLD))
    copy(tmp_path / "a.log", tmp_path / "b.log")
    tail = Follower(tmp_path / "*.log")

    tail.step()

    assert tail.lines == [*OLD, *OLD]


def test_a_backup_with_an_old_time_stamp_is_known_for_a_copy(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*")
    tail.step()
    copy(log, rotated(log))
    make_older(rotated(log), 3600)

    tail.settle()

    assert tail.lines == OLD


# -- the actions themselves ------------------------------------------------------------------------------------

ACTIONS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "rename": ("rename", lambda log: rename(log, rotated(log))),
    "truncate": ("truncate", truncate),
    "refill": ("truncate", lambda log: replace_content(log, joined(OLD))),
    "copytruncate": ("truncate", lambda log: copytruncate(log, rotated(log))),
    "recreate": ("unlink", recreate),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_that_does_nothing_cannot_pass_for_a_rotation(
    log: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    write(log, joined(OLD))
    name, act = ACTIONS[action]
    monkeypatch.setattr(os, name, lambda *_: None)

    with pytest.raises(AssertionError):
        act(log)


def test_a_copy_that_does_nothing_cannot_pass_for_one(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, joined(OLD))
    monkeypatch.setattr("shutil.copyfile", lambda *_: None)

    with pytest.raises((AssertionError, FileNotFoundError)):
        copytruncate(log, rotated(log))
