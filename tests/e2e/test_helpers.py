"""With helping processes a daemon says and commits what it does alone, also when they are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import EXTRA, FEATURES, demand_each_once, lines

PART, LEAST_PARTS, HELPED = 20_000, 4, 3
"""Records are written in parts, until helpers have prepared a few batches."""


def site_with(root: Path, models: Path, helpers: int) -> Site:
    site = Site(root)
    site.configure("json_lines", FEATURES, extra=EXTRA)
    site.config.write_text(f"helpers: {helpers}\n{site.config.read_text()}")
    shutil.copytree(models, site.state / "models")
    return site


def alerts(site: Site) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in site.alerts_file.read_bytes().splitlines()]
    return [{name: alert[name] for name in ("fingerprint", "score", "fields", "summary", "raw")} for alert in told]


def children(site: Site) -> list[int]:
    """The helping processes of the daemon: all its children but the one that minds shared resources."""
    assert site.daemon is not None
    listed = Path(f"/proc/{site.daemon.pid}/task").glob("*/children")
    pids = [int(pid) for entry in listed for pid in entry.read_text().split()]
    return [pid for pid in pids if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


def scored(site: Site, parts: int) -> None:
    """Write one more part, and wait until all of them are scored."""
    with site.log.open("ab") as log:
        log.write(lines(PART, PART * (parts - 1)))
    wait_for(lambda: site.metric("records_scored_total") == PART * parts, "the records to be scored")


@pytest.mark.parametrize("kill", [False, True], ids=["left alone", "killed"])
def test_alerts_are_those_of_one_process(tmp_path: Path, models: Path, kill: bool) -> None:
    alone, helped = (site_with(tmp_path / f"{count}", models, count) for count in (0, 1))
    parts, killed = 0, not kill
    helped.log.touch()
    try:
        helped.start_and_wait()
        while parts < LEAST_PARTS or helped.metric("helped_batches_total") < HELPED or not killed:
            parts += 1
            scored(helped, parts)
            if not killed and helped.metric("helped_batches_total"):
                os.kill(children(helped)[0], signal.SIGKILL)
                killed = True
        scored(helped, parts + 1)
        deaths = helped.metric("helper_failures_total")
        assert helped.stop() == 0
    finally:
        helped.close()
    alone.log.write_bytes(helped.log.read_bytes())
    aemonitor("run", "-c", str(alone.config), "--once")

    assert deaths == kill
    demand_each_once(helped, PART * (parts + 1))
    assert alerts(helped) == alerts(alone)
