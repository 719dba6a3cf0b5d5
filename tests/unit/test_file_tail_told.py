"""What a source tells of its files names the file and the right kind; what a mutation of the code got by with."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from monitor.core.clock import ManualClock
from monitor.core.protocols import SourceContext
from monitor.sources import stdin
from monitor.sources._opening import Opener
from monitor.sources._regular import NotRegularError, open_regular
from monitor.sources._retries import LONGEST_SECONDS, Retries
from monitor.sources._turns import Schedule
from tests.support_files import (
    Broken,
    Follower,
    RecordedEvents,
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

OLD, NEW, LATE = numbered(0, 200, "old"), numbered(1000, 20, "new"), numbered(2000, 5, "late")
HEADER = [b"#" * 10_240]


def test_a_file_that_cannot_be_read_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    write(log, joined(NEW))
    real, inode = os.pread, log.stat().st_ino

    def refuse(fd: int, count: int, offset: int) -> bytes:
        if os.fstat(fd).st_ino == inode:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, count, offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", refuse)
        tail.step()
    tail.clock.advance(1)
    tail.step()

    assert {(path, error.errno) for path, error in tail.events.failures} == {(str(log), errno.EIO)}
    assert tail.lines == [*OLD, *NEW]


def test_a_compressed_part_that_was_never_seen_is_told_as_a_rename(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    rename(log, rotated(log, 2))
    write(log, joined(NEW))
    rename(log, rotated(log, 1))
    compress(rotated(log, 1))
    write(log, joined(LATE))

    tail.start()
    for _ in range(3):
        tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, *LATE])
    assert set(tail.events.rotations) == {(str(log), "rename")}


def test_a_finished_file_that_comes_back_with_other_content_is_told(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*")
    tail.step()
    rename(log, rotated(log))
    write(log, joined(NEW))
    tail.settle()

    replace_content(rotated(log), joined(LATE))
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, *LATE])
    assert [reason for path, reason in tail.events.resets if path == str(rotated(log))] == ["shrunk"]


@pytest.mark.parametrize("include", ["{}", "{}*"])
def test_a_copy_that_ends_where_the_first_commit_was_is_known(log: Path, include: str) -> None:
    write(log, joined(OLD))
    tail = Follower(include.format(log))
    tail.step()

    copytruncate_after_reading(tail, log)
    write(log, joined(LATE))
    tail.settle()

    assert sorted(tail.lines) == sorted([*OLD, *NEW, *LATE])


def copytruncate_after_reading(tail: Follower, log: Path) -> None:
    """What is written after the copy was made is read in the log before it is emptied."""
    copy(log, rotated(log))
    write(log, joined(NEW))
    tail.source.read(0)
    tail.step()
    truncate(log)


def test_a_slow_copy_of_what_was_read_before_a_downtime_is_gone_on_with(log: Path) -> None:
    write(log, joined(HEADER + OLD))
    tail = Follower(f"{log}*")
    tail.step()
    tail.stop()
    write(log, joined(LATE))
    whole = log.read_bytes()
    copytruncate(log, rotated(log))
    write(log, joined(HEADER + NEW))
    os.truncate(rotated(log), len(joined(HEADER)) - 100)  # so far the copy has come: as the new log begins

    tail.start()
    tail.step()
    write(rotated(log), whole[rotated(log).stat().st_size :])
    tail.settle()
    tail.settle()

    assert sorted(tail.lines) == sorted([*HEADER, *OLD, *LATE, *HEADER, *NEW])
    assert tail.events.adoptions == [str(log)]


@pytest.mark.parametrize("gone", [False, True])
def test_what_a_rotated_file_has_unread_behind_a_stale_handle_is_told(
    log: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    tail = followed(log, OLD)
    inode, unread = log.stat().st_ino, len(joined(NEW))
    Broken(monkeypatch, "pread", errno.ESTALE, lambda fd: os.fstat(int(str(fd))).st_ino == inode)
    opening = Broken(monkeypatch, "open", errno.ESTALE, lambda target: target == str(rotated(log)))
    write(log, joined(NEW))
    rename(log, rotated(log))
    tail.step()
    tail.step()
    assert tail.events.behind_bytes == unread
    assert opening.calls

    if gone:
        rotated(log).unlink()
    tail.clock.advance(60)
    tail.step()

    assert tail.events.behind_bytes == (0 if gone else unread)
    assert tail.events.abandoned == ([(str(log), unread, "error")] if gone else [])


def test_a_late_write_to_a_file_that_cannot_be_opened_now_is_read_later(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    rename(log, rotated(log))
    write(log, joined(NEW))
    tail.settle()
    write(rotated(log), joined(LATE))
    real = os.open

    def refuse(path: str, *options: int) -> int:
        if path == str(rotated(log)):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        tail.step()
    for _ in range(60):
        tail.step()

    assert tail.lines == [*OLD, *NEW, *LATE]


def test_a_file_replaced_while_down_by_a_writer_that_went_on_where_it_was_has_its_hole_skipped(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    tail.stop()
    replace_content(log, b"\0" * 5_000 + joined(NEW))

    tail.start()
    tail.settle()

    assert tail.lines == [*OLD, *NEW]
    assert tail.events.abandoned == [(str(log), 5_000, "hole")]


@pytest.mark.parametrize("include", ["{}", "{}*"])
def test_a_copy_made_before_anything_new_was_read_after_a_restart_is_known(log: Path, include: str) -> None:
    write(log, joined(OLD))
    tail = Follower(include.format(log))
    tail.step()
    tail.crash()
    tail.step()

    copytruncate(log, rotated(log))
    write(log, joined(NEW))
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


def test_what_is_no_plain_file_is_refused_without_waiting_for_the_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(NotRegularError, match="not a plain file, so it is not read") as refused:
        open_regular(str(tmp_path / "pipe"))

    assert (refused.value.errno, refused.value.filename) == (errno.EINVAL, str(tmp_path / "pipe"))


def test_what_fails_is_tried_after_twice_the_time_up_to_the_longest() -> None:
    retries, now, waits = Retries(), 0.0, list[float]()
    for _ in range(12):
        retries.failed("log", now)
        waits.append(retries.next_time(now) - now)
        assert not retries.may("log", now + waits[-1] * 0.999)
        now += waits[-1]
        assert retries.may("log", now)

    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert waits[-2:] == pytest.approx([LONGEST_SECONDS] * 2)


def test_standard_input_that_is_a_socket_can_be_closed_while_nothing_comes() -> None:
    ours, theirs = socket.socketpair()
    arrived = threading.Event()
    context = SourceContext("web", [], ManualClock(), RecordedEvents(), arrived.set)
    source = stdin.build(stdin.Config(), context, fd=ours.fileno())
    try:
        theirs.sendall(b"one\n")
        assert arrived.wait(30)
        assert [chunk.data for chunk in source.read(1 << 20)] == [b"one\n"]
    finally:
        closing = threading.Thread(target=source.close, daemon=True)
        closing.start()
        closing.join(30)
        stuck = closing.is_alive()
        theirs.close()
        closing.join(30)
        ours.close()

    assert not stuck


def test_a_directory_that_is_not_there_yet_is_looked_for_in_each_scan(tmp_path: Path) -> None:
    tail = Follower(tmp_path / "later" / "*.log")
    tail.step()
    tail.step()

    (tmp_path / "later").mkdir()
    write(tmp_path / "later" / "a.log", joined(OLD))
    tail.step()

    assert tail.lines == OLD


def test_directories_are_reconciled_less_often_where_that_takes_long() -> None:
    opener = Opener(RecordedEvents(), None)
    quick, slow = Schedule(1.0, 0.25), Schedule(1.0, 0.25)
    assert quick.thorough(0.0)
    assert slow.thorough(0.0)

    quick.scanned(0.0, 0.001, opener, once=False)
    slow.scanned(0.0, 0.5, opener, once=False)

    assert [now for now in range(100) if quick.thorough(float(now))][:2] == [10, 20]
    assert [now for now in range(200) if slow.thorough(float(now))][:2] == [100, 110]


def test_scans_that_take_long_come_later_but_soon_enough_for_a_line_to_be_found() -> None:
    opener, schedule = Opener(RecordedEvents(), None), Schedule(1.0, 0.25)

    for took, wait in ((0.001, 1.0), (0.015, 1.5), (0.5, 1.8)):
        schedule.scanned(0.0, took, opener, once=False)
        assert schedule.next_scan == pytest.approx(wait)


def silent(log: Path) -> Follower:
    """A follower of a log that has not been written to for long, among others."""
    write(log.with_name("other.log"), b"other\n")
    tail = followed(log, OLD, include=str(log.parent / "*.log"), rotate_grace_seconds=0)
    tail.clock.advance(100)
    for _ in range(3):
        tail.step()
    return tail


def test_while_nothing_changes_nothing_is_looked_through(log: Path) -> None:
    tail = silent(log)
    before = tail.events.reports

    for _ in range(4):  # seconds; all is looked through every ten
        tail.step()

    assert tail.events.reports == before


@pytest.mark.parametrize("change", ["append", "rename", "recreate", "copytruncate"])
def test_what_changes_in_the_silence_is_found_by_the_next_scan(log: Path, change: str) -> None:
    tail = silent(log)
    tail.step()

    if change == "recreate":
        recreate(log)
    if change == "rename":
        rename(log, log.with_name(f"{log.name}.1"))
    if change == "copytruncate":
        copytruncate(log, log.with_name(f"{log.name}.1"))
    write(log, b"new\n")
    tail.step()

    assert tail.lines[-1] == b"new"


def test_a_file_of_another_name_is_found_by_the_next_scan_after_a_silence(log: Path) -> None:
    tail = silent(log)

    write(log.with_name("fresh.log"), b"new\n")
    tail.step()

    assert tail.lines[-1] == b"new"


def test_a_file_that_came_in_the_silence_to_where_another_was_and_looks_like_it_is_found(log: Path) -> None:
    tail = silent(log)
    status, size = log.stat(), len(joined(OLD))

    log.with_name("fresh").write_bytes((joined(NEW) * size)[-size:])
    os.utime(log.with_name("fresh"), ns=(status.st_atime_ns, status.st_mtime_ns))
    log.with_name("fresh").replace(log)
    os.utime(log.parent, ns=(status.st_atime_ns, log.parent.stat().st_mtime_ns))
    tail.step()

    assert tail.lines[-len(NEW) :] == NEW


def test_a_file_that_can_no_longer_be_looked_at_in_the_silence_is_told(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = silent(log)
    Broken(monkeypatch, "stat", errno.EACCES, lambda target: target == str(log))

    tail.step()

    assert [(path, error.errno) for path, error in tail.events.failures] == [(str(log), errno.EACCES)]


def test_a_file_that_could_not_be_read_in_the_silence_is_read_later(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = silent(log)
    inode = log.stat().st_ino
    broken = Broken(monkeypatch, "pread", errno.EIO, lambda fd: os.fstat(int(str(fd))).st_ino == inode)
    write(log, joined(NEW))
    for _ in range(3):
        tail.step()
    assert tail.events.behind_bytes == len(joined(NEW))

    broken.mend()
    tail.clock.advance(60)
    tail.step()

    assert tail.lines[-len(NEW) :] == NEW


def test_what_is_read_of_a_file_whose_status_is_an_old_one_is_told_to_be_behind(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = silent(log)
    write(log, b"more\n")  # so that it takes turns again
    for _ in range(3):
        tail.step()
    real, old = os.stat, log.stat()
    monkeypatch.setattr(os, "stat", lambda path, **options: old if path == str(log) else real(path, **options))
    write(log, joined(NEW))
    tail.clock.advance(0.5)
    tail.read(scan=False)
    assert tail.framed.complete == NEW

    tail.clock.advance(1)
    tail.source.read(0)

    assert tail.events.behind_bytes == len(joined(NEW))


def test_what_is_not_committed_of_a_file_that_is_closed_is_told_to_be_behind_until_it_is(log: Path) -> None:
    tail = Follower(log.parent / "*.log", max_open_files=1)
    for name in ("a.log", "b.log"):
        write(log.with_name(name), joined(NEW) + name.encode() + b"\n")
    for _ in range(4):
        tail.read()
    assert len(tail.framed.complete) == 2 * len(NEW) + 2

    for _ in range(3):
        tail.read()
    assert tail.events.behind_bytes == 2 * len(joined(NEW)) + 12
    tail.commit()
    tail.step()

    assert tail.events.behind_bytes == 0


def test_a_log_that_was_rotated_and_packed_before_it_could_be_opened_is_read_and_what_follows_it(log: Path) -> None:
    other = log.with_name("other.txt")
    write(other, joined(OLD))
    tail = Follower(log, other, max_open_files=1)
    tail.step()
    rename(other, other.with_name("elsewhere"))  # it keeps the only descriptor for a while
    write(log, joined(LATE))
    tail.step()
    assert tail.lines == OLD

    rename(log, rotated(log))
    rename(compress(rotated(log)), rotated(log, 2).with_name(f"{rotated(log, 2).name}.gz"))
    write(log, joined(NEW))
    rename(log, rotated(log))
    for _ in range(4):
        tail.settle()

    assert tail.lines == OLD + NEW + LATE


def test_what_is_left_in_the_copy_of_a_log_that_was_silent_comes_before_what_follows(log: Path) -> None:
    tail = followed(log, OLD, rotate_grace_seconds=0)
    tail.clock.advance(100)
    for _ in range(3):
        tail.step()

    write(log, joined(NEW))
    copytruncate(log, rotated(log))
    write(log, joined(LATE))
    tail.step()

    assert tail.lines == OLD + NEW + LATE
    assert tail.events.rotations == [(str(log), "copytruncate")]


def test_a_scan_that_finds_all_as_it_was_tells_that_nothing_is_behind_any_more(log: Path) -> None:
    tail = silent(log)
    write(log, joined(NEW))
    tail.read()
    assert tail.events.behind_bytes == len(joined(NEW))

    tail.commit()
    tail.step()

    assert tail.events.behind_bytes == 0
