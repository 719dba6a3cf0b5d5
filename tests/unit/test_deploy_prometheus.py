"""The shipped rules fire, stay quiet and end as they should, ask only for metrics there are, and have a page each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app.model_drift import FAR, NOTABLE, OLD_DAYS
from monitor.cli import COMMANDS
from monitor.telemetry.names import METRICS, RETRAIN_METRICS
from tests.conftest import REPOSITORY
from tests.e2e.support import need
from tests.promql import RULES, known_metrics, load, rules, selectors, unknown_metrics

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
ALERTS, RECORDS = rules("alert"), rules("record")
PAGES = [*sorted(RUNBOOKS.glob("*.md")), REPOSITORY / "docs" / "howto" / "prometheus.md"]


def run(*arguments: str | Path) -> str:
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# -- what promtool and amtool say ------------------------------------------------------------------------------


def test_the_scrape_example_and_the_rules_are_sound() -> None:
    told = run(need("promtool"), "check", "config", PROMETHEUS / "prometheus.yml")

    assert f"{len(list(RULES.glob('*.yml')))} rule files found" in told
    assert "FAILED" not in told


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_alert_fires_stays_quiet_and_ends_as_its_cases_say(path: Path) -> None:
    assert "SUCCESS" in run(need("promtool"), "test", "rules", path)


def test_the_routes_are_sound() -> None:
    amtool, config = need("amtool"), f"--config.file={PROMETHEUS / 'alertmanager.yml'}"
    assert "3 receivers" in run(amtool, "check-config", PROMETHEUS / "alertmanager.yml")

    def receiver(*labels: str) -> str:
        return run(amtool, "config", "routes", "test", config, *labels).splitlines()[0]

    assert receiver("alertname=AemonitorAnomaly", "severity=warning") == "anomalies"
    assert receiver("alertname=AnomalyDetected", "severity=critical") == "anomalies"
    assert receiver("alertname=AemonitorDown", "severity=critical") == "pager"
    assert receiver("alertname=AemonitorModelStale", "severity=warning") == "queue"


# -- the cases are complete --------------------------------------------------------------------------------------


def checks(alert: str) -> Iterator[list[tuple[float, bool]]]:
    """For each case about the alert: when it is looked at, in minutes, and whether it fires then."""
    for path in CASES:
        for case in load(path)["tests"]:
            found = [c for c in case["alert_rule_test"] if c["alertname"] == alert]
            yield sorted((minutes(c["eval_time"]), bool(c["exp_alerts"])) for c in found)


def minutes(duration: str) -> float:
    return float(duration[:-1]) * {"m": 1, "h": 60, "d": 1440}[duration[-1]]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_does_not_fire_then_fires_then_ends(alert: str) -> None:
    courses = [[fires for _, fires in case] for case in checks(alert) if case]

    assert any(False in course[: course.index(True)] for course in courses if True in course), "never quiet before"
    assert any(False in course[course.index(True) :] for course in courses if True in course), "it never ends"


def test_a_case_names_no_alert_that_there_is_not() -> None:
    named = {c["alertname"] for path in CASES for case in load(path)["tests"] for c in case["alert_rule_test"]}

    assert named == set(ALERTS)


# -- metrics, labels and limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ALERTS, *RECORDS])
def test_a_rule_asks_only_for_metrics_there_are(name: str) -> None:
    rule = ALERTS.get(name) or RECORDS[name]

    assert unknown_metrics(rule["expr"]) == set()
    assert list(selectors(rule["expr"]))


def test_a_metric_there_is_not_would_be_noticed() -> None:
    assert unknown_metrics("rate(aemonitor_typo_total[5m]) / on (stream) aemonitor_threshold") == {
        "aemonitor_typo_total"
    }
    assert unknown_metrics("sum by (le) (rate(aemonitor_score_buckets[5m]))") == {"aemonitor_score_buckets"}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_shows_only_labels_that_its_metrics_have(alert: str) -> None:
    labels = {metric.name: {*metric.labels, "job", "instance"} for metric in (*METRICS, *RETRAIN_METRICS)}
    recorded = {name: {"job", "instance", "stream"} for name in RECORDS}
    asked = [str(selector.name) for selector in selectors(ALERTS[alert]["expr"])]
    shown = set(re.findall(r"\$labels\.(\w+)", str(ALERTS[alert]["annotations"])))

    assert shown <= ({**labels, **recorded}.get(asked[0]) or {"job", "instance"})


def test_the_limits_are_those_of_the_hint_of_models_drift() -> None:
    """Who asks ``aemonitor models drift`` because of an alert must not hear that all is well."""
    assert ALERTS["AemonitorFieldDrift"]["expr"].endswith(f"> {FAR:g}")
    assert f"aemonitor_unseen_ratio > {NOTABLE:g} " in ALERTS["AemonitorUnseenValues"]["expr"]
    assert f"<= {FAR:g} * aemonitor_expected_unseen_ratio" in ALERTS["AemonitorUnseenValues"]["expr"]
    assert f"> {OLD_DAYS} * 86400" in ALERTS["AemonitorModelStale"]["expr"]


# -- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_is_and_where_its_page_stands(alert: str) -> None:
    rule = ALERTS[alert]
    page = RUNBOOKS / f"{alert}.md"

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"https://example.net/aemonitor/docs/runbooks/{alert}.md"
    title, _, severity, *rest = page.read_text().splitlines()
    assert title == f"# {alert}"
    assert severity.startswith(f"*{rule['labels']['severity']}: ")
    headings = [line for line in rest if line.startswith("## ")]
    assert headings == ["## What it means", "## Look", "## Do", "## It is over"]
    assert f"[{alert}]({alert}.md) | {severity.strip('*')} |" in (RUNBOOKS / "index.md").read_text()


def test_there_is_no_page_of_an_alert_that_is_gone() -> None:
    assert {page.stem for page in RUNBOOKS.glob("Aemonitor*.md")} == set(ALERTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_commands_and_metrics_that_there_are(page: Path) -> None:
    text = page.read_text()
    commands = set(re.findall(r"(?:^|`|\$ |sudo )aemonitor ([a-z]+)", text, re.MULTILINE))
    metrics = set(re.findall(r"\baemonitor_[a-z0-9_]+\b", text))

    assert commands <= set(COMMANDS)
    assert metrics <= known_metrics()
