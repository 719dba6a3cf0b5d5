"""Five thousand files, one of them hot, in a directory with a hundred thousand names: quick, and cheap when idle."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from monitor.ledger import Ledger
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import line, trained

FILES, OTHERS = 5_000, 95_000
WRITES, BURST, QUIET_SECONDS, IDLE_SECONDS = 200, 20, 65.0, 60.0


def cpu_seconds(site: Site) -> float:
    """What the daemon has used so far."""
    assert site.daemon is not None
    words = Path(f"/proc/{site.daemon.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def taken(ledger: Ledger, log: Path, expected: int) -> float:
    """Seconds from a write to its commit."""
    begun = time.monotonic()
    with log.open("ab") as out:
        out.write(line(expected))
    while ledger.counts("web").read < expected:
        time.sleep(0.001)  # what is measured is the time
    return time.monotonic() - begun


def idle_share(site: Site) -> float:
    before = cpu_seconds(site)
    time.sleep(IDLE_SECONDS)  # what is measured is the cost of nothing
    return (cpu_seconds(site) - before) / IDLE_SECONDS


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_thousand_files_are_followed_quickly_and_cost_little(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models, include="*.log")
    logs = [site.log, *(site.log.with_name(f"cold{number}.log") for number in range(1, FILES))]
    for number, log in enumerate(logs):
        log.write_bytes(line(number))
    for number in range(OTHERS):
        site.log.with_name(f"other{number}.txt").touch()
    try:
        site.start_and_wait()
        wait_for(lambda: site.metric("records_read_total") == FILES, "all files to be read")
        with Ledger.open(site.state, read_only=True) as ledger:
            hot = [taken(ledger, site.log, FILES + number + 1) for number in range(WRITES)]
            cold = [taken(ledger, log, FILES + WRITES + number + 1) for number, log in enumerate(logs[-BURST:])]
        time.sleep(QUIET_SECONDS)  # a file counts as silent after a minute
        idle = idle_share(site)
        assert site.metric("records_scored_total") == FILES + WRITES + BURST
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
    print(
        f"hot: median {np.median(hot) * 1000:.0f} ms, p99 {np.quantile(hot, 0.99) * 1000:.0f} ms; "
        f"cold: at most {max(cold):.2f} s; idle: {idle:.1%} of a core"
    )
