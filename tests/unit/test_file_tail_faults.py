"""Faults of the real system, none of them pretended: inodes used again, no descriptors, no rights, no watches."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support_files import Follower, joined, make_older, numbered, recreate, rename, write
from tests.watching import overflow, said, watching

OLD, NEW = numbered(0, 20, "old"), numbered(100, 20, "new")


# -- inodes that are used again --------------------------------------------------------------------------------


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
@pytest.mark.parametrize("header", [b"", b"#" * 1023 + b"\n"], ids=["unique", "shared header"])
def test_a_thousand_files_deleted_and_made_again_are_each_read_once(tmp_path: Path, down: bool, header: bytes) -> None:
    reused = sum(recreated(tmp_path / f"{part}.log", 100, header, down=down) for part in range(10))

    if down and reused < 100:
        pytest.skip("read right, but this file system hardly gave an inode twice")


def recreated(log: Path, times: int, header: bytes, *, down: bool) -> int:
    """Delete and make a log so many times; how often the new one got the inode of the old one."""
    tail = Follower(log)
    expected: list[bytes] = []
    inodes: list[int] = []
    for number in range(times + 1):
        lines = numbered(1000 * number, 3 + number % 5)
        if down:
            tail.stop()
        (recreate if number else write)(log, header + joined(lines))
        if down:
            tail.start()
        tail.step()
        inodes.append(log.stat().st_ino)
        expected += [*header.splitlines(), *lines]
        assert tail.lines[-len(lines) :] == lines

    tail.settle()
    tail.stop()
    assert tail.lines == expected
    return sum(one == other for one, other in pairwise(inodes))


def test_a_hundred_renames_while_down_lose_and_repeat_nothing(log: Path) -> None:
    tail = Follower(log)
    expected: list[bytes] = []
    for number in range(100):
        lines = numbered(1000 * number, 4)
        write(log, joined(lines[:1]))
        tail.step()
        tail.stop()
        write(log, joined(lines[1:2]))
        log.with_name("access.log.2").unlink(missing_ok=True)
        if number:
            rename(log.with_name("access.log.1"), log.with_name("access.log.2"))
        rename(log, log.with_name("access.log.1"))
        write(log, joined(lines[2:]))
        tail.start()
        tail.settle()
        expected += lines

    assert tail.lines == expected


# -- descriptors -----------------------------------------------------------------------------------------------


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing more can be opened by this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_a_process_out_of_descriptors_goes_on_when_there_are_some(log: Path, down: bool) -> None:
    write(log, joined(OLD))
    tail = Follower(log.parent / "*")
    tail.step()
    if down:
        tail.stop()
        tail.start()
    rename(log, log.with_name("access.log.1"))
    write(log, joined(NEW))

    with no_descriptors():
        for _ in range(5):
            tail.step()
    tail.clock.advance(30)
    tail.settle()

    assert tail.lines == [*OLD, *NEW]
    assert {error.errno for _, error in tail.events.failures} == {errno.EMFILE}
    assert not tail.events.resets


# -- rights ----------------------------------------------------------------------------------------------------


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a while, unless we are nobody in particular anyhow."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can look into; those of pytest are their owner's alone."""
    directory = Path(tempfile.mkdtemp(prefix="public-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


DENIED: dict[str, Callable[[Path], Path]] = {"file": lambda log: log, "directory": lambda log: log.parent}


@pytest.mark.parametrize("what", DENIED)
@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_rights_that_are_lost_and_given_back_lose_nothing(public: Path, what: str, down: bool) -> None:
    log = public / "logs" / "access.log"
    log.parent.mkdir()
    write(log, joined(OLD))
    tail = Follower(log.parent / "*.log")
    tail.step()
    if down:
        tail.stop()
        tail.start()
    write(log, joined(NEW))

    denied = DENIED[what](log)
    mode = denied.stat().st_mode
    denied.chmod(0)
    with without_rights():
        for _ in range(5):
            tail.step()
    assert tail.lines == (OLD if down else [*OLD, *NEW])
    denied.chmod(mode)
    tail.clock.advance(30)
    tail.settle()

    assert tail.lines == [*OLD, *NEW]
    assert {error.errno for _, error in tail.events.failures} <= {errno.EACCES}
    assert not tail.events.rotations


# -- reading fails ---------------------------------------------------------------------------------------------


def test_a_file_whose_reads_fail_stops_no_other_and_recovers(tmp_path: Path) -> None:
    broken, sound = tmp_path / "broken.log", tmp_path / "sound.log"
    broken.symlink_to("/proc/self/mem")  # a plain file by its kind, whose first page gives EIO
    write(sound, joined(OLD))
    tail = Follower(tmp_path / "*.log")
    for _ in range(5):
        tail.step()
    assert tail.lines == OLD
    assert {(path, error.errno) for path, error in tail.events.failures} == {(str(broken), errno.EIO)}

    broken.unlink()
    write(broken, joined(NEW))
    tail.clock.advance(30)
    tail.settle()

    assert tail.lines == [*OLD, *NEW]


# -- watches ---------------------------------------------------------------------------------------------------


def test_a_file_whose_event_was_lost_in_an_overflow_is_found_by_polling(tmp_path: Path) -> None:
    with watching(tmp_path / "*.log", len(OLD)) as process:
        assert said(process) == ["ready", "inotify"]
        process.send_signal(signal.SIGSTOP)
        overflow(tmp_path)
        write(tmp_path / "a.log", joined(OLD))
        process.send_signal(signal.SIGCONT)

        assert said(process) == ["inotify", str(len(OLD)), str(len(OLD))]


def test_a_file_whose_event_came_while_no_thread_could_run_is_read(tmp_path: Path) -> None:
    with watching(tmp_path / "*.log", len(OLD), held_seconds=3) as process:
        assert said(process) == ["ready", "inotify"]
        overflow(tmp_path)
        write(tmp_path / "a.log", joined(OLD))

        assert said(process) == ["inotify", str(len(OLD)), str(len(OLD))]


def test_a_user_without_watches_reads_by_polling(tmp_path: Path) -> None:
    script = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    alone = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the system lets nobody make a namespace of users")
    with watching(tmp_path / "*.log", len(OLD), *alone) as process:
        assert said(process) == ["ready", "poll"]
        write(tmp_path / "a.log", joined(OLD))

        assert said(process) == ["poll", str(len(OLD)), str(len(OLD))]


def test_a_directory_that_took_the_place_of_the_watched_one_is_polled(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with watching(logs / "*.log", len(OLD)) as process:
        assert said(process) == ["ready", "inotify"]
        rename(logs, tmp_path / "away")  # and the watch with it
        logs.mkdir()
        write(logs / "a.log", joined(OLD))

        assert said(process) == ["inotify", str(len(OLD)), str(len(OLD))]


# -- writers that do not notice --------------------------------------------------------------------------------


def test_a_writer_that_stays_with_a_renamed_file_for_ten_minutes_is_read_to_its_end(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    moved = log.with_name("access.log.1")
    rename(log, moved)
    write(log, joined(NEW))
    expected = [*OLD, *NEW]
    for number in range(150):  # every four seconds, which is within the grace time
        lines = numbered(1000 * (number + 1), 1, "stale")
        write(moved, joined(lines))
        tail.clock.advance(3)
        tail.step()
        expected += lines
        if number % 50 == 0:
            tail.crash()

    tail.settle()
    write(moved, b"after the grace time\n")
    tail.clock.advance(10)
    tail.settle()

    assert sorted(tail.lines) == sorted([*expected, b"after the grace time"])
    assert not tail.events.abandoned


# -- links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_a_hundred_volumes_swapped_by_a_link_are_each_read_once(tmp_path: Path, down: bool) -> None:
    tail = Follower(tmp_path / "data" / "*.log")
    expected: list[bytes] = []
    for number in range(100):
        volume = tmp_path / f"..{number}"
        volume.mkdir()
        lines = numbered(1000 * number, 3)
        write(volume / "a.log", joined(lines))
        make_older(volume / "a.log", 3600)
        if down:
            tail.stop()
        (tmp_path / "..data").symlink_to(volume)
        (tmp_path / "..data").replace(tmp_path / "data")
        assert (tmp_path / "data").samefile(volume)
        if down:
            tail.start()
        tail.step()
        expected += lines

    tail.settle()

    assert tail.lines == expected
