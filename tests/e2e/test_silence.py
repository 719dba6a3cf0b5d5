"""A stream from which nothing comes is told of once, whatever happens to the daemon, and that it is heard again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import line, trained


def delivered(site: Site) -> list[dict[str, Any]]:
    if not site.alerts_file.exists():
        return []
    return [json.loads(alert) for alert in site.alerts_file.read_bytes().splitlines()]


@pytest.fixture
def quiet(tmp_path: Path, models: Path) -> Site:
    site = trained(tmp_path / "site", models)
    site.config.write_text(site.config.read_text().replace("threshold: 3.0", "threshold: 3.0, silence: 1.5"))
    return site


def test_silence_is_told_once_over_a_kill_and_its_end_too(quiet: Site) -> None:
    site = quiet
    site.log.write_bytes(line(1))
    try:
        site.start_and_wait()
        wait_for(lambda: len(delivered(site)) == 1, "silence to be told")
        told_before = site.metric("alerts_told_total")
        site.kill()
        site.start_and_wait()
        begun = site.metric("records_scored_total")
        with site.log.open("ab") as log:
            log.write(line(2))
        wait_for(lambda: site.metric("records_scored_total") == begun + 1, "the record to be scored")
        wait_for(lambda: len(delivered(site)) == 2, "the end to be told")
        wait_for(lambda: len(delivered(site)) == 3, "the next silence")
    finally:
        site.close()

    silent, heard, again = delivered(site)
    assert told_before == 1
    assert (silent["state"], silent["severity"], silent["key"], silent["raw"]) == ("firing", "warning", None, "")
    assert re.match("web: silent for [0-9]+ s, since 20", silent["summary"])
    assert (heard["state"], heard["id"]) == ("resolved", silent["id"])
    assert "records come again after a silence of" in heard["summary"]
    assert again["state"] == "firing"
    assert again["id"] != silent["id"]
    listed = aemonitor("alerts", "list", "-c", str(site.config)).stdout.decode()
    assert listed.count("silent for") == 2
    assert "silent for" in aemonitor("alerts", "show", "-c", str(site.config), again["id"]).stdout.decode()


def test_how_long_it_may_last_is_learned(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure("json_lines", ["level: numeric"], extra="time: {field: at}\nscore: {method: l1}")
    benign = tmp_path / "benign.jsonl"
    times = [1_772_000_000 + 10 * number + 90 * (number > 500) for number in range(2_000)]
    benign.write_text("".join(f'{{"at": {time}, "level": {20 + time % 7}}}\n' for time in times))

    done = aemonitor("retrain", "-c", str(site.config), "--input", str(benign))

    assert "  silence    told after 5 min without a record" in done.stdout.decode()
