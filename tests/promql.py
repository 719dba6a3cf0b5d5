"""Which metrics and labels a PromQL expression asks for, and which there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from monitor.telemetry.names import METRICS, RETRAIN_METRICS
from tests.conftest import REPOSITORY

RULES = REPOSITORY / "deploy" / "prometheus" / "rules"
OF_OTHERS = {"up", "ALERTS"}
"""Made by Prometheus itself."""
OF_THE_PROCESS = {
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds",
}  # fmt: skip
BUILT = {"job", "instance"}
"""Labels that Prometheus gives to whatever it scrapes."""


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """The shipped rules of a kind (``alert`` or ``record``), by their name."""
    groups = [group for path in sorted(RULES.glob("*.yml")) for group in load(path)["groups"]]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def known_metrics() -> set[str]:
    """Every name a series can have: scraped, left by a retraining, recorded, or of others."""
    names = {metric.name for metric in (*METRICS, *RETRAIN_METRICS)}
    for metric in METRICS:
        if metric.kind == "histogram":
            names |= {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    return names | OF_OTHERS | OF_THE_PROCESS | set(rules("record"))


def selectors(expression: str) -> Iterator[Any]:
    """The vector selectors of an expression, which has to parse.

    Raises:
        ValueError: it does not.
    """
    return _selectors(promql_parser.parse(expression))


def _selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector", "selector"):
        below = getattr(node, name, None)
        if below is not None:
            yield from _selectors(below)
    for below in getattr(node, "args", None) or ():
        yield from _selectors(below)


def unknown_metrics(expression: str) -> set[str]:
    """Metrics of an expression that do not exist."""
    return {str(selector.name) for selector in selectors(expression)} - known_metrics()
