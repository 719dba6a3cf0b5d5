"""What the daemon says it did not read, against a file system that saw every read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from monitor.ledger.files import NAME
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import Writer, shifted, trained
from tests.loopback import loopback

RATE, ROTATE_EVERY = 30_000, 30_000
"""More is written while the daemon is stalled than its queue holds: the files that are given up are unread, or half."""


def missed(report: Path) -> int:
    """How many bytes of what was destroyed nobody had read."""
    return sum(int(line.split()[1]) for line in report.read_text().splitlines())


def outrun(site: Site, writer: Writer, times: int) -> None:
    """Nothing can be committed until so many rotations are over."""
    other = sqlite3.connect(site.state / NAME, isolation_level=None)
    try:
        wait_for(lambda: bool(other.execute("BEGIN IMMEDIATE")), "the ledger to be held")
        until = writer.rotations + times
        wait_for(lambda: writer.rotations >= until, "rotations that the daemon cannot keep up with")
        wait_for(lambda: site.metric("abandoned_bytes_total") > 0, "files to be given up")
    finally:
        other.close()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_abandoned_bytes_are_those_that_the_file_system_saw_nobody_read(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path / "site", models)
    options = "rotate_grace_seconds: 1.0, max_rotated_files: 2"
    site.config.write_text(site.config.read_text().replace("rotate_grace_seconds: 1.0", options))
    (below := tmp_path / "below").mkdir()
    site.log.unlink()  # nothing is mounted over what is not empty
    with loopback(below, site.log.parent, tmp_path / "report"):
        writer = Writer(site.log, RATE, ROTATE_EVERY, rotate=shifted(3), fault_every=1 << 60)
        site.log.touch()
        site.start_and_wait()
        writer.start()
        try:
            outrun(site, writer, 12)
            writer.stop()
            wait_for(lambda: site.metric("tail_lag_bytes") == 0, "what is left to be read")
            abandoned, scored = site.metric("abandoned_bytes_total"), site.metric("records_scored_total")
            assert site.stop(within_seconds=60) == 0
        finally:
            site.close()
            writer.stop()
        for path in site.log.parent.iterdir():
            path.unlink()
    assert 0 < scored < writer.written
    assert abandoned == missed(tmp_path / "report")
    print(f"{writer.rotations} rotations, {writer.written:,} lines: {abandoned:,.0f} bytes abandoned, as many missed")
