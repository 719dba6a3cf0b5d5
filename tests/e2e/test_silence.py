"""A stream from which nothing comes is told of once, whatever happens to the daemon, and that it is heard again."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import FEATURES, line, trained


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
        aemonitor("alerts", "label", "-c", str(site.config), delivered(site)[-1]["id"], "benign")
        wait_for(lambda: len(delivered(site)) == 4, "its end, as it is benign")
    finally:
        site.close()

    silent, heard, again, accepted = delivered(site)
    assert told_before == 1
    assert (silent["state"], silent["severity"], silent["key"], silent["raw"]) == ("firing", "warning", None, "")
    assert re.match("web: silent for [0-9]+ s, since 20", silent["summary"])
    assert (heard["state"], heard["id"]) == ("resolved", silent["id"])
    assert "records come again after a silence of" in heard["summary"]
    assert again["state"] == "firing"
    assert again["id"] != silent["id"]
    assert (accepted["state"], accepted["id"]) == ("resolved", again["id"])
    assert "which was labelled benign" in accepted["summary"]
    listed = aemonitor("alerts", "list", "-c", str(site.config)).stdout.decode()
    assert listed.count("silent for") == 3
    assert "silent for" in aemonitor("alerts", "show", "-c", str(site.config), again["id"]).stdout.decode()


def test_how_long_it_may_last_is_learned(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure("json_lines", ["level: numeric"], extra="time: {field: at}\nscore: {method: l1}")
    benign = tmp_path / "benign.jsonl"
    times = [1_772_000_000 + 10 * number + 90 * (number > 500) for number in range(2_000)]
    benign.write_text("".join(f'{{"at": {time}, "level": {20 + time % 7}}}\n' for time in times))

    done = aemonitor("retrain", "-c", str(site.config), "--input", str(benign))

    assert "  silence    told after 5 min without a record" in done.stdout.decode()


def test_keys_that_are_there_all_the_time_are_learned(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure("json_lines", ["level: numeric"], extra="time: {field: at}\nkey: host\nscore: {method: l1}")
    benign = tmp_path / "benign.jsonl"
    readings = [(1_772_000_000 + 600 * number, host) for number in range(150) for host in "abcdefghij"]
    benign.write_text(
        "".join(f'{{"at": {time}, "host": "{host}", "level": {20 + time % 7}}}\n' for time, host in readings)
    )

    done = aemonitor("retrain", "-c", str(site.config), "--input", str(benign))

    assert "of each of 10 keys that are there all the time after 30 min, within a day by its own habit" in (
        done.stdout.decode()
    )


ALERT = "alert: {threshold: 3.0, hold_seconds: 0, silence: off, key_silence: 1}"
RULE = "suppress: [{name: planned, reason: moved, until: never, fields: {host: {equals: c}}}]"


def heard(host: str, *ages: float) -> str:
    return "".join(f'{{"at": {time.time() - age}, "host": "{host}", "level": 20.0, "mode": "a"}}\n' for age in ages)


def test_a_host_that_falls_silent_is_told_once_over_a_kill_and_its_end_too(tmp_path: Path, models: Path) -> None:
    site = Site(tmp_path / "site")
    alert = ALERT.replace("}", f", {RULE}}}")
    site.configure("json_lines", FEATURES, extra=f"key: host\ntime: {{field: at}}\n{alert}", tell="episodes")
    shutil.copytree(models, site.state / "models")
    ages = [30.0 - number / 2 for number in range(60)]
    site.log.write_text("".join(heard(host, *ages) for host in "abc"))

    def while_others_speak(arrived: int) -> Callable[[], bool]:
        def told() -> bool:
            with site.log.open("a") as log:
                log.write(heard("a", 0.0))
            return len(delivered(site)) == arrived

        return told

    try:
        site.start_and_wait()
        wait_for(while_others_speak(1), "the silence of b")
        site.kill()
        site.start_and_wait()
        with site.log.open("a") as log:
            log.write(heard("b", 0.0))
        wait_for(while_others_speak(2), "its end")
    finally:
        site.close()

    silent, back = delivered(site)
    assert (silent["state"], silent["key"], silent["severity"]) == ("firing", "b", "warning")
    assert re.match(r"web b: silent for \d+ s, since 20.*: no record in 1 s or longer", silent["summary"])
    assert silent["source"]["path"] == str(site.log)
    assert silent["source"]["offset"] > 0
    assert (back["state"], back["id"], back["key"]) == ("resolved", silent["id"], "b")
    assert "web b: records come again after a silence of" in back["summary"]
    listed = aemonitor("alerts", "list", "--suppressed", "-c", str(site.config)).stdout.decode()
    assert "web c: silent for" in listed
    shown = json.loads(aemonitor("alerts", "show", "-c", str(site.config), silent["id"]).stdout)
    assert (shown["id"], shown["state"]) == (silent["id"], "resolved")
