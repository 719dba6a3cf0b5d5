"""What Helm makes of the chart, by Helm's own library, which runs in a process of its own: its threads fork badly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY

CHART = REPOSITORY / "deploy" / "kubernetes" / "aemonitor"
EXAMPLES = sorted((REPOSITORY / "deploy" / "kubernetes" / "examples").glob("*.yaml"))
Manifest = dict[str, Any]


class RefusedError(Exception):
    """Helm will not have these values; the text is what it says."""


def render(values: dict[str, Any] | None = None, chart: Path = CHART, release: str = "watch") -> list[Manifest]:
    """The manifests that an installation makes, in the namespace `logs`; NOTES.txt as one of the kind `Notes`.

    Raises:
        RefusedError: the values do not fit the chart's schema, or a template fails.
    """
    texts: dict[str, str] = _ask("render", str(chart), values or {}, release)
    notes = [{"kind": "Notes", "text": text} for path, text in texts.items() if path.endswith("NOTES.txt")]
    documents = [
        each for path, text in texts.items() if not path.endswith("NOTES.txt") for each in yaml.safe_load_all(text)
    ]
    return notes + [each for each in documents if each is not None]


def lint(values: dict[str, Any]) -> list[str]:
    """What `helm lint --strict` finds, less its wish for an icon."""
    report = _ask("lint", str(CHART), values)
    told = [message["error"] for message in report["messages"]] + list(report["errors"])
    return [line for line in told if "icon is recommended" not in line]


def package(destination: Path) -> Path:
    """The archive that `helm package` makes."""
    return Path(_ask("package", str(CHART), str(destination)))


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds."""
    return [each for each in manifests if each["kind"] in kinds]


def pod_specs(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The pods that the manifests lead to."""
    for each in manifests:
        if each["kind"] in {"DaemonSet", "StatefulSet"}:
            yield each["spec"]["template"]["spec"]
        elif each["kind"] == "CronJob":
            yield each["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers(manifests: list[Manifest]) -> Iterator[Manifest]:
    """All containers of all pods, those that only begin, too."""
    for pod in pod_specs(manifests):
        yield from pod.get("initContainers", [])
        yield from pod["containers"]


def _ask(*question: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.helm"],
        input=json.dumps(question),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return json.loads(done.stdout)


def _answer(what: str, chart: str, *rest: Any) -> Any:
    import helm_python

    if what == "lint":
        return helm_python.lint(chart, rest[0], strict=True)
    if what == "package":
        return helm_python.package(chart, destination=rest[0])
    with helm_python.Chart.load(chart) as loaded:
        loaded.validate_schema(rest[0])
        return loaded.render(rest[0], name=rest[1], namespace="logs")


if __name__ == "__main__":
    import helm_python

    try:
        print(json.dumps(_answer(*json.load(sys.stdin))))
    except helm_python.HelmError as error:
        sys.exit(str(error))
