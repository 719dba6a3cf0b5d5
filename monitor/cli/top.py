"""``aemonitor top``: streams and episodes of a running daemon, live."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from monitor.cli import config_option

PASSWORD = "AEMONITOR_PASSWORD"  # noqa: S105 - the name of a variable


@click.command("top", short_help="Watch a running daemon in the terminal.")
@config_option
@click.option("--url", help="The daemon's address, also on another machine; by default that of the configuration.")
@click.option("--user", help=f"Who asks, where the daemon has users; the password is in ${PASSWORD}, or:")
@click.option("--password-file", type=click.Path(path_type=Path, dir_okay=False), help="The first line of this file.")
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False), help="Who vouches for the daemon, PEM.")
@click.option("--every", type=click.FloatRange(0.5, 3600), default=2.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Show it once and end, as without a terminal.")
def command(
    config: Path,
    url: str | None,
    user: str | None,
    password_file: Path | None,
    ca_file: Path | None,
    every: float,
    *,
    once: bool,
) -> None:
    """Streams with their throughput, lag and state, and the newest episodes, until interrupted."""
    from rich.console import Console
    from rich.live import Live

    from monitor.app.remote import Login, Remote, url_of
    from monitor.cli.top_table import trouble, view
    from monitor.core.errors import UnavailableError
    from monitor.plugins import load_config

    login = Login(user, _first_line(password_file) if password_file else os.environ.get(PASSWORD, ""), ca_file)
    remote = Remote(url or url_of(load_config(config).server), login)
    console = Console(highlight=False)
    if once or not console.is_terminal:
        console.print(view(remote.look()))
        return
    try:
        with Live(view(remote.look()), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                try:
                    live.update(view(remote.look()), refresh=True)
                except UnavailableError as error:  # it may be starting again
                    live.update(trouble(error), refresh=True)
    except KeyboardInterrupt:
        pass  # that is how it ends


def _first_line(path: Path) -> str:
    from monitor.core.opening import reading

    with reading(path):
        return path.read_text().partition("\n")[0]
