"""The shipped dashboards are what their script makes, ask only for metrics there are, and explain themselves."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.telemetry.names import METRICS, RETRAIN_METRICS
from tests.conftest import REPOSITORY
from tests.grafana import DASHBOARDS, GRAFANA, asked, expressions, panels, read
from tests.promql import BUILT, selectors, unknown_metrics

LABELS = {metric.name: {*metric.labels, *BUILT} for metric in (*METRICS, *RETRAIN_METRICS)}
each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
EXPRESSIONS = [
    pytest.param(asked(expression, stream="web", interval="5m"), id=f"{path.stem}: {title} {number}")
    for path in DASHBOARDS
    for number, (title, expression) in enumerate(expressions(path))
]


def test_the_files_are_what_the_script_makes() -> None:
    script = [sys.executable, str(GRAFANA / "make_dashboards.py"), "--check"]

    done = subprocess.run(script, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_there_is_one_of_all_streams_and_one_of_a_single_stream() -> None:
    assert [read(path)["uid"] for path in DASHBOARDS] == ["aemonitor-stream", "aemonitor-streams"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_panel_asks_only_for_metrics_and_labels_there_are(expression: str) -> None:
    assert unknown_metrics(expression) == set()
    for selector in selectors(expression):
        named = {matcher.name for matcher in selector.matchers.matchers}
        assert named <= LABELS.get(str(selector.name), named)


@each_dashboard
def test_variables_and_annotations_ask_for_metrics_there_are(path: Path) -> None:
    made = read(path)
    queries = [v["query"]["query"] for v in made["templating"]["list"] if v["type"] == "query"]
    listed = [re.fullmatch(r"label_values\((.+), (\w+)\)", query) for query in queries]

    assert all(listed)
    for found in listed:
        assert found is not None
        (selector,) = selectors(asked(found[1], stream="web", interval="5m"))
        assert found[2] in LABELS[str(selector.name)]
    for annotation in made["annotations"].get("list", ()):
        assert unknown_metrics(asked(annotation["expr"], stream="web", interval="5m")) == set()


@each_dashboard
def test_every_panel_says_what_it_shows_in_which_unit_and_from_where(path: Path) -> None:
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith((".", ".\n")), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        if panel["type"] in {"stat", "timeseries"}:
            assert panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] == "timeseries":
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
            assert panel["fieldConfig"]["defaults"]["min"] == 0


@each_dashboard
def test_a_legend_names_only_labels_that_its_expression_leaves(path: Path) -> None:
    for panel in panels(path):
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            grouped = re.search(r"\bby \(([^)]*)\)", target["expr"])
            if grouped and not target["expr"].startswith("histogram_quantile"):
                assert shown <= {label.strip() for label in grouped[1].split(",")}, panel["title"]


@each_dashboard
def test_panels_lie_side_by_side_and_have_titles_and_numbers_of_their_own(path: Path) -> None:
    every = read(path)["panels"]
    numbers, titles = [p["id"] for p in every], [p["title"] for p in panels(path)]

    assert len(set(numbers)) == len(numbers)
    repeated = {title for title in titles if titles.count(title) > 1}
    assert repeated <= {"Oldest unread record"}  # as it stands, and over time
    assert not [(a["title"], b["title"]) for a, b in itertools.combinations(every, 2) if overlap(a, b)]


def overlap(a: dict[str, Any], b: dict[str, Any]) -> bool:
    one, other = a["gridPos"], b["gridPos"]
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


@each_dashboard
def test_links_lead_to_runbooks_and_dashboards_that_there_are(path: Path) -> None:
    text = path.read_text()
    uids = {read(other)["uid"] for other in DASHBOARDS}

    runbooks = set(re.findall(r"\$\{runbooks\}/(\w+)\.md", text))
    assert len(runbooks) > 5
    assert not [name for name in runbooks if not (REPOSITORY / "docs" / "runbooks" / f"{name}.md").exists()]
    assert set(re.findall(r'"/d/([\w-]+)', text)) <= uids
    (base,) = (v["query"] for v in read(path)["templating"]["list"] if v["name"] == "runbooks")
    assert base == "https://example.net/aemonitor/docs/runbooks"


def test_provisioning_names_the_data_source_and_the_directory() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/aemonitor.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/aemonitor.yaml").read_text())["providers"]

    assert (source["type"], source["jsonData"]["timeInterval"]) == ("prometheus", "15s")
    assert provider["options"]["path"].startswith("/var/lib/grafana/")
