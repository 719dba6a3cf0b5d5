"""A stream that drifts for good: the daemon follows it, on record, over kill -9, as `run --once` and `score` do."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(300)

PER_DAY = 400
"""Records a day by their times: a period has a hundred."""

EXTRA = "time: {field: time}\nscore: {method: l1}\nalert: {threshold: 0.8, adaptive: true}"
SHOWN = (
    "expected_false_alerts_per_second", "expected_false_alerts_upper_per_second", "alert_episodes_total",
    "recent_records_scored",
)  # fmt: skip


def line(number: int, spread: float = 1.0) -> bytes:
    """A reading; with a larger spread all errors are larger."""
    chance = random.Random(number)
    values = {name: chance.gauss(0, spread) for name in "abc"}
    return json.dumps({"time": 1.7e9 + number * 86_400 / PER_DAY, **values}).encode() + b"\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A trained stream."""
    site = Site(tmp_path / "killed")
    site.configure("json_lines", ["a: numeric", "b: numeric", "c: numeric"], extra=EXTRA)
    benign = tmp_path / "benign.jsonl"
    benign.write_bytes(b"".join(line(-number) for number in range(2_000, 0, -1)))
    site.retrain(benign, "--force")
    return site


def limit_of(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aemonitor("models", "limit", "-c", str(site.config), "--json").stdout)
    return found


def alerts(site: Site) -> list[tuple[str, Any]]:
    return [(each["raw"], each["score"]) for each in site.ledger_alerts()]


def test_the_limit_follows_what_lasts_and_survives_kills(site: Site, tmp_path: Path) -> None:
    calm = Site(tmp_path / "calm")
    calm.config.write_text(site.config.read_text().replace("/killed/", "/calm/"))
    shutil.copytree(site.state / "models", calm.state / "models")
    records = [line(number, 1.5) for number in range(4_000)]
    calm.log.write_bytes(b"".join(records))
    episodes = 0.0
    try:
        for start, stop in ((0, 2_150), (2_150, 4_000)):  # in the middle of a period
            with site.log.open("ab") as log:
                log.write(b"".join(records[start:stop]))
            site.start_and_wait()
            wait_for(lambda: site.metric("records_scored_total") == stop, "every record to be scored")  # noqa: B023
            before, episodes = episodes, site.metric("alert_episodes_total")
            assert site.metric("recent_alert_episodes") == 2 * (episodes - before)  # of this run, an hour and a day
            threshold = site.metric("threshold")
            site.kill()
    finally:
        site.close()
    aemonitor("run", "-c", str(calm.config), "--once")

    found, expected = limit_of(site), limit_of(calm)
    assert (found["calibrated"], found["limit"]) == (0.8, pytest.approx(threshold))
    assert 0.8 < threshold <= 1.6
    assert [each["reason"] for each in found["changes"]] == [each["reason"] for each in expected["changes"]] != []
    assert alerts(site) == alerts(calm)
    assert found["alerts"] > found["episodes"] == expected["episodes"] == episodes
    assert len({limit["threshold"] for _, limit in alerts(calm)}) > 1
    scored = aemonitor("score", "-c", str(calm.config), str(calm.log), "--format", "jsonl").stdout.splitlines()
    sentences = [row["summary"] for row in map(json.loads, scored) if row["alert"]]
    assert sentences == [each["summary"] for each in calm.ledger_alerts()]


def test_what_was_expected_and_what_came_are_both_shown(site: Site) -> None:
    site.log.write_bytes(b"".join(line(number) for number in range(800)))
    try:
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") == 800, "every record to be scored")
        shown = {name: site.metric(name) for name in SHOWN}
        assert site.stop() == 0
    finally:
        site.close()

    expected, upper = shown["expected_false_alerts_per_second"], shown["expected_false_alerts_upper_per_second"]
    assert 0 < expected < upper
    assert shown["recent_records_scored"] == 2 * 800
    assert shown["alert_episodes_total"] <= 2 * upper * 2 * 86_400  # two days of benign records
    assert "expected  expect " in aemonitor("models", "limit", "-c", str(site.config)).stdout.decode()
