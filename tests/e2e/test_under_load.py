"""Reloads, scrapes, overload and damage under load, with the real daemon: sums hold at every moment."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest

from monitor.ledger import Ledger
from monitor.ledger.damage import evidence
from monitor.ledger.files import NAME
from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import Writer, add_option, demand_each_once, lines, settle, trained

pytestmark = pytest.mark.timeout(600)

RATE = 3_000
LONG_RATE = 5_000


def replace(site: Site, text: str) -> None:
    """Change the configuration as an editor does, never half."""
    new = site.config.with_suffix(".new")
    new.write_text(text)
    os.replace(new, site.config)  # noqa: PTH105 - the system call


def reloaded(site: Site, times: int, rate: int) -> None:
    """SIGHUP beside a writer; every other time the file is wrong, otherwise the source is opened anew."""
    good = site.config.read_text()
    slower = good.replace("rotate_grace_seconds: 1.0", "rotate_grace_seconds: 1.5")
    wrong = good.replace("model:", "modle:")
    assert len({good, slower, wrong}) == 3
    writer = Writer(site.log, rate, rotate_every=2 * rate)
    site.start_and_wait()
    writer.start()
    try:
        for number in range(times):
            before = site.metric("config_reloads_total")
            replace(site, [wrong, slower, wrong, good][number % 4])
            site.hang_up()
            wait_for(lambda: site.metric("config_reloads_total") > before, "the reload")  # noqa: B023
            assert site.metric("config_last_reload_successful") == number % 2
        writer.stop()
        settle(site, writer.written)
        assert site.metric("records_scored_total") == writer.written
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    demand_each_once(site, writer.written)
    print(f"{writer.written:,} lines, {times} SIGHUPs, half of them refused: 0 lost, 0 duplicated")


def test_reloads_under_load_lose_and_repeat_nothing(tmp_path: Path, models: Path) -> None:
    reloaded(trained(tmp_path, models), 8, RATE)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_reloads_under_load_lose_and_repeat_nothing(tmp_path: Path, models: Path) -> None:
    reloaded(trained(tmp_path, models), 200, LONG_RATE)


IDENTITY = ("scored", "unparsed", "filtered", "sampled_out")


def demand_identity(scrape: str) -> int:
    """read = scored + unparsed + filtered + sampled_out + in_flight, to the record; how many were read."""
    found = {name: int(float(value)) for name, value in re.findall(r"aemonitor_records_(\w+){[^}]*} (\S+)", scrape)}
    assert found["read_total"] == sum(found[f"{name}_total"] for name in IDENTITY) + found["in_flight"]
    assert found["in_flight"] >= 0
    return found["read_total"]


def scraped(site: Site, times: int, rate: int) -> None:
    chance, seen = random.Random(31), set[int]()
    writer = Writer(site.log, rate, rotate_every=2 * rate)
    site.start_and_wait()
    writer.start()
    try:
        for _ in range(times):
            time.sleep(chance.uniform(0, 0.02))  # the moment of the scrape is the input of this test
            seen.add(demand_identity(site.metrics()))
        writer.stop()
        settle(site, writer.written)
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    assert len(seen) > times / 20  # it was really reading meanwhile
    aemonitor("verify", "-c", str(site.config))
    print(f"{writer.written:,} lines, {times} scrapes with {len(seen)} different counts: exact")


def test_the_sums_hold_at_a_hundred_random_scrapes(tmp_path: Path, models: Path) -> None:
    scraped(trained(tmp_path, models), 100, RATE)


@pytest.mark.long
def test_the_sums_hold_at_a_thousand_random_scrapes(tmp_path: Path, models: Path) -> None:
    scraped(trained(tmp_path, models), 1_000, LONG_RATE)


def test_overload_passes_records_over_only_where_that_was_asked_for(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    site.log.write_bytes(lines(60_000))
    add_option(site, "limits: {queue_bytes: 524288, on_overload: sample, sample_one_in: 7}")

    aemonitor("run", "-c", str(site.config), "--once")

    with Ledger.open(site.state, read_only=True) as ledger:
        counts = ledger.counts("web")
    assert counts.read == counts.scored + counts.sampled_out == 60_000
    assert 0 < counts.sampled_out <= 60_000 * 6.5 / 7
    assert b"60,000 of 60,000 records were counted again" in aemonitor("verify", "-c", str(site.config)).stdout


def test_two_daemons_with_directories_of_their_own_read_the_same_file(tmp_path: Path, models: Path) -> None:
    first, second = trained(tmp_path / "first", models), trained(tmp_path / "second", models)
    first.log.write_bytes(lines(1_000))
    second.config.write_text(second.config.read_text().replace(str(second.log), str(first.log)))

    for site in (first, second):
        aemonitor("run", "-c", str(site.config), "--once")

    for site in (first, second):
        demand_each_once(site, 1_000)


def test_a_damaged_ledger_stops_the_daemon_unless_it_is_told_where_to_begin(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    run = ("run", "-c", str(site.config), "--once")
    site.log.write_bytes(lines(100))
    aemonitor(*run)
    text = site.config.read_text()
    scored: list[int] = []

    (site.state / NAME).write_bytes(b"")
    assert b"It was kept as" in aemonitor(*run, code=78).stderr
    for begin in ("end", "beginning"):
        (site.state / NAME).write_bytes(b"")
        replace(site, f"on_corrupt_state: {begin}\n{text}")
        done = aemonitor(*run)
        assert b"ERROR ledger_replaced" in done.stderr
        with Ledger.open(site.state, read_only=True) as ledger:
            scored.append(ledger.counts("web").scored)

    assert scored == [0, 100]
    assert len(evidence(site.state, NAME)) == 3
