"""``aemonitor systemd``: install and remove the units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.cli.options import Command

NEXT = """\
Next, with a configuration in /etc/aemonitor/aemonitor.yaml:
  aemonitor check --service
  systemctl start aemonitor-retrain@aemonitor.service
  systemctl enable --now aemonitor.service aemonitor-retrain@aemonitor.timer"""


@click.group("systemd", short_help="Install and remove the systemd units.")
def command() -> None:
    """The units: daemon, instances of it, nightly retraining, user and directories."""


def placed(function: Command) -> Command:
    """The options that say where."""
    options: list[Any] = [
        click.option(
            "--prefix",
            type=click.Path(path_type=Path),
            callback=_absolute,
            default="/usr/local",
            show_default=True,
            help="The files go to PREFIX/lib/{systemd/system,sysusers.d,tmpfiles.d}.",
        ),
        click.option(
            "--root",
            type=click.Path(path_type=Path),
            default="/",
            help="Treat this directory as the root of the system, to make a package or an image: no program is run.",
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _absolute(_context: click.Context, _option: click.Parameter, value: Path) -> Path:
    if not value.is_absolute():
        raise click.BadParameter(f"{value} is not an absolute path")
    return value


@command.command("install")
@placed
@click.option("--program", metavar="PATH", help="What the units start; default: this installation's aemonitor.")
@click.option(
    "--with",
    "extras",
    type=click.Choice(["gpu", "window-networks"]),
    multiple=True,
    help="Open the sandbox for models on a GPU, or of kind conv or lstm; may be given twice.",
)
def install(prefix: Path, root: Path, program: str | None, extras: tuple[str, ...], *, dry_run: bool) -> None:
    """Write the units, make the user and its directories. Installing again replaces the units and nothing else."""
    from monitor.app.installation import carry_out, install_steps

    steps = list(install_steps(prefix, root.absolute(), program, extras))
    for step in steps:
        click.echo(step)
    if not dry_run:
        carry_out(steps)
        click.echo(NEXT, err=True)


@command.command("uninstall")
@placed
@click.option("--purge", is_flag=True, help="Remove state, models, logs and configuration, too.")
def uninstall(prefix: Path, root: Path, *, purge: bool, dry_run: bool) -> None:
    """Stop and disable the units and remove them; state, models, logs and configuration stay unless --purge."""
    from monitor.app.installation import carry_out, uninstall_steps

    steps = list(uninstall_steps(prefix, root.absolute(), purge=purge))
    for step in steps:
        click.echo(step)
    if not steps:
        click.echo("nothing is installed there", err=True)
    if not dry_run:
        carry_out(steps)
