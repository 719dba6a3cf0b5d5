"""The chart: Helm renders it, and Kubernetes and the Prometheus Operator take what comes of it."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

import monitor
from tests import helm
from tests.helm import of_kind
from tests.helm_values import GROUP, SWITCHES, everything, rendered
from tests.promql import load

OLDEST, NEWEST = "1.29", "1.37"
"""Versions of Kubernetes: what Chart.yaml demands, and the newest there is a schema of."""


@pytest.mark.parametrize("switch", SWITCHES)
def test_lint_finds_nothing(switch: str) -> None:
    assert helm.lint(SWITCHES[switch]) == []


@pytest.mark.parametrize("switch", SWITCHES)
def test_kubernetes_takes_every_manifest(switch: str) -> None:
    own = [each for each in rendered(switch) if each["kind"] not in {"Notes", "ServiceMonitor", "PrometheusRule"}]

    for each in own:
        kubernetes_validate.validate(each, NEWEST, strict=True)
        assert each["metadata"]["namespace"] == "logs"
    assert {"Service", "ConfigMap"} <= {each["kind"] for each in own}


def test_so_does_the_oldest_one_that_the_chart_is_for() -> None:
    assert load(helm.CHART / "Chart.yaml")["kubeVersion"] == f">={OLDEST}.0-0"
    for each in rendered("everything"):
        if each["kind"] not in {"Notes", "ServiceMonitor", "PrometheusRule"}:
            kubernetes_validate.validate(each, OLDEST, strict=True)


def test_a_manifest_that_is_wrong_would_be_noticed() -> None:
    (daemons,) = everything("DaemonSet")
    wrong = {**daemons, "spec": {**daemons["spec"], "replicas": 3}}

    with pytest.raises(kubernetes_validate.ValidationError, match="replicas"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_operator_takes_what_is_for_it() -> None:
    from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

    (monitored,), (rule,) = (
        everything("ServiceMonitor"),
        everything("PrometheusRule"),
    )

    for model, manifest in ((ServiceMonitor, monitored), (PrometheusRule, rule)):
        parsed = model.model_validate(manifest)
        assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest  # nothing it does not know


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"nodes": {}}, "nodes"),
        ({"node": {"config": {"state_dir": "/elsewhere"}}}, "state_dir"),
        ({"node": {"config": {"server": {"listen": "127.0.0.1:1"}}}}, "listen"),
        ({"node": {"retrain": {"at": "25:00"}}}, "at"),
        ({"groups": {"orders": {"replicas": 2}}}, "config"),
        ({"groups": {"node": {"config": {}}}}, "node"),
        ({"groups": {"a-name-too-long-for-a-cronjob": {"config": {}}}}, "a-name"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"terminationGracePeriodSeconds": 30}, "terminationGracePeriodSeconds"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(helm.RefusedError, match=told):
        helm.render(values)


def test_the_longest_names_are_names() -> None:
    longest = {"groups": {"a" * 14: {**GROUP, "replicas": 11}}}

    names = [each["metadata"]["name"] for each in of_kind(helm.render(longest, release="r" * 53), "CronJob")]

    assert len(names) == 11
    assert max(map(len, names)) == 52, "what Kubernetes allows a CronJob"


def test_chart_and_image_are_of_this_release() -> None:
    chart = load(helm.CHART / "Chart.yaml")

    assert (chart["version"], chart["appVersion"]) == (monitor.__version__, monitor.__version__)
    (daemons,) = of_kind(helm.render(), "DaemonSet")
    image = daemons["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"aemonitor:{monitor.__version__}"
