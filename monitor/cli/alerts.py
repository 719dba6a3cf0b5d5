"""``aemonitor alerts``: what has been alerted."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli import config_option


@click.group("alerts", short_help="List and show alerts.")
def command() -> None:
    """The history of alerts, as the ledger keeps it; works while the daemon runs."""


@command.command("list")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option("--limit", default=20, show_default=True, help="The newest this many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as the sinks get them.")
def list_alerts(config: Path, stream: str | None, limit: int, *, as_json: bool) -> None:
    """The newest alerts, oldest of them first."""
    from monitor.app.history import alert_lines, short_line

    for line in alert_lines(config, stream, limit):
        click.echo(line if as_json else short_line(line))


@command.command("show")
@config_option
@click.argument("alert_id")
def show_alert(config: Path, alert_id: str) -> None:
    """One alert in full; the beginning of its id is enough."""
    from monitor.app.history import full_text

    click.echo(full_text(config, alert_id))
