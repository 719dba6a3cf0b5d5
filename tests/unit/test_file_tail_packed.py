"""Older parts of a log that were compressed: what is unread in them is read, once, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support_files import (
    PACKERS,
    Follower,
    compress,
    copytruncate,
    followed,
    joined,
    make_older,
    numbered,
    pack,
    rename,
    rotated,
    truncate,
    write,
)

OLD, NEW, LATE = numbered(0, 200, "old"), numbered(1000, 20, "new"), numbered(2000, 50, "late")
ENDINGS = list(PACKERS)


def half_read(log: Path, include: str = "{}") -> Follower:
    """A reader that has gone down when it had read one part of the log, and another was written after that."""
    write(log, joined(OLD) + b"unfin")
    tail = Follower(include.format(log))
    tail.step()
    tail.stop()
    write(log, b"ished\n" + joined(LATE))
    return tail


def work(tail: Follower) -> None:
    for _ in range(3):
        tail.settle()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("include", ["{}", "{}*"])
def test_the_unread_part_of_a_log_compressed_while_down_is_read_once(log: Path, ending: str, include: str) -> None:
    tail = half_read(log, include)
    rename(log, rotated(log))
    compress(rotated(log), ending)
    write(log, joined(NEW))

    for _ in range(3):
        tail.start()
        work(tail)
        tail.stop()

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *LATE, *NEW])
    assert not tail.events.abandoned


@pytest.mark.parametrize("name", ["access.log.gz", "access.log-20240131.gz", "access.log.3.gz"])
def test_compressed_parts_are_known_by_the_names_that_rotation_gives(log: Path, name: str) -> None:
    tail = half_read(log)
    rename(compress(log), log.with_name(name)) if name != "access.log.gz" else compress(log)

    tail.start()
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]


@pytest.mark.parametrize("budget", [10, 100, 1000])
def test_a_crash_while_a_compressed_part_is_read_loses_and_repeats_nothing(log: Path, budget: int) -> None:
    tail = half_read(log)
    compress(log)
    tail.start()

    for _ in range(5000 // budget):
        tail.clock.advance(1)
        for chunk in tail.source.read(budget):
            tail.framed.push(chunk)
        tail.commit()
        tail.crash()
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]


def test_a_part_that_came_and_was_compressed_while_down_is_read_whole(log: Path) -> None:
    tail = half_read(log)
    rename(log, rotated(log))
    compress(rotated(log))
    rename(rotated(log).with_name("access.log.1.gz"), log.with_name("access.log.2.gz"))
    write(log, joined(NEW))
    rename(log, rotated(log))
    compress(rotated(log))
    write(log, b"live\n")

    tail.start()
    work(tail)
    tail.crash()
    work(tail)

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *LATE, *NEW, b"live"])


def test_parts_compressed_long_ago_are_not_read(log: Path) -> None:
    write(rotated(log), b"history\n")
    make_older(rotated(log), 86_400)
    compress(rotated(log))
    tail = half_read(log, "{}*")
    rename(log, rotated(log))
    write(log, joined(NEW))

    tail.start()
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE, *NEW]


def test_a_part_that_is_compressed_while_it_is_read_is_read_once(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(f"{log}*")
    tail.step()
    write(log, joined(LATE))
    rename(log, rotated(log))
    compress(rotated(log))
    write(log, joined(NEW))

    work(tail)
    tail.crash()
    work(tail)

    assert tail.lines == [*OLD, *LATE, *NEW]


@pytest.mark.parametrize("seen", [True, False])
def test_a_copy_that_was_compressed_before_anyone_looked_is_read_where_reading_stopped(log: Path, seen: bool) -> None:
    write(log, joined(OLD) + b"unfin")
    tail = Follower(log)
    tail.step()
    write(log, b"ished\n" + joined(LATE))
    if seen:
        tail.source.read(0)

    copytruncate(log, rotated(log))
    compress(rotated(log))
    write(log, joined(NEW))
    work(tail)
    tail.crash()
    work(tail)

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *LATE, *NEW])
    assert tail.events.adoptions == [str(log)]


@pytest.mark.parametrize("unread", [[], NEW])
def test_the_copy_of_a_log_that_was_deleted_and_the_copy_compressed_at_once_is_read_once(
    log: Path, unread: list[bytes]
) -> None:
    tail = followed(log, OLD)
    write(log, joined(unread))
    copytruncate(log, rotated(log))
    log.unlink()
    compress(rotated(log))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + unread
    assert tail.events.abandoned == []


def test_what_came_after_a_copytruncate_and_was_compressed_at_once_is_read_once(log: Path) -> None:
    tail = followed(log, OLD)
    copytruncate(log, rotated(log, 2))
    write(log, joined(NEW))
    rename(log, rotated(log))
    compress(rotated(log))
    for _ in range(3):
        tail.settle()

    assert tail.lines == OLD + NEW


def test_a_copytruncate_and_compression_while_down_is_read_where_reading_stopped(log: Path) -> None:
    tail = half_read(log)
    copytruncate(log, rotated(log))
    compress(rotated(log))
    write(log, joined(NEW))

    tail.start()
    work(tail)

    assert sorted(tail.lines) == sorted([*OLD, b"unfinished", *LATE, *NEW])


@pytest.mark.parametrize("ending", ENDINGS)
def test_members_one_behind_the_other_are_one_content(log: Path, ending: str) -> None:
    tail = half_read(log)
    content = log.read_bytes()
    packed = log.with_name(f"access.log.1{ending}")
    packed.write_bytes(b"".join(pack(content[place : place + 777], ending) for place in range(0, len(content), 777)))
    log.unlink()

    tail.start()
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_stands_before_a_damage_is_read_and_the_damage_counted(log: Path, ending: str) -> None:
    tail = half_read(log)
    content = log.read_bytes()
    cut = content.index(LATE[10])
    packed = log.with_name(f"access.log.1{ending}")
    damaged = pack(content[cut:], ending)[:-9]
    packed.write_bytes(pack(content[:cut], ending) + damaged)
    log.unlink()

    tail.start()
    work(tail)

    assert tail.lines[:211] == [*OLD, b"unfinished", *LATE[:10]]
    assert set(tail.lines[211:-1]) <= set(LATE)
    ((_, count, reason),) = tail.events.abandoned
    assert reason == "damaged"
    assert 0 < count <= packed.stat().st_size


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_compressed_file_still_being_written_is_waited_for(log: Path, ending: str) -> None:
    tail = half_read(log)
    content = pack(log.read_bytes(), ending)
    packed = log.with_name(f"access.log.1{ending}")
    log.unlink()
    tail.start()
    for place in range(0, len(content), max(1, len(content) // 20)):
        write(packed, content[place : place + max(1, len(content) // 20)])
        tail.clock.advance(tail.config.rotate_grace_seconds / 2)
        tail.step()

    work(tail)
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]
    assert not tail.events.abandoned


def test_one_hundred_parts_compressed_while_down_are_neither_lost_nor_repeated(log: Path) -> None:
    tail = Follower(f"{log}*")
    write(log, b"first\n")
    tail.step()
    expected = [b"first"]
    for number in range(100):
        lines, late = numbered(1000 * number, 5), numbered(1000 * number + 500, number % 4, "late")
        write(log, joined(lines))
        tail.step()
        tail.stop()
        write(log, joined(late))
        rotated(log, 1).with_suffix(".1.gz").unlink(missing_ok=True)
        rename(log, rotated(log))
        compress(rotated(log), ".gz")
        tail.start()
        work(tail)
        expected += [*lines, *late]

    assert tail.lines == expected


def test_another_logs_archive_is_left_alone(log: Path) -> None:
    tail = half_read(log)
    rename(log, rotated(log))
    for name in ("access.log.debug.1.gz", "error.log.1.gz"):
        log.with_name(name).write_bytes(pack(joined(NEW), ".gz"))
    log.with_name("access.log.7.gz").mkdir()
    write(log.with_name("access.log.8.gz"), b"no gzip at all")

    tail.start()
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]


def test_what_is_excluded_is_not_unpacked_either(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, exclude=["*.gz"])
    tail.step()
    tail.stop()
    write(log, joined(LATE))
    compress(log)

    tail.start()
    work(tail)

    assert tail.lines == OLD


def test_a_compressed_file_that_cannot_be_read_now_is_read_later(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = half_read(log)
    packed = compress(log)
    real = os.open

    def refuse(path: str, *arguments: int) -> int:
        if path == str(packed):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    tail.start()
    work(tail)
    assert tail.lines == OLD
    monkeypatch.undo()
    tail.clock.advance(30)
    work(tail)

    assert tail.lines == [*OLD, b"unfinished", *LATE]


def test_once_reads_what_was_missed_in_a_compressed_part(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, once=True)
    tail.step()
    write(log, joined(LATE))
    rename(log, rotated(log))
    compress(rotated(log))
    write(log, joined(NEW))

    tail.crash()
    while not tail.source.exhausted:
        tail.step()

    assert sorted(tail.lines) == sorted([*OLD, *LATE, *NEW])


def test_a_large_part_is_unpacked_bit_by_bit(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources._unpacking.SKIP_BYTES", 500)
    tail = half_read(log)
    compress(log)
    tail.start()
    tail.clock.advance(1)
    tail.source.read(0)
    assert tail.source.pause == 0

    for _ in range(60):
        tail.step()

    assert tail.lines == [*OLD, b"unfinished", *LATE]


def test_the_same_bytes_give_the_same_records_plain_and_packed(tmp_path: Path) -> None:
    content = joined(OLD) + b"unfinished"
    seen: list[list[bytes]] = []
    for ending in ["", *ENDINGS]:
        log = tmp_path / f"{ending or 'plain'}" / "a.log"
        log.parent.mkdir()
        write(log, b"x\n")
        tail = Follower(log)
        tail.step()
        tail.stop()
        write(log, content)
        rename(log, rotated(log))
        if ending:
            compress(rotated(log), ending)
        tail.start()
        work(tail)
        seen.append(tail.lines)

    assert seen == [[b"x", *OLD, b"unfinished"]] * 5


def test_a_truncated_log_whose_copy_is_gone_is_read_from_its_start(log: Path) -> None:
    tail = half_read(log)
    truncate(log)
    write(log, joined(NEW))

    tail.start()
    work(tail)

    assert tail.lines == [*OLD, *NEW]
