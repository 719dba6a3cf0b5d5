"""``aemonitor models``: the published models."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli import config_option


@click.group("models", short_help="List, show and verify published models; where the limit stands.")
def command() -> None:
    """The registry of published models."""


@command.command("list")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Every version, oldest first; the one in use is marked."""
    from monitor.app.registry import list_versions

    rows = list_versions(config, stream)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(rows))
        return
    if not rows:
        click.echo("no model has been published; run `aemonitor retrain`", err=True)
    for row in rows:
        mark = "*" if row.current else " "
        click.echo(f"{mark} {row.stream}  {row.version}  {row.created}  {row.records} records")


@command.command("show")
@config_option
@click.argument("version", required=False)
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def show_model(config: Path, version: str | None, stream: str | None, *, as_json: bool) -> None:
    """The card of a version (default: the one in use), or its manifest."""
    from monitor.app.registry import card, manifest

    click.echo((manifest if as_json else card)(config, stream, version))


@command.command("limit")
@config_option
@click.option("--stream", metavar="S", help="The stream; needed when there are several.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_limit(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Where the limit of a stream stands, what was expected of it, what came, and how it moved."""
    from monitor.app.limits import lines, standing

    found = standing(config, stream)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(found))
        return
    for line in lines(found):
        click.echo(line)


@command.command("verify")
@config_option
@click.argument("version", required=False)
@click.option("--stream", metavar="S", help="Only this stream.")
def verify_models(config: Path, version: str | None, stream: str | None) -> None:
    """Check hashes, shapes, finite weights and the canary records of one version or of all."""
    from monitor.app.registry import verify_versions

    for name in verify_versions(config, stream, version):
        click.echo(f"{name}: ok")
