"""The pods of the chart: what they may do, what lasts, and that they agree with the product and its units."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.web.guards import OPEN_PATHS
from tests import helm
from tests.conftest import REPOSITORY
from tests.e2e.support import aemonitor
from tests.helm import of_kind
from tests.helm_values import SWITCHES, everything, rendered
from tests.promql import load


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_configuration_is_one(switch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = [each for each in helm.containers(rendered(switch)) if each["name"] == "aemonitor"][:1]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "given-by-kubernetes"))
    config = tmp_path / "aemonitor.yaml"

    for each in of_kind(rendered(switch), "ConfigMap"):
        config.write_text(each["data"]["aemonitor.yaml"])
        aemonitor("check", str(config), "--offline")
        assert yaml.safe_load(config.read_text())["server"]["listen"] == ":9464"


def test_large_numbers_stay_whole_numbers() -> None:
    (config,) = of_kind(helm.render(SWITCHES["kafka-group"]), "ConfigMap")

    assert "queue_bytes: 16777216\n" in config["data"]["aemonitor.yaml"]


@pytest.mark.parametrize("switch", SWITCHES)
def test_nobody_is_root_and_nothing_is_allowed(switch: str) -> None:
    for pod in helm.pod_specs(rendered(switch)):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (10001, 10001, 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for each in helm.containers(rendered(switch)):
        own = each["securityContext"]
        assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
        assert own["capabilities"]["drop"] == ["ALL"]
        assert each["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in each["resources"]["limits"]
        if each["name"] != "own-state":
            assert own.keys() == {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}
            assert own["capabilities"] == {"drop": ["ALL"]}


def test_the_one_that_is_root_may_give_a_directory_away_and_sees_nothing_else() -> None:
    (owner,) = [each for each in helm.containers(helm.render()) if each["name"] == "own-state"]

    assert owner["securityContext"]["capabilities"]["add"] == ["CHOWN"]
    assert [mount["name"] for mount in owner["volumeMounts"]] == ["state"]


def test_logs_are_only_read_and_the_state_lasts() -> None:
    (daemons,), (clicks, orders) = (
        everything("DaemonSet"),
        everything("StatefulSet"),
    )
    pod = daemons["spec"]["template"]["spec"]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}

    assert paths.pop("state") == "/var/lib/aemonitor"
    assert sorted(paths.values()) == ["/var/lib/docker/containers", "/var/log"]
    for mount in (mount for each in helm.containers([daemons]) for mount in each["volumeMounts"]):
        if mount["name"] in paths:
            assert mount["mountPath"] == paths[mount["name"]], "links lead to the paths of the node"
            assert mount["readOnly"] is True
    for members in (clicks, orders):
        assert [claim["metadata"]["name"] for claim in members["spec"]["volumeClaimTemplates"]] == ["state"]
    assert orders["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_configmap_is_mounted_so_that_its_file_is_renewed(switch: str) -> None:
    mounts = [mount for each in helm.containers(rendered(switch)) for mount in each["volumeMounts"]]

    assert not [mount for mount in mounts if "subPath" in mount]


def test_pods_are_replaced_by_another_configuration_only_if_asked_to() -> None:
    def annotations(**values: Any) -> dict[str, str]:
        (daemons,) = of_kind(helm.render(values), "DaemonSet")
        found: dict[str, str] = daemons["spec"]["template"]["metadata"].get("annotations", {})
        return found

    other = {"config": load(helm.CHART / "files" / "container-logs.yaml") | {"helpers": 1}}
    assert annotations() == {}
    assert annotations(restartOnConfigChange=True) != annotations(restartOnConfigChange=True, node=other)


@pytest.mark.parametrize("switch", SWITCHES)
def test_probes_ask_for_what_the_product_serves(switch: str) -> None:
    for each in (each for each in helm.containers(rendered(switch)) if each["name"] == "aemonitor"):
        paths = {kind: each[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert paths == {"startup": "/-/healthy", "liveness": "/-/healthy", "readiness": "/-/ready"}
        assert set(paths.values()) <= set(OPEN_PATHS)
        assert [port["name"] for port in each["ports"]] == [each["livenessProbe"]["httpGet"]["port"]]


def test_the_end_of_a_pod_and_hopeless_exits_are_those_of_the_unit() -> None:
    unit = (REPOSITORY / "systemd" / "aemonitor.service").read_text()
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    (hopeless,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)

    for each in everything("DaemonSet", "StatefulSet"):
        assert each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == int(patience)
    for each in everything("CronJob"):
        *_, fail = each["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        assert fail["onExitCodes"]["values"] == [int(code) for code in hopeless.split()]


def test_each_member_is_retrained_beside_its_own_state() -> None:
    jobs = everything("CronJob")

    assert len(jobs) == 4
    for job in jobs:
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        member = job["metadata"]["name"].removesuffix("-retrain")
        (claim,) = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if volume["name"] == "state"]
        (near,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert claim == {"claimName": f"state-{member}"}
        assert near["labelSelector"]["matchLabels"] == {"statefulset.kubernetes.io/pod-name": member}
