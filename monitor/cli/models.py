"""``aemonitor models``: the published models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.showing import json_option, show

if TYPE_CHECKING:
    from monitor.app.model_versions import Moved
    from monitor.app.registry import Version


@click.group("models", short_help="Show, compare, verify and roll back published models.")
def command() -> None:
    """The registry of published models."""


@command.command("list")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@json_option()
def list_models(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Every version, oldest first; the one in use is marked."""
    from monitor.app.registry import list_versions

    rows = list_versions(config, stream)
    if not (rows or as_json):
        click.echo("no model has been published; run `aemonitor retrain`", err=True)
    show(rows, map(_line, rows), as_json=as_json)


def _line(row: Version) -> str:
    mark = "*" if row.current else " "
    return f"{mark} {row.stream}  {row.version}  {row.created}  {row.records} records"


@command.command("show")
@config_option
@click.argument("version", required=False)
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option("Print the manifest.")
def show_model(config: Path, version: str | None, stream: str | None, *, as_json: bool) -> None:
    """The card of a version, or its manifest; of the one in use (the default) also what came since."""
    from monitor.app.registry import card, manifest

    click.echo((manifest if as_json else card)(config, stream, version))
    if not (as_json or version):
        from monitor.app.model_drift import lines, standing

        for line in lines(standing(config, stream)):
            click.echo(line)


@command.command("drift")
@config_option
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option()
def show_drift(config: Path, stream: str | None, *, as_json: bool) -> None:
    """How far a stream has moved away from the model in use: alerts, values never seen, errors, age."""
    from monitor.app.model_drift import lines, standing

    found = standing(config, stream)
    show(found, lines(found), as_json=as_json)


@command.command("promote")
@config_option
@click.argument("version")
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option()
def promote_model(config: Path, version: str, stream: str | None, *, as_json: bool) -> None:
    """Use this version from now on, after checking it; a running daemon takes it up by itself."""
    from monitor.app.model_versions import promote_version

    _tell(promote_version(config, stream, version), as_json=as_json)


@command.command("rollback")
@config_option
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option()
def roll_back_model(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Go back to the version before the one in use, after checking it."""
    from monitor.app.model_versions import roll_back

    _tell(roll_back(config, stream), as_json=as_json)


def _tell(moved: Moved, *, as_json: bool) -> None:
    told = f"stream {moved.stream}: {moved.version} is in use now, before it was {moved.before or 'none'}"
    show(moved, [told], as_json=as_json)


@command.command("diff")
@config_option
@click.argument("old")
@click.argument("new")
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option()
def diff_models(config: Path, old: str, new: str, stream: str | None, *, as_json: bool) -> None:
    """What is different between two versions: configuration, features, calibration, limits, what each finds."""
    from monitor.app.model_diff import differences, lines

    found = differences(config, stream, old, new)
    if not (found or as_json):
        click.echo("nothing is different", err=True)
    show(found, lines(found), as_json=as_json)


@command.command("limit")
@config_option
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@json_option()
def show_limit(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Where the limit of a stream stands, what was expected of it, what came, and how it moved."""
    from monitor.app.limits import lines, standing

    found = standing(config, stream)
    show(found, lines(found), as_json=as_json)


@command.command("verify")
@config_option
@click.argument("version", required=False)
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Check the version in this directory instead, wherever it stands; no configuration is read.",
)
def verify_models(config: Path, version: str | None, stream: str | None, directory: Path | None) -> None:
    """Check hashes, shapes, finite weights, features and the canary records of one version or of all."""
    from monitor.app.registry import verify_directory, verify_versions

    if directory:
        verify_directory(directory)
        click.echo(f"{directory}: ok")
        return
    for name in verify_versions(config, stream, version):
        click.echo(f"{name}: ok")
