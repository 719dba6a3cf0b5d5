"""The exact edges of what a file source takes for missed, for a copy and for over; what a mutation got by with."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from monitor.core.clock import ManualClock
from monitor.sources._suspicion import still_has
from monitor.sources._tailed import TailedFile
from monitor.sources._watch import Watch
from tests.support_files import (
    Broken,
    Follower,
    compress,
    copy,
    copytruncate,
    followed,
    joined,
    make_older,
    numbered,
    recreate,
    rename,
    rotated,
    truncate,
    write,
)

OLD, NEW, LATE = numbered(0, 200, "old"), numbered(1000, 20, "new"), numbered(2000, 50, "late")


@pytest.mark.parametrize("first", [OLD, [b""]], ids=["lines", "one byte"])
@pytest.mark.parametrize("include", ["{}", "{}*"])
def test_the_copy_of_a_copytruncate_may_have_an_older_time_stamp_than_its_log_had(
    log: Path, include: str, first: list[bytes]
) -> None:
    tail = followed(log, first, include=include)
    write(log, joined(NEW))

    copytruncate(log, rotated(log))
    make_older(rotated(log), 3600)
    tail.settle()
    tail.settle()

    assert tail.lines == [*first, *NEW]
    assert not tail.events.abandoned


def test_of_a_later_copy_of_what_was_gone_on_with_only_what_it_has_more_is_read(log: Path) -> None:
    tail = followed(log, OLD, include="{}*")
    copytruncate(log, rotated(log))
    for _ in range(3):
        tail.step()
    assert tail.events.adoptions == [str(log)]

    rotated(log, 2).write_bytes(joined(OLD + LATE))
    tail.settle()
    tail.settle()

    assert tail.lines == OLD + LATE


def test_a_part_that_came_and_went_within_one_tick_of_the_file_system_is_read(log: Path) -> None:
    tail = followed(log, OLD)
    stamp = log.stat().st_mtime_ns
    rename(log, rotated(log, 2))
    write(log, joined(NEW))
    os.utime(log, ns=(stamp, stamp))
    rename(log, rotated(log))
    write(log, joined(LATE))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + NEW + LATE


def test_a_compressed_part_that_could_not_be_read_before_a_restart_is_read_however_much_later(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(time.time() - 7200)
    tail = followed(log, OLD, clock=clock)
    tail.stop()
    rename(log, rotated(log, 2))
    write(log, joined(NEW))
    rename(log, rotated(log))
    make_older(rotated(log), 3600)
    packed = compress(rotated(log))
    write(log, joined(LATE))
    broken = Broken(monkeypatch, "open", errno.EACCES, lambda target: target == str(packed))
    tail.start()
    clock.advance(7200)
    for _ in range(3):
        tail.settle()
    assert (tail.lines, broken.calls > 0) == (OLD + LATE, True)
    broken.mend()

    tail.crash()
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + LATE + NEW


def test_a_compressed_part_is_as_old_as_its_reading_however_long_the_machine_has_been_up(log: Path) -> None:
    tail = followed(log, OLD)
    tail.stop()
    write(log, joined(LATE))
    compress(log)
    tail.clock.advance(30 * 86_400)
    tail.start()

    for _ in range(200):  # a few bytes a turn: a limit that is exceeded would cut it off between two of them
        tail.clock.advance(1)
        for chunk in tail.source.read(20):
            tail.framed.push(chunk)
    tail.commit()

    assert tail.lines == OLD + LATE
    assert not tail.events.abandoned


def test_a_compressed_copy_is_told_to_be_rotated_once(log: Path) -> None:
    tail = followed(log, OLD)
    write(log, joined(LATE))
    copytruncate(log, rotated(log))
    compress(rotated(log))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + LATE
    assert tail.events.rotations == [(str(log), "truncate"), (str(log), "copytruncate")]  # it was packed so soon


def test_what_is_unfinished_of_a_truncated_log_is_told_to_be_over_once_no_copy_came(log: Path) -> None:
    tail = followed(log, OLD)
    write(log, b"unfin")
    tail.step()
    truncate(log)
    write(log, joined(NEW))
    tail.step()
    assert tail.lines == OLD + NEW

    (old,) = [state.origin.file_id for state in tail.states.values() if state.offset == len(joined(OLD))]
    tail.clock.advance(61)
    endings = [chunk for chunk in tail.source.read(1 << 20) if chunk.origin.file_id == old]

    assert [(chunk.origin.epoch, chunk.data, chunk.final) for chunk in endings] == [(1, b"", True)]


def test_an_original_that_was_replaced_before_anything_of_it_was_read_has_not_the_content_of_a_copy(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a", b"")
    original = TailedFile.begin(("a", 0, 0), str(tmp_path / "a"), os.open(tmp_path / "a", os.O_RDONLY), 0.0)
    write(tmp_path / "a", joined(OLD))
    copy(tmp_path / "a", tmp_path / "b")
    twin = TailedFile.begin(("b", 0, 0), str(tmp_path / "b"), os.open(tmp_path / "b", os.O_RDONLY), 0.0)
    size = len(joined(OLD))
    try:
        assert still_has(original, original.home, twin, size) is True
        truncate(tmp_path / "a")
        write(tmp_path / "a", joined(LATE))
        assert still_has(original, original.home, twin, size) is False
        original.take(100, 0.0)
        truncate(tmp_path / "a")
        assert still_has(original, original.home, twin, size) is None
    finally:
        original.close()
        twin.close()


def test_a_watch_wakes_nobody_for_what_is_written_to_files_that_are_there(tmp_path: Path) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(50)]
    for path in logs:
        write(path, b"")
    woken = threading.Semaphore(0)
    watch = Watch(woken.release)
    watch.follow({str(tmp_path)})

    for path in logs:
        write(path, joined(NEW))
    for name in ("a", "b"):
        write(tmp_path / name, b"")
        assert woken.acquire(timeout=30)
    watch.close()

    assert not woken.acquire(blocking=False)


def test_a_link_that_leads_in_a_circle_is_no_directory_to_look_into(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "app").mkdir()
    write(tmp_path / "app" / "a.log", joined(OLD))

    tail = Follower(tmp_path / "*" / "a.log")
    tail.step()

    assert tail.lines == OLD
    assert not tail.events.failures


def test_a_file_behind_a_stale_handle_keeps_no_new_one_from_being_read(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = followed(log, OLD, include="{}*")
    inode, others = log.stat().st_ino, log.with_name("access.log.other")
    Broken(monkeypatch, "pread", errno.ESTALE, lambda fd: int(str(fd)) >= 0 and os.fstat(int(str(fd))).st_ino == inode)
    Broken(monkeypatch, "open", errno.ESTALE, lambda target: target == str(log))
    write(log, joined(LATE))
    tail.step()

    write(others, joined(NEW))
    tail.step()

    assert tail.lines == OLD + NEW


def test_a_new_file_in_a_directory_whose_time_stamp_tells_nothing_is_found_a_little_later(log: Path) -> None:
    tail = followed(log, OLD, include=str(log.parent / "*.log"))
    for _ in range(5):
        tail.step()
    status = log.parent.stat()

    write(log.with_name("fresh.log"), joined(NEW))
    os.utime(log.parent, ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(11):
        tail.step()

    assert tail.lines == OLD + NEW


def test_only_what_is_there_at_the_first_start_is_begun_at_its_end(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, start_at="end")
    tail.step()

    recreate(log, joined(NEW))
    tail.settle()

    assert tail.lines == NEW


def test_a_log_that_came_and_went_long_after_the_one_before_it_had_left_is_read(log: Path) -> None:
    tail = followed(log, OLD)
    rename(log, rotated(log, 2))
    for _ in range(8):
        tail.step()

    write(log, joined(NEW))
    rename(log, rotated(log))
    write(log, joined(LATE))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + NEW + LATE
