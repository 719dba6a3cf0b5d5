"""Hours of an ordinary life in short: memory and descriptors stay as they are."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import Writer, demand_each_once, settle, shifted, trained

RATE, FAULT_EVERY = 5_000, 500
ROTATION_SECONDS, RELOAD_SECONDS, LOOK_SECONDS = 10, 60, 1.0
WARM_UP = 0.3
"""The share of the time that is left out: caches and the allocator's pools fill."""
SLOPE_MB_PER_HOUR = 0.5
"""What memory may grow by in a run of hours; a run of minutes cannot tell so little, so there it is only printed."""
STEP_MB = 8
"""What it may grow by, after the warm-up, in a run of minutes."""

RELOADS_MB = 3
"""The same of thirty reloads; each leaves a third of a megabyte behind where nobody collects it."""


def resources(site: Site) -> tuple[float, int]:
    """Resident memory in MB, and open descriptors."""
    assert site.daemon is not None
    process = Path(f"/proc/{site.daemon.pid}")
    found = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert found
    return int(found[1]) / 1024, len(list((process / "fd").iterdir()))


def soak(site: Site, seconds: float) -> None:
    site.start_and_wait()
    writer = Writer(site.log, RATE, RATE * ROTATION_SECONDS, rotate=shifted(5), fault_every=FAULT_EVERY)
    writer.start()
    seen: list[tuple[float, float, int]] = []
    try:
        begun = reloaded = time.monotonic()
        while (now := time.monotonic()) - begun < seconds:
            if now - reloaded > RELOAD_SECONDS:
                site.hang_up()
                reloaded = now
            seen.append((now - begun, *resources(site)))
            time.sleep(LOOK_SECONDS)  # how long the soak takes is the input of this test
        writer.stop()
        settle(site, writer.written)
        assert site.metric("records_read_total") == writer.written
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    demand_each_once(site, writer.written, FAULT_EVERY)
    judge(seen, seconds, writer)


def judge(seen: list[tuple[float, float, int]], seconds: float, writer: Writer) -> None:
    """What grows without end shows as a slope after the warm-up."""
    at, memory, descriptors = np.array([look for look in seen if look[0] > WARM_UP * seconds]).T
    slope = float(np.polyfit(at / 3600, memory, 1)[0])
    half = len(at) // 2
    print(
        f"{seconds:g} s, {writer.written:,} lines, {writer.rotations} rotations: {memory.min():.1f} to "
        f"{memory.max():.1f} MB, {slope:+.1f} MB/h, {descriptors.min():g} to {descriptors.max():g} descriptors"
    )
    assert np.median(memory[half:]) - np.median(memory[:half]) < max(STEP_MB, SLOPE_MB_PER_HOUR * seconds / 3600)
    assert np.median(descriptors[half:]) <= np.median(descriptors[:half])


def reloaded(site: Site, times: int) -> bool:
    return site.metric("config_reloads_total") >= times


@pytest.mark.timeout(300)
def test_thirty_reloads_leave_nothing_behind(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    site.start_and_wait()
    try:
        seen: list[float] = []
        for number in range(1, 36):
            site.hang_up()
            wait_for(partial(reloaded, site, number), "the reload")
            seen.append(resources(site)[0])
        assert site.stop() == 0
    finally:
        site.close()

    assert seen[-1] - seen[4] < RELOADS_MB


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_minutes_of_rotations_and_reloads_take_no_more_memory_or_descriptors(tmp_path: Path, models: Path) -> None:
    soak(trained(tmp_path, models), 600)


@pytest.mark.long
@pytest.mark.timeout(2 * 3600)
def test_an_hour_of_rotations_and_reloads_takes_no_more_memory_or_descriptors(tmp_path: Path, models: Path) -> None:
    soak(trained(tmp_path, models), 3600)
