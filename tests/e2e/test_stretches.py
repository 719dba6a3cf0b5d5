"""Sensors whose log is gone: the stretches that the daemon kept are enough to learn from what follows what."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.records import Field, FieldType
from monitor.reservoir.files import Day, read_days
from monitor.reservoir.turns import per_day
from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(900)  # 40 s on two idle cores: two trainings and 40,000 records

BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
SENSORS, MINUTES = 6, 3 * 1440
FEATURES = ["temp: streaming", "flow: streaming", "gap: interarrival"]
EXTRA = """time: {field: at}
key: sensor
alert: {budget: 20/day, regime_after: 0}
score: {method: l1}
reservoir: {max_records: 9000}"""
BUDGET, MOST = 20, 9000
FIELDS = [Field("flow", FieldType.NUMBER), Field("temp", FieldType.NUMBER)]
FAULTS = (("temp", 4.0), ("temp", -4.0), ("flow", 2.5), ("flow", -2.5))
"""What is added to one reading: unusual after the one before, and for the most part not by itself."""


def readings(path: Path, first: int, minutes: int, seed: int, faults: int = 0) -> Path:
    """A reading a minute of each sensor, from a minute on; ``faults`` of them are spoiled, and labelled."""
    chance = random.Random(seed)
    spoiled = {
        (chance.randrange(SENSORS), first + chance.randrange(60, minutes)): FAULTS[number % len(FAULTS)]
        for number in range(faults)
    }
    level = [chance.gauss(0.0, 1.0) for _ in range(SENSORS)]
    with path.open("w") as out:
        for minute in range(first, first + minutes):
            for sensor in range(SENSORS):
                level[sensor] = 0.95 * level[sensor] + 0.3 * chance.gauss(0.0, 1.0)
                temp = 40.0 + 3.0 * math.sin(math.tau * minute / 720) + level[sensor]
                facts = {"temp": temp, "flow": 5.0 + 0.5 * level[sensor] + 0.1 * chance.gauss(0.0, 1.0)}
                field, change = spoiled.get((sensor, minute), ("temp", 0.0))
                facts[field] += change
                at = (BEGUN + timedelta(minutes=minute, seconds=sensor)).isoformat()
                told = {name: round(value, 3) for name, value in facts.items()}
                label = int((sensor, minute) in spoiled)
                out.write(json.dumps({"at": at, "sensor": f"s{sensor}", "label": label, **told}) + "\n")
    return path


def measured(site: Site, probe: Path) -> dict[str, Any]:
    """What the published model makes of labelled readings."""
    options = ["--labels", "label", "--corrupt", "none", "--plant", "none", "--bootstrap", "0", "--json"]
    done = aemonitor("evaluate", "-c", str(site.config), str(probe), *options)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose daemon followed a log that is gone by now, with the model of the whole log."""
    site = Site(tmp_path_factory.mktemp("stretches"))
    site.configure("json_lines", FEATURES, extra=EXTRA)
    site.retrain(readings(site.log, 0, MINUTES, seed=1))
    secret = site.state / "reservoir" / "web" / "key"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(b"k" * 16)  # so that whose turn it is when is no accident
    try:
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") >= SENSORS * MINUTES, "every reading to be scored")
        assert site.stop(within_seconds=60) == 0
        site.log.unlink()
        yield site
    finally:
        site.close()


def told(name: str, found: dict[str, Any]) -> str:
    """One line for a person."""
    counts = found["confusion"]
    figures = {figure: round(found[figure]["value"], 5) for figure in ("recall", "false_positive_rate", "auroc")}
    return f"{name}: {counts['true_positives']} of {found['anomalous']} faults found, {figures}"


def test_a_model_of_stretches_is_about_as_good_as_one_of_the_whole_log(site: Site) -> None:
    probe = readings(site.root / "probe.jsonl", MINUTES, 1440, seed=2, faults=60)
    whole = measured(site, probe)

    done = aemonitor("retrain", "-c", str(site.config), "--force", "--json")

    sampled, (report,) = measured(site, probe), json.loads(done.stdout)
    print(f"{told('whole log', whole)}\n{told('stretches', sampled)}\n{done.stderr.decode()[:200]}")
    assert report["published"]
    assert sampled["model"] != whole["model"]
    assert sampled["recall"]["value"] >= whole["recall"]["value"] - 0.05
    assert sampled["auroc"]["value"] >= whole["auroc"]["value"] - 0.005
    assert sampled["confusion"]["false_positives"] <= 3 * BUDGET


def test_the_sample_is_a_part_of_the_log_and_says_how_large_one(site: Site) -> None:
    days = [day for _, day in read_days(site.state / "reservoir" / "web", FIELDS, stretches=True)]
    kept = [day for day in days if isinstance(day, Day)]
    tallies = {span: tally for day in kept for span, tally in day.tallies.items()}

    assert len(kept) == 3
    assert 8000 <= sum(len(day.table) for day in kept) <= MOST < SENSORS * MINUTES / 2
    assert per_day(tallies) == pytest.approx(SENSORS * 1440, rel=0.05)
