"""kill -9 and SIGTERM under load: no alert lost, none twice, every record scored once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.ledger import Ledger
from tests.e2e.support import Site, aemonitor
from tests.e2e.traffic import Writer, demand_each_once, lines, settle, trained

RATE, FAULT_EVERY = 5_000, 50
LONG_RATE, LONG_FAULT_EVERY = 20_000, 500
QUICK = pytest.mark.timeout(900)
LONG = [pytest.mark.long, pytest.mark.timeout(3600)]
LIFE_SECONDS = 1.0
BLOCK = 1_000_000
"""Lines of one block of a backlog, about 45 MB."""


def stopped_again_and_again(
    site: Site, times: int, writer: Writer, stop: Callable[[], None], seconds: tuple[float, float]
) -> None:
    """Start and stop the daemon so often beside a writer that rotates; everything is scored once."""
    chance = random.Random(5)
    site.start_and_wait()  # what is rotated away before the very first start is nobody's
    writer.start()
    try:
        for number in range(times):
            if number:
                site.start_and_wait()
            time.sleep(chance.uniform(*seconds))  # the moment of the stop is the input of these tests
            stop()
        writer.stop()
        site.start_and_wait()
        settle(site, writer.written)
        scored, read = site.metric("records_scored_total"), site.metric("records_read_total")
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    assert (scored, read) == (writer.written, writer.written)
    assert writer.rotations > 0
    demand_each_once(site, writer.written, writer.fault_every)
    print(f"{writer.written:,} lines, {writer.rotations} rotations, {times} stops: 0 lost, 0 duplicated, 0 torn")


def writer_of(site: Site, rate: int, fault_every: int) -> Writer:
    return Writer(site.log, rate, rotate_every=4 * rate, fault_every=fault_every)


@pytest.mark.parametrize(
    ("times", "rate", "fault_every"),
    [pytest.param(20, RATE, FAULT_EVERY, marks=QUICK), pytest.param(200, LONG_RATE, LONG_FAULT_EVERY, marks=LONG)],
)
def test_no_alert_is_lost_or_duplicated_over_kills(
    tmp_path: Path, models: Path, times: int, rate: int, fault_every: int
) -> None:
    site = trained(tmp_path, models)
    stopped_again_and_again(site, times, writer_of(site, rate, fault_every), site.kill, seconds=(0.15, 0.55))


def terminated(site: Site, times: int, writer: Writer) -> None:
    """What waits to be scored is left to the next start; nothing that was scored is scored again."""
    took: list[float] = []

    def stop() -> None:
        scored = site.metric("records_scored_total")
        begun = time.monotonic()
        assert site.stop(within_seconds=60) == 0  # how soon is printed and not insisted on: here the machine is busy
        took.append(time.monotonic() - begun)
        with Ledger.open(site.state, read_only=True) as ledger:
            assert ledger.counts("web").scored >= scored
            assert ledger.pending_count("file") == 0

    stopped_again_and_again(site, times, writer, stop, seconds=(0.0, 0.6))
    print(f"SIGTERM to exit 0: median {sorted(took)[times // 2]:.2f} s, longest {max(took):.2f} s")


@pytest.mark.parametrize(
    ("times", "rate", "fault_every"),
    [pytest.param(4, RATE, FAULT_EVERY, marks=QUICK), pytest.param(50, LONG_RATE, LONG_FAULT_EVERY, marks=LONG)],
)
def test_sigterm_under_load_repeats_nothing(
    tmp_path: Path, models: Path, times: int, rate: int, fault_every: int
) -> None:
    site = trained(tmp_path, models)
    terminated(site, times, writer_of(site, rate, fault_every))


def crash_loop(site: Site, lives: int, megabytes: int) -> None:
    """Every life of a second gets further in a backlog, and what was reached is proved record by record."""
    block = lines(BLOCK, fault_every=BLOCK)
    with site.log.open("ab") as out:
        for _ in range(megabytes * 10**6 // len(block)):
            out.write(block)
    reached = [0]
    for _ in range(lives):
        site.start_and_wait()
        time.sleep(LIFE_SECONDS)  # how long a life is, is the input of this test
        site.kill()
        with Ledger.open(site.state, read_only=True) as ledger:
            reached.append(max(state.offset for state in ledger.resume("web")))
    assert reached == sorted(set(reached))
    aemonitor("verify", "-c", str(site.config))
    steps = [after - before for before, after in pairwise(reached)]
    size = site.log.stat().st_size
    print(f"{lives} lives, {reached[-1] / 1e6:,.0f} of {size / 1e6:,.0f} MB, at least {min(steps) / 1e6:.1f} MB a life")


@pytest.mark.parametrize(
    ("lives", "megabytes"), [pytest.param(3, 200, marks=QUICK), pytest.param(30, 2_000, marks=LONG)]
)
def test_a_crash_loop_with_a_backlog_gets_further_with_every_life(
    tmp_path: Path, models: Path, lives: int, megabytes: int
) -> None:
    crash_loop(trained(tmp_path, models), lives, megabytes)
