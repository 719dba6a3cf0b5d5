"""What stays odd all day is told as a change of regime, and then no more until it is over."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import FEATURES

EXTRA = "key: host\nscore: {method: l1}\ntime: {field: at}\nalert: {threshold: 3.0, hold_seconds: 0, regime_after: 3}"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def odd(minute: int) -> str:
    moment = datetime.fromtimestamp(BEGIN + 60 * minute, UTC).isoformat()
    return json.dumps({"at": moment, "host": "b", "level": 900.0, "mode": "a"}) + "\n"


def delivered(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.alerts_file.read_bytes().splitlines()]


def test_the_third_episode_of_a_day_says_what_has_changed_and_is_the_last(tmp_path: Path, models: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure("json_lines", FEATURES, extra=EXTRA, tell="episodes")
    shutil.copytree(models, site.state / "models")
    site.log.touch()
    try:
        site.start_and_wait()
        for minutes in ([0, 1], [60], [120, 300, 700], [1500]):
            with site.log.open("a") as log:
                log.writelines(map(odd, minutes))
            wait_for(lambda: site.metric("records_scored_total") == len(site.log.read_text().splitlines()), "them")
            site.kill()
            site.start_and_wait()
        with site.log.open("a") as log:
            log.write(odd(4000))
        wait_for(lambda: len(delivered(site)) == 7, "the end of it all")
    finally:
        site.close()

    firing = [each for each in delivered(site) if each["state"] == "firing"]
    resolved = [each for each in delivered(site) if each["state"] == "resolved"]
    assert [each["time"][8:16] for each in firing] == ["01T00:00", "01T01:00", "01T02:00", "03T18:40"]
    assert (
        "web b: anomalous in 3 episodes since 2026-11-01T00:00:00.000Z, perhaps how it is now: level benign"
        in (firing[2]["summary"])
    )
    assert "-> 900" in firing[2]["summary"]
    assert "retrain with newer records or label this benign" in firing[2]["summary"]
    assert [each["count"] for each in resolved] == [2, 1, 4]
    assert resolved[2]["id"] == firing[2]["id"]
