"""A receiver that is down while an hour's alerts come: all of them arrive, once, in order, when it is back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.alerting import odd, site_with, write
from tests.e2e.support import wait_for
from tests.e2e.test_sink_outage import got, ids_of, series
from tests.e2e.test_stall import BUDGET_MB, resident_mb
from tests.receiving import receiving

BATCH = 1_000


def long_outage(root: Path, models: Path, count: int) -> None:
    """As many alerts as come in an hour, as fast as they can be written: what waits is what matters, not how long."""
    port = free_port()
    with site_with(root, models, {"hook": f"{{webhook: {{url: 'http://127.0.0.1:{port}/'}}}}"}) as site:
        site.start_and_wait()
        before = resident_mb(site)
        begun = time.monotonic()
        for first in range(0, count, BATCH):
            write(site, *(odd(f"h{number % 50}") for number in range(first, first + BATCH)))
        wait_for(lambda: series(site, "outbox_depth", "hook") == count, "every alert to wait for the receiver", 1800)
        filled = time.monotonic() - begun
        grown = resident_mb(site) - before
        assert grown < BUDGET_MB
        wait_for(lambda: len(ids_of(site.alerts_file)) == count, "the sink that is not down to have all alerts", 1800)
        with receiving(port=port) as peer:
            wait_for(lambda: len(peer.requests) >= count, "the receiver to have all alerts", 3600)

            assert got(peer) == ids_of(site.alerts_file)
        assert len(set(ids_of(site.alerts_file))) == count
        size = sum(path.stat().st_size for path in site.state.glob("*.sqlite*"))
        assert site.stop(within_seconds=60) == 0
    print(f"{count:,} alerts while down, in {filled:.0f} s, memory {grown:+.0f} MB, ledger {size >> 20} MiB")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_hundred_thousand_alerts_of_an_outage_arrive_once_and_in_order(tmp_path: Path, models: Path) -> None:
    long_outage(tmp_path / "site", models, 200_000)
