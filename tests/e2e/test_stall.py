"""A daemon that cannot commit for a while, under load and rotations: reading waits, files do not get away."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path

import pytest

from monitor.ledger.files import NAME
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import Writer, demand_each_once, settle, shifted, trained

RATE, FAULT_EVERY = 3_000, 50
LONG_RATE, LONG_FAULT_EVERY = 20_000, 2_000
BUDGET_MB = 64
"""What the memory may grow by while nothing can be committed: the queue is 8 MiB, and columns are made of one batch."""


def resident_mb(site: Site) -> float:
    assert site.daemon is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{site.daemon.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def stalled(site: Site, seconds: float, writer: Writer) -> None:
    """More backups go than there are, so what was not read yet is only in files that are held open."""
    site.start_and_wait()
    other = sqlite3.connect(site.state / NAME, isolation_level=None)
    writer.start()
    try:
        wait_for(lambda: site.metric("records_scored_total") > writer.written / 2 > 0, "the daemon to keep step")
        before, rotations = resident_mb(site), site.metric("rotations_total")
        wait_for(lambda: bool(other.execute("BEGIN IMMEDIATE")), "the ledger to be held")
        time.sleep(seconds)  # how long the daemon is stalled is the input of this test
        assert resident_mb(site) < before + BUDGET_MB
        assert site.metric("rotations_total") > rotations
        assert site.metric("pinned_deleted_bytes") > 0
        read = site.metric("records_read_total")
        behind = writer.written - site.metric("records_scored_total")
        assert read < writer.written
        other.execute("ROLLBACK")
        begun = time.monotonic()
        writer.stop()
        settle(site, writer.written)
        caught_up = behind / (time.monotonic() - begun)
        assert site.metric("records_read_total") == site.metric("records_scored_total") == writer.written
        assert site.metric("abandoned_bytes_total") == 0
        assert site.stop(within_seconds=60) == 0
    finally:
        other.close()
        site.close()
        writer.stop()
    demand_each_once(site, writer.written, writer.fault_every)
    print(f"stalled {seconds:g} s: {behind:,.0f} behind, caught up at {caught_up:,.0f}/s: 0 lost, 0 duplicated")


def writer_of(site: Site, rate: int, seconds: float, fault_every: int) -> Writer:
    return Writer(site.log, rate, rotate_every=int(rate * seconds), rotate=shifted(4), fault_every=fault_every)


@pytest.mark.timeout(600)
def test_a_stall_loses_nothing_though_files_are_deleted(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    stalled(site, 6, writer_of(site, RATE, 1, FAULT_EVERY))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_stall_of_two_minutes_loses_nothing_though_files_are_deleted(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    stalled(site, 120, writer_of(site, LONG_RATE, 5, LONG_FAULT_EVERY))
