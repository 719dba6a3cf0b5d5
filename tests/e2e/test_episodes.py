"""A person is told of each episode as it begins and as it ends, once, whatever happens to the daemon meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import FEATURES

BURST = 2_000
EXTRA = "key: host\nalert: {threshold: 3.0, episode_gap_seconds: 2.0, hold_seconds: 0}\nscore: {method: l1}"


def reading(number: int, host: str, level: float | None = None) -> str:
    record = {"host": host, "level": 20.0 + number % 17 if level is None else level, "mode": "abc"[number % 3]}
    return json.dumps(record) + "\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    site.configure("json_lines", FEATURES, extra=EXTRA, tell="episodes")
    benign = tmp_path / "benign.jsonl"
    benign.write_text("".join(reading(number, "a") for number in range(2_000)))
    site.retrain(benign)
    yield site
    site.close()


def append(site: Site, *lines: str) -> None:
    with site.log.open("a") as log:
        log.writelines(lines)


def delivered(site: Site) -> list[dict[str, Any]]:
    if not site.alerts_file.exists():
        return []
    return [json.loads(line) for line in site.alerts_file.read_bytes().splitlines()]


def test_a_burst_is_told_once_for_each_key_and_its_end_too_over_a_kill(site: Site) -> None:
    site.start_and_wait()
    append(site, *(reading(number, "ab"[number % 2], 900.0) for number in range(BURST)))
    wait_for(lambda: site.metric("records_scored_total") == BURST, "the burst to be scored")
    wait_for(lambda: len(delivered(site)) == 2, "both hosts to be told of")
    site.kill()
    site.start_and_wait()
    wait_for(lambda: len(delivered(site)) == 4, "the ends to be told of, by the clock alone")

    first, second, *ends = delivered(site)
    assert (site.metric("alerts_total"), site.metric("alert_episodes_total")) == (BURST, 2)
    assert site.metric("alerts_told_total") == 2
    assert [(told["state"], told["key"], told["count"]) for told in (first, second)] == [
        ("firing", "a", 1),
        ("firing", "b", 1),
    ]
    assert sorted((end["state"], end["key"], end["count"], end["id"]) for end in ends) == [
        ("resolved", "a", BURST / 2, first["id"]),
        ("resolved", "b", BURST / 2, second["id"]),
    ]
    assert {end["fingerprint"] for end in ends} == {first["fingerprint"], second["fingerprint"]}
    assert "web a: quiet again after 1,000 anomalous records within" in " ".join(end["summary"] for end in ends)

    listed = aemonitor("alerts", "list", "-c", str(site.config)).stdout.decode()
    assert listed.count("resolved") == listed.count("warning") == 2
    assert site.stop() == 0


def test_without_a_key_each_field_to_blame_has_an_episode(tmp_path: Path, models: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure("json_lines", FEATURES, extra=EXTRA.removeprefix("key: host\n"), tell="episodes")
    shutil.copytree(models, site.state / "models")
    odd = [reading(number, "a", 900.0) for number in range(60)]
    other = [reading(number, "a").replace('"mode": "', '"mode": "z') for number in range(60)]
    site.log.write_text("".join(line for both in zip(odd, other, strict=True) for line in both))
    try:
        site.start_and_wait()
        wait_for(lambda: len(delivered(site)) == 4, "both fields and their ends")
    finally:
        site.close()

    first, second, *ends = delivered(site)
    assert [(told["key"], told["fields"][0]["name"], told["count"]) for told in (first, second)] == [
        (None, "level", 1),
        (None, "mode", 1),
    ]
    assert first["fingerprint"] != second["fingerprint"]
    assert sorted((end["state"], end["count"]) for end in ends) == [("resolved", 60)] * 2
    assert {end["summary"].split(":")[0] for end in ends} == {"web level", "web mode"}
