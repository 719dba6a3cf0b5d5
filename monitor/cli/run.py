"""``aemonitor run``: the daemon."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from monitor.cli import config_option
from monitor.cli.exits import ExitCode


@click.command("run", short_help="Score records as they come and raise alerts.")
@config_option
@click.option("--stream", "streams", multiple=True, metavar="S", help="Only this stream; may be given several times.")
@click.option("--once", is_flag=True, help="Read what is there, score it, and exit.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the stream from standard input until its end.")
@click.option("--fail-on-anomaly", is_flag=True, help="Exit with 3 if anything was alerted.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def command(
    config: Path, streams: tuple[str, ...], *, once: bool, from_stdin: bool, fail_on_anomaly: bool, log_level: str
) -> None:
    """Run until SIGTERM, or with --once or --stdin until the input ends. SIGHUP reloads configuration and models."""
    # Until the daemon listens for it, a request to read the configuration again must not end the program.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    from monitor.app.serve import serve

    ended = serve(config, streams=streams, once=once, from_stdin=from_stdin, log_level=log_level)
    if once or from_stdin:
        done = ended.counts
        click.echo(
            f"{done.scored:,} records scored, {done.unparsed:,} not parsed, {done.filtered:,} left out, "
            f"{done.alerts:,} alerts",
            err=True,
        )
    if fail_on_anomaly and ended.counts.alerts:
        raise SystemExit(ExitCode.ANOMALIES_FOUND)
