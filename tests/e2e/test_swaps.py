"""Models published under load, every other one damaged: each record is scored once, by one good model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from monitor.ledger import Ledger
from monitor.model.bundle import verify
from monitor.model.publishing import publish
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import Writer, demand_each_once, settle, trained

RATE, LONG_RATE = 3_000, 50_000


def point(stream: Path, version: str) -> None:
    """Make a version the current one."""
    (stream / "next").write_text(f"{version}\n")
    os.replace(stream / "next", stream / "current")  # noqa: PTH105 - the system call


def damaged(models: Path, good: Path, number: int) -> str:
    """A version whose weights lack their last byte."""
    version = publish(models, verify(good).contents, now=2e9 + number)
    weights = models / "web" / version / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return version


def swapped(site: Site, times: int, writer: Writer) -> None:
    models, stream = site.state / "models", site.state / "models" / "web"
    first = version = (stream / "current").read_text().strip()
    second = publish(models, verify(stream / first).contents, now=2e9)
    bad = damaged(models, stream / first, 1)
    point(stream, first)
    site.start_and_wait()
    writer.start()
    try:
        for number in range(times):
            if number % 2:
                refused = site.metric("model_refusals_total")
                point(stream, bad)
                wait_for(lambda: site.metric("model_refusals_total") > refused, "the refusal")  # noqa: B023
                assert f'version="{version}"' in site.metrics()
            else:
                version = (second, first)[number // 2 % 2]
                point(stream, version)
                wait_for(lambda: f'version="{version}"' in site.metrics(), "the new model")  # noqa: B023
        writer.stop()
        settle(site, writer.written)
        assert site.metric("records_read_total") == site.metric("records_scored_total") == writer.written
        assert site.stop(within_seconds=60) == 0
    finally:
        site.close()
        writer.stop()
    demand_each_once(site, writer.written, writer.fault_every)
    with Ledger.open(site.state, read_only=True) as ledger:
        used = {json.loads(alert)["model"]["version"] for alert in ledger.alerts("web", limit=10_000_000)}
    assert used == {first, second}
    print(f"{writer.written:,} lines, {times} swaps: each scored once, by one of two good models")


@pytest.mark.timeout(600)
def test_models_swapped_under_load_score_each_record_once(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    swapped(site, 5, Writer(site.log, RATE, rotate_every=2 * RATE))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_models_swapped_under_load_score_each_record_once(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    swapped(site, 200, Writer(site.log, LONG_RATE, rotate_every=2 * LONG_RATE, fault_every=500))
