"""Rotations under load, with the real daemon: every line that stands in some file is scored once."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import (
    Writer,
    copied_and_truncated,
    demand_each_once,
    in_outbox,
    renamed,
    settle,
    shifted,
    trained,
)

BACKUPS = 10
RATE, LONG_RATE = 10_000, 50_000


def rotated(site: Site, writer: Writer, rotations: int) -> None:
    """The oldest of ten backups goes at each rotation; nothing waits for the daemon."""
    site.start_and_wait()
    writer.start()
    try:
        wait_for(lambda: writer.rotations >= rotations or not writer.is_alive(), "the rotations", seconds=1_800)
        writer.stop()
        settle(site, writer.written)
        assert site.metric("records_read_total") == site.metric("records_scored_total") == writer.written
        assert site.metric("abandoned_bytes_total") == 0
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    demand_each_once(site, writer.written, writer.fault_every)
    print(f"{writer.written:,} lines, {writer.rotations:,} rotations: 0 lost, 0 duplicated, 0 torn")


@pytest.mark.timeout(600)
def test_fifty_renames_lose_and_repeat_nothing(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    rotated(site, Writer(site.log, RATE, rotate_every=RATE * 3 // 10, rotate=shifted(BACKUPS)), 50)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_renames_lose_and_repeat_nothing(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    writer = Writer(site.log, LONG_RATE, rotate_every=LONG_RATE // 4, rotate=shifted(BACKUPS), fault_every=500)
    rotated(site, writer, 1_000)


def numbers_in_files(site: Site) -> set[int]:
    """Of all lines that stand whole in the log or in a copy of it."""
    text = b"\n".join(each.read_bytes() for each in site.log.parent.iterdir())
    return {int(number) for number in re.findall(rb'\{"seq": (\d+), "level": [\d.]+, "mode": "\w"\}\n', text)}


def truncated(site: Site, writer: Writer, times: int) -> None:
    """Lines are lost only where the writer wrote between copy and truncation; the copies match the pattern."""
    chance = random.Random(5)
    site.start_and_wait()
    writer.start()
    try:
        for number in range(1, times + 1):
            time.sleep(chance.uniform(0.3, 1.2))  # the moment of the truncation is the input of this test
            copied_and_truncated(site.log, number)
        writer.stop()
        standing = numbers_in_files(site)
        settle(site, len(standing))
        wait_for(lambda: site.metric("tail_lag_bytes") == 0, "the last copy to be read", seconds=300)
        scored, rotations = site.metric("records_scored_total"), site.metric("rotations_total")
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    written, found = writer.written, in_outbox(site, writer.fault_every)
    lost = set(range(0, written, writer.fault_every)) - found.keys()
    assert found <= Counter(range(0, written, writer.fault_every))  # nothing twice, nothing that was never written
    assert not lost & standing
    assert len(standing) <= scored <= written
    assert rotations >= times / 2  # two in quick succession are one to whoever looks later
    print(
        f"{times} copytruncates, {written:,} lines: 0 duplicated, {written - scored:.0f} not read, "
        f"{written - len(standing)} in no file"
    )


@pytest.mark.timeout(600)
def test_copytruncates_repeat_nothing_and_lose_only_what_is_in_no_file(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models, include="app.log*")
    truncated(site, Writer(site.log, 5_000), 6)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_copytruncates_repeat_nothing_and_lose_only_what_is_in_no_file(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models, include="app.log*")
    truncated(site, Writer(site.log, 20_000), 100)


def nothing(*_arguments: object) -> None:
    """A system call that does nothing."""


@pytest.mark.parametrize(
    ("rotation", "call"),
    [(renamed, "os.rename"), (shifted(2), "os.rename"), (copied_and_truncated, "os.truncate")],
    ids=["rename", "shift", "truncate"],
)
def test_a_writer_whose_rotations_do_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotation: Callable[[Path, int], None], call: str
) -> None:
    monkeypatch.setattr(call, nothing)
    writer = Writer(tmp_path / "app.log", rate=1_000, rotate_every=10, rotate=rotation)

    writer.start()
    wait_for(lambda: not writer.is_alive(), "the writer to give up")

    with pytest.raises(AssertionError):
        writer.stop()


def test_a_copy_that_is_not_made_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"line\n")
    monkeypatch.setattr("shutil.copyfile", nothing)

    with pytest.raises(FileNotFoundError):
        copied_and_truncated(log, 1)

    assert os.path.getsize(log) == 5  # noqa: PTH202 - the plain system call
