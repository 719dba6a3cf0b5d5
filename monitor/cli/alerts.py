"""``aemonitor alerts``: what has been alerted, and what people say of it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.showing import json_option, show

if TYPE_CHECKING:
    from monitor.app.labels import Verdict


AS_SENT = "One JSON object a line, as the sinks get them, and the label."
LOOK_SECONDS = 0.5
"""How often `tail` looks for more."""


@click.group("alerts", short_help="List, follow, show and label alerts.")
def command() -> None:
    """The history of alerts, as the ledger keeps it; works while the daemon runs."""


@command.command("list")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="The newest this many.")
@click.option("--suppressed", is_flag=True, help="Those that nobody was told of, with the rule that said so.")
@json_option(AS_SENT)
def list_alerts(config: Path, stream: str | None, limit: int, *, suppressed: bool, as_json: bool) -> None:
    """The newest alerts, oldest of them first."""
    from monitor.app.history import alert_lines, as_sent, labels, short_line

    said = labels(config)
    for line in alert_lines(config, stream, limit, suppressed=suppressed):
        show(as_sent(line, said), map(short_line, [line], [said]), as_json=as_json)


@command.command("tail")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Begin with the newest this many."
)
@json_option(AS_SENT)
def tail_alerts(config: Path, stream: str | None, limit: int, *, as_json: bool) -> None:
    """Follow the alerts as they are told, until interrupted."""
    from monitor.app.history import as_sent, followed, labels, short_line

    ending = threading.Event()  # an exception could be lost, where a library calls back
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    for line in followed(config, stream, limit, lambda: not ending.wait(LOOK_SECONDS)):
        said = labels(config)
        show(as_sent(line, said), map(short_line, [line], [said]), as_json=as_json)
        if ending.is_set():
            return


@command.command("show")
@config_option
@click.argument("alert_id")
def show_alert(config: Path, alert_id: str) -> None:
    """One alert in full; the beginning of its id is enough."""
    from monitor.app.history import full_text

    click.echo(full_text(config, alert_id))


@command.command("label")
@config_option
@click.argument("alert_ids", nargs=-1, required=True, metavar="ALERT_ID...")
@click.argument("verdict", type=click.Choice(["benign", "anomaly"]))
@click.option("--note", default="", metavar="TEXT", help="Why; it is kept with the label.")
def label_alert(config: Path, alert_ids: tuple[str, ...], verdict: Verdict, note: str) -> None:
    """Say of alerts that they were BENIGN or an ANOMALY; the beginnings of their ids are enough.

    The next `retrain` learns the records that were benign and none that were not. The last label of an alert counts.
    Works while the daemon runs.
    """
    from monitor.app.history import label_alerts
    from monitor.core.clock import SystemClock

    for label in label_alerts(config, alert_ids, verdict, note, SystemClock()):
        click.echo(f"{label.alert.id[:8]}  {label.label}")
