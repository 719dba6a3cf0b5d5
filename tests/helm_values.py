"""Values for the chart that switch everything on and off, and what comes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests import helm
from tests.conftest import REPOSITORY
from tests.helm import Manifest
from tests.promql import load

GROUP = load(REPOSITORY / "deploy/kubernetes/examples/kafka-group.yaml")["groups"]["orders"]
OPERATOR = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
SWITCHES: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": {
        **OPERATOR,
        "groups": {"orders": GROUP, "clicks": {**GROUP, "state": {"storageClassName": "fast", "keep": False}}},
        "secret": "aemonitor",
        "restartOnConfigChange": True,
        "scheme": "HTTPS",
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "system-node-critical",
        "podAnnotations": {"example.net/team": "ops"},
        "commonLabels": {"team": "ops"},
        "probes": {"httpHeaders": [{"name": "Authorization", "value": "Basic eDp5"}]},
        "networkPolicy": {"egress": [{"ports": [{"port": 9093, "protocol": "TCP"}]}]},
        "node": {
            "logs": {"more": ["/var/lib/docker/containers"]},
            "firstModel": {"volume": {"persistentVolumeClaim": {"claimName": "models"}}},
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
        },
    },
    "only a group": {"node": {"enabled": False}, "groups": {"orders": GROUP}},
    "a group that does not retrain": {"groups": {"orders": {**GROUP, "retrain": {"enabled": False}}}},
    "nothing learned, nothing prepared": {
        "node": {"firstModel": {"learn": False}, "retrain": {"enabled": False}, "state": {"prepare": False}}
    },
    "no policies, an account that is there": {
        "networkPolicy": {"enabled": False}, "serviceAccount": {"create": False, "name": "mine"},
    },
    "nobody scrapes": {"networkPolicy": {"scrapers": []}},
    **{path.stem: load(path) for path in helm.EXAMPLES},
}  # fmt: skip


@cache
def rendered(switch: str) -> list[Manifest]:
    """The manifests that come of these values; not to be changed."""
    return helm.render(SWITCHES[switch])


def everything(*kinds: str) -> list[Manifest]:
    """Those of these kinds, with everything switched on."""
    return helm.of_kind(rendered("everything"), *kinds)
