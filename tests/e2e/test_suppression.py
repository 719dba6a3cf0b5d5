"""What a rule or a person says of alerts holds from the next batch on and over restarts; nothing becomes invisible."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import FEATURES

EXTRA = "key: host\nscore: {method: l1}\ntime: {field: at}\nalert: {threshold: 3.0, suppress: [RULES]}"
BACKUP = "{name: backup, reason: reads all, until: never, fields: {agent: {matches: '^backup'}}}"
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:move@test
DTSTART:%s
DTEND:20991231T000000Z
SUMMARY:The servers move
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def site(tmp_path: Path, models: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    shutil.copytree(models, site.state / "models")
    site.log.touch()
    yield site
    site.close()


def configure(site: Site, rules: str) -> None:
    site.configure("json_lines", FEATURES, extra=EXTRA.replace("RULES", rules))


def append(site: Site, *agents: str, host: str = "a", **wrong: object) -> None:
    """An anomaly of each agent."""
    records = [{"at": "2026-11-22T12:00:00Z", "host": host, "agent": agent, "mode": "a"} for agent in agents]
    with site.log.open("a") as log:
        log.writelines(json.dumps(record | {"level": 900.0} | wrong) + "\n" for record in records)


def agents(site: Site) -> list[str]:
    """Who was told of."""
    lines = site.alerts_file.read_bytes().splitlines() if site.alerts_file.exists() else []
    return [json.loads(json.loads(line)["raw"])["agent"] for line in lines]


def scored(site: Site, count: int) -> None:
    wait_for(lambda: site.metric("records_scored_total") == count, f"{count} records to be scored")


def reload(site: Site) -> None:
    def good() -> int:
        return int(next(
            line.rsplit(" ", 1)[1].split(".")[0] for line in site.metrics().splitlines()
            if line.startswith('aemonitor_config_reloads_total{result="success"}')
        ))  # fmt: skip

    before = good()
    site.hang_up()
    wait_for(lambda: good() > before, "the configuration to be loaded")


def suppressed(site: Site) -> list[tuple[str, str]]:
    """The rule and the agent of each alert that is listed as suppressed."""
    done = aemonitor("alerts", "list", "--suppressed", "--json", "-c", str(site.config))
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert {alert["state"] for alert in alerts} <= {"suppressed"}
    return [(alert["suppressed_by"], json.loads(alert["raw"])["agent"]) for alert in alerts]


def test_a_rule_holds_from_the_reload_on_over_restarts_and_counts_what_it_hides(site: Site) -> None:
    configure(site, "")
    site.start_and_wait()
    append(site, "backup/1", "curl")
    scored(site, 2)
    configure(site, BACKUP)
    reload(site)
    append(site, "backup/2", "curl", "backup/3")
    scored(site, 5)
    site.kill()
    site.start_and_wait()
    append(site, "backup/4", "wget")
    scored(site, 7)
    wait_for(lambda: len(agents(site)) == 4, "the others to be told")

    assert agents(site) == ["backup/1", "curl", "curl", "wget"]
    assert suppressed(site) == [("backup", "backup/2")]  # an episode of the rule is listed once
    assert site.metric("alerts_suppressed_total") == 3
    assert 'rule="backup"' in site.metrics()
    assert 'rule="feedback"' in site.metrics()
    assert site.metric("alerts_total") == 7
    listed = aemonitor("alerts", "list", "--suppressed", "-c", str(site.config)).stdout.decode()
    assert "  backup    web: level is 900" in listed


def test_a_calendar_that_changes_is_read_again(site: Site, tmp_path: Path) -> None:
    calendar = tmp_path / "moves.ics"
    calendar.write_text(CALENDAR % "20981231T000000Z")
    configure(site, f"{{name: move, reason: they move, calendar: {calendar}}}")
    site.start_and_wait()
    append(site, "before")
    scored(site, 1)

    reloads = site.metric("config_reloads_total")
    calendar.write_text(CALENDAR % "20251231T000000Z")
    wait_for(lambda: site.metric("config_reloads_total") > reloads, "the calendar to be read")
    append(site, "during")
    scored(site, 2)
    calendar.write_text("broken")
    wait_for(lambda: site.metric("config_reloads_total") > reloads + 1, "the broken one to be tried")
    append(site, "after")
    scored(site, 3)

    assert agents(site) == ["before"]
    assert site.metric("alerts_suppressed_total") == 2
    assert "this is not an iCalendar file" in (site.root / "daemon.log").read_text()


def test_a_broken_calendar_stops_the_start(site: Site, tmp_path: Path) -> None:
    (tmp_path / "moves.ics").write_text("broken")
    configure(site, f"{{name: move, reason: they move, calendar: {tmp_path / 'moves.ics'}}}")

    done = aemonitor("run", "--once", "-c", str(site.config), code=78)

    assert b"moves.ics: this is not an iCalendar file" in done.stderr


def test_what_was_called_benign_is_not_told_again_and_all_else_is(site: Site) -> None:
    configure(site, "")
    site.start_and_wait()
    append(site, "first")
    scored(site, 1)
    wait_for(lambda: agents(site) == ["first"], "the first to be told")
    alert = json.loads(site.alerts_file.read_bytes())["id"]
    aemonitor("alerts", "label", "-c", str(site.config), alert, "benign")

    append(site, "again")
    append(site, "elsewhere", host="b")
    append(site, "otherwise", mode="never seen", level=20.0)
    scored(site, 4)
    site.kill()
    site.start_and_wait()
    append(site, "later")
    scored(site, 5)
    aemonitor("alerts", "label", "-c", str(site.config), alert, "anomaly")
    append(site, "after all")
    scored(site, 6)
    wait_for(lambda: agents(site)[-1:] == ["after all"], "the last to be told")

    assert agents(site) == ["first", "elsewhere", "otherwise", "after all"]
    assert suppressed(site) == [("feedback", "again")]
    assert site.metric("alerts_suppressed_total") == 2
