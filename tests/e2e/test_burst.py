"""An attack from tens of thousands of addresses within seconds: a person gets three messages, the daemon stays fast."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import FEATURES

EXTRA = "key: host\nscore: {method: l1}\nalert: {threshold: 3.0, episode_gap_seconds: 20.0, hold_seconds: 2.0}"
"""The gap is longer than a restart takes on a busy machine: a storm that pauses for longer is over, as it should be."""
HOSTS = 20_000


def reading(number: int, level: float) -> bytes:
    host = number * 7_919 % HOSTS
    return b'{"host": "10.%d.%d.%d", "level": %.1f, "mode": "%c"}\n' % (
        host >> 16, host >> 8 & 255, host & 255, level, b"abc"[number % 3]
    )  # fmt: skip


def benign(count: int) -> bytes:
    return b"".join(reading(number, 20.0 + number % 17) for number in range(count))


def attack(count: int) -> bytes:
    return b"".join(reading(number, 900.0 if number % 50 else 990.0) for number in range(count))


@pytest.fixture
def site(tmp_path: Path, models: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    site.configure("json_lines", FEATURES, extra=EXTRA, tell="episodes")
    shutil.copytree(models, site.state / "models")
    site.log.touch()
    site.start_and_wait()
    yield site
    site.close()


def delivered(site: Site) -> list[dict[str, Any]]:
    if not site.alerts_file.exists():
        return []
    return [json.loads(line) for line in site.alerts_file.read_bytes().splitlines()]


class Cost(NamedTuple):
    cpu_seconds: float
    memory: float


def cost(site: Site, lines: bytes) -> Cost:
    """What the daemon spends on some lines, and how large it is then."""
    records, spent = site.metric("records_scored_total"), _process(site, "cpu_seconds_total")
    with site.log.open("ab") as log:
        log.write(lines)
    expected = records + lines.count(b"\n")
    wait_for(lambda: site.metric("records_scored_total") == expected, "the lines to be scored")
    return Cost(_process(site, "cpu_seconds_total") - spent, _process(site, "resident_memory_bytes"))


def _process(site: Site, name: str) -> float:
    return next(
        float(line.rsplit(" ", 1)[1]) for line in site.metrics().splitlines() if line.startswith(f"process_{name} ")
    )


def demand_three_messages(site: Site, records: int) -> None:
    wait_for(lambda: len(delivered(site)) >= 3 and delivered(site)[-1]["state"] == "resolved", "the end to be told")

    first, storm, over = delivered(site)
    assert (first["state"], first["key"], first["count"]) == ("firing", "10.0.0.0", 1)
    assert (storm["state"], storm["key"], storm["severity"]) == ("firing", None, "critical")
    assert (over["state"], over["count"], over["id"]) == ("resolved", records, first["id"])
    assert storm["episode"]["id"] == first["id"] != storm["id"]
    assert over["episode"]["keys"] == pytest.approx(HOSTS, rel=0.05)
    assert "keys are anomalous since" in storm["summary"]
    assert ", mostly level; worst 10." in storm["summary"]
    assert "no longer many at once, after" in over["summary"]
    assert site.metric("alerts_told_total") == 2


def test_a_burst_from_thousands_of_hosts_is_three_messages(site: Site) -> None:
    cost(site, attack(20_000))

    demand_three_messages(site, 20_000)
    assert site.metric("alerts_total") == 20_000
    assert site.metric("alert_episodes_total") == 3


def test_a_kill_in_the_middle_changes_nothing(site: Site) -> None:
    lines = attack(20_000).splitlines(keepends=True)
    cost(site, b"".join(lines[:10_000]))
    site.kill()
    site.start_and_wait()
    cost(site, b"".join(lines[10_000:]))

    demand_three_messages(site, 20_000)


@pytest.mark.long
def test_a_long_burst_costs_less_than_twice_what_usual_records_do(site: Site) -> None:
    usual = cost(site, benign(100_000))

    attacked = cost(site, attack(100_000))

    demand_three_messages(site, 100_000)
    print(f"{usual=}, {attacked=}")
    assert attacked.cpu_seconds < 2 * usual.cpu_seconds
    assert attacked.memory < usual.memory + 64e6
