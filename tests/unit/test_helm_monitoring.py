"""Who finds whom: services, policies, monitors; and the rules, of which there is one copy."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from tests import helm
from tests.e2e.support import need
from tests.helm import Manifest, of_kind
from tests.helm_values import OPERATOR, everything
from tests.promql import RULES, load


def chosen(selector: Manifest, labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_what_serves_is_scraped_and_guarded_and_nothing_else_is() -> None:
    (service,), (monitored,) = (
        everything("Service"),
        everything("ServiceMonitor"),
    )
    daemons, alone = everything("NetworkPolicy")
    serving = [each["spec"]["template"]["metadata"]["labels"] for each in everything("DaemonSet", "StatefulSet")]
    training = [each["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"] for each in everything("CronJob")]

    for selector, those, others in (
        (service["spec"]["selector"], serving, training),
        (daemons["spec"]["podSelector"]["matchLabels"], serving, training),
        (alone["spec"]["podSelector"]["matchLabels"], training, serving),
    ):
        assert all(chosen(selector, labels) for labels in those)
        assert not any(chosen(selector, labels) for labels in others)
    assert chosen(monitored["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
    assert monitored["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert all(each["spec"]["serviceName"] == service["metadata"]["name"] for each in everything("StatefulSet"))
    assert alone["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(alone["spec"])


def test_each_workload_selects_its_own_pods() -> None:
    workloads = everything("DaemonSet", "StatefulSet")

    for one in workloads:
        matching = [
            other["metadata"]["name"]
            for other in workloads
            if chosen(one["spec"]["selector"]["matchLabels"], other["spec"]["template"]["metadata"]["labels"])
        ]
        assert matching == [one["metadata"]["name"]]


# -- rules -------------------------------------------------------------------------------------------------------


def shipped() -> list[Manifest]:
    return [group for path in sorted(RULES.glob("*.yml")) for group in load(path)["groups"]]


def test_the_rules_are_those_for_any_prometheus() -> None:
    (rule,) = everything("PrometheusRule")

    assert rule["spec"]["groups"] == shipped()


def test_they_are_in_the_archive_too(tmp_path: Path) -> None:
    (rule,) = of_kind(helm.render(OPERATOR, chart=helm.package(tmp_path)), "PrometheusRule")

    assert rule["spec"]["groups"] == shipped()


def test_runbooks_are_where_the_team_reads_them() -> None:
    ours = "https://git.example.org/ops/aemonitor"

    (rule,) = of_kind(helm.render({"prometheusRule": {"enabled": True, "runbooks": ours}}), "PrometheusRule")

    urls = [
        each["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for each in group["rules"]
        if "alert" in each
    ]
    assert urls
    assert all(url.startswith(f"{ours}/docs/runbooks/") for url in urls)


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    (rule,) = everything("PrometheusRule")
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rule["spec"]))

    done = subprocess.run(
        [need("promtool"), "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )

    assert "SUCCESS" in done.stdout, done.stderr


def test_the_job_is_the_one_that_the_rules_look_for() -> None:
    (monitored,) = everything("ServiceMonitor")
    asked = {job for group in shipped() for each in group["rules"] for job in re.findall(r'job="(\w+)"', each["expr"])}

    (given,) = [
        each["replacement"] for each in monitored["spec"]["endpoints"][0]["relabelings"] if each["targetLabel"] == "job"
    ]

    assert asked == {given}
