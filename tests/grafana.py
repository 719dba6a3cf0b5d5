"""The shipped dashboards as Grafana would read them, and their expressions as it would ask them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels(path: Path) -> list[dict[str, Any]]:
    """Everything of a dashboard that is drawn; headings are not."""
    return [panel for panel in read(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> Iterator[tuple[str, str]]:
    """Title of the panel and expression, variables not replaced."""
    for panel in panels(path):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def asked(expression: str, *, stream: str, interval: str) -> str:
    """The expression with every variable replaced, as Grafana does it."""
    values = {"$__rate_interval": interval, "$instance": ".*", "$stream": stream}
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression
