"""``aemonitor explain``: one record, every field of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.showing import json_option, show
from monitor.core.errors import AemonitorError, UsageError

if TYPE_CHECKING:
    from monitor.explaining.explanation import Explanation


@click.command("explain", short_help="Replay one record and show every field of it.")
@config_option
@click.argument("alert_id", required=False)
@click.option("--line", metavar="TEXT", help="Explain this record instead, also one that is no alert; - reads stdin.")
@click.option("--stream", metavar="S", help="Whose record --line is; needed when there are several streams.")
@click.option(
    "--model",
    "version",
    metavar="VERSION",
    help="The model to ask; `current` is the one in use. Default: the one that raised the alert; for --line current.",
)
@json_option("Print JSON, with the whole alert and every figure.")
def command(
    config: Path, alert_id: str | None, *, line: str | None, stream: str | None, version: str | None, as_json: bool
) -> None:
    """Score the record of an alert once more, with the very model that raised it, and show every field.

    The beginning of ALERT_ID is enough. What the alert itself keeps is shown also when its model is gone.
    """
    from monitor.app.explain import explain_alert, explain_line, stored_only
    from monitor.app.history import raised_alert

    if (alert_id is None) == (line is None):
        raise UsageError("give either the id of an alert (see `aemonitor alerts list`) or a record with --line")
    if line is not None:
        _show(explain_line(config, line, stream, version), as_json=as_json)
        return
    if stream is not None:
        raise UsageError("an alert knows its stream: --stream goes with --line")
    alert = raised_alert(config, alert_id or "")
    try:
        explanation = explain_alert(config, alert, version)
    except AemonitorError:
        _show(stored_only(alert), as_json=as_json)
        raise
    _show(explanation, as_json=as_json)


def _show(explanation: Explanation, *, as_json: bool) -> None:
    show(explanation, _lines(explanation), as_json=as_json)


def _lines(explanation: Explanation) -> Iterator[str]:
    from monitor.explaining.report import as_text

    yield from as_text(explanation).splitlines()
