"""``aemonitor demo``: the whole product on made-up traffic, in a minute."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from monitor.core.errors import AemonitorError


@click.command("demo", short_help="Make traffic, learn it, plant faults, alert; ends by itself.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep everything the demo makes in this directory.")
@click.option("--seed", default=1, show_default=True, help="Of the traffic; another seed is another day.")
def command(out: Path | None, seed: int) -> None:
    """Run init, retrain and run as a user would, on traffic with 20 planted faults."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="aemonitor-demo-") as directory:
            demonstrate(Path(directory), seed)
    else:
        out.mkdir(parents=True, exist_ok=True)
        demonstrate(out, seed)


def demonstrate(directory: Path, seed: int) -> None:
    """Run it and print the verdict last."""
    from monitor.app.demo import run_demo

    verdict = run_demo(directory, seed, click.echo)
    if missed := verdict.missed():
        click.echo(f"   not alerted: {', '.join(missed)}")
    click.echo(
        f"   true alerts that name the planted field among their first two: {verdict.named} of {len(verdict.found)}"
    )
    click.echo(verdict.last_line())
    if not verdict.found:
        raise AemonitorError("the demo found nothing; something is broken")
