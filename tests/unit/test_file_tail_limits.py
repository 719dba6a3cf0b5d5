"""What rotated files may hold is bounded, and what is given up for that is counted and never read half."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from monitor.core.errors import UnavailableError
from tests.support_files import (
    Follower,
    compress,
    joined,
    numbered,
    rename,
    rotated,
    write,
)

OLD, NEW, LATE = numbered(0, 20, "old"), numbered(100, 20, "new"), numbered(200, 5, "late")


def rotate_unread(tail: Follower, log: Path, number: int) -> list[bytes]:
    """Nothing can be read just now, and the log is rotated."""
    lines = numbered(1000 * number, 10)
    write(log, joined(lines))
    tail.clock.advance(1)
    tail.source.read(0)
    rename(log, log.with_name(f"gone.{number}"))
    tail.clock.advance(1)
    tail.source.read(0)
    return lines


def give_up(tail: Follower) -> None:
    """Scans in which nothing can be read."""
    for _ in range(3):
        tail.clock.advance(1)
        for chunk in tail.source.read(0):
            tail.framed.push(chunk)
        tail.commit()


def test_beyond_the_number_of_rotated_files_the_oldest_is_given_up(log: Path) -> None:
    tail = Follower(log, max_rotated_files=2)
    tail.step()
    parts = [rotate_unread(tail, log, number) for number in range(4)]

    give_up(tail)
    tail.settle()

    assert tail.lines == [*parts[2], *parts[3]]
    assert tail.events.abandoned == [(str(log), len(joined(part)), "max_rotated_files") for part in parts[:2]]


def test_deleted_files_may_pin_only_so_much_disk_space(log: Path) -> None:
    tail = Follower(log, max_pinned_bytes=400)
    tail.step()
    parts = [rotate_unread(tail, log, number) for number in range(4)]
    for number in range(3):
        log.with_name(f"gone.{number}").unlink()

    give_up(tail)
    assert tail.events.pinned_bytes <= 400
    tail.settle()

    kept = 400 // len(joined(parts[0]))
    assert 0 < kept < 3
    assert tail.lines == [line for part in parts[3 - kept :] for line in part]
    assert {reason for _, _, reason in tail.events.abandoned} == {"max_pinned_bytes"}


def test_a_file_that_is_still_linked_pins_nothing(log: Path) -> None:
    tail = Follower(log, max_pinned_bytes=1)
    tail.step()
    lines = rotate_unread(tail, log, 0)

    give_up(tail)
    tail.settle()

    assert tail.lines == lines
    assert not tail.events.abandoned


def test_a_rotated_file_is_not_held_longer_than_configured(log: Path) -> None:
    write(log, joined(OLD) + b"part")
    tail = Follower(log, max_rotated_age_seconds=60)
    tail.step()
    write(log, b"ly\n" + joined(LATE))
    rename(log, rotated(log))
    give_up(tail)
    tail.clock.advance(61)
    give_up(tail)

    tail.settle()
    tail.crash()
    tail.settle()

    assert tail.lines == [*OLD, b"part"]  # what was read of it is complete as it stands
    assert tail.events.abandoned == [(str(log), len(b"ly\n" + joined(LATE)), "max_rotated_age")]


def test_a_writer_that_never_leaves_a_rotated_file_costs_nothing_that_was_written_in_time(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, max_rotated_age_seconds=30)
    tail.step()
    rename(log, rotated(log))
    for line in NEW:
        write(rotated(log), line + b"\n")
        tail.clock.advance(1)
        tail.step()

    tail.clock.advance(31)
    tail.step()
    tail.step()

    assert tail.lines == [*OLD, *NEW]
    assert not tail.events.abandoned
    assert tail.events.opened == 0


def test_what_was_given_up_is_not_read_when_the_file_grows_again(log: Path) -> None:
    tail = Follower(f"{log}*", max_rotated_age_seconds=60)
    write(log, joined(OLD))
    tail.clock.advance(1)
    tail.source.read(0)
    rename(log, rotated(log))
    give_up(tail)
    tail.clock.advance(61)
    give_up(tail)

    write(rotated(log), joined(LATE))
    tail.settle()
    tail.crash()
    tail.settle()

    assert tail.lines == LATE
    assert sum(count for _, count, _ in tail.events.abandoned) == len(joined(OLD))


def test_a_compressed_part_is_bounded_as_well(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log, max_rotated_age_seconds=60)
    tail.step()
    tail.stop()
    write(log, joined(LATE))
    compress(log)
    tail.start()
    give_up(tail)
    tail.clock.advance(61)
    give_up(tail)
    tail.settle()

    assert tail.lines == OLD
    assert [reason for _, _, reason in tail.events.abandoned] == ["max_rotated_age"]
    assert tail.events.opened == 0


# -- descriptors -----------------------------------------------------------------------------------------------


def test_more_open_files_than_the_process_may_have_are_refused_with_the_cure(log: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    with pytest.raises(UnavailableError, match=rf"max_open_files: {soft} takes {soft + 64} descriptors.*LimitNOFILE"):
        Follower(log, max_open_files=soft)


def test_as_many_open_files_as_the_process_may_have_are_accepted(log: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    Follower(log, max_open_files=soft - 64).stop()


# -- what is told ----------------------------------------------------------------------------------------------


def test_the_age_of_the_oldest_unread_byte_is_told(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    assert tail.events.oldest_seconds == 0

    write(log, joined(NEW))
    tail.read()
    for _ in range(10):  # read, but never committed, while more comes
        write(log, joined(LATE))
        tail.read()
    assert tail.events.oldest_seconds == pytest.approx(10, abs=1.1)

    tail.commit()
    tail.read()
    tail.commit()
    tail.read()
    assert tail.events.oldest_seconds == 0


def test_disk_space_that_only_we_hold_is_told(log: Path) -> None:
    write(log, joined(OLD))
    tail = Follower(log)
    tail.step()
    os.unlink(log)  # noqa: PTH108 - the name alone goes
    tail.step()
    assert tail.events.pinned_bytes == len(joined(OLD))

    tail.settle()
    tail.step()

    assert tail.events.pinned_bytes == 0
