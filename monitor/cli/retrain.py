"""``aemonitor retrain``: learn from benign records and publish the model."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli import config_option


@click.command("retrain", short_help="Train on benign records and publish the model.")
@config_option
@click.option("--stream", "streams", multiple=True, metavar="S", help="Only this stream; may be given several times.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Benign records; default: the files the stream's source reads. Several times for several files.",
)
@click.option(
    "--max-records",
    type=click.IntRange(min=10),
    default=200_000,
    show_default=True,
    help="Use at most the newest this many.",
)
@click.option("--force", is_flag=True, help="Publish also a model that the gate refuses.")
@click.option("--dry-run", is_flag=True, help="Train and report, but publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    config: Path,
    streams: tuple[str, ...],
    inputs: tuple[Path, ...],
    max_records: int,
    *,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train on benign data only and publish a bundle that a running daemon takes up by itself.

    Before that, gross faults are planted in records that were held out: a model that is blind to them does not replace
    one that is not, and one that alerts all the time is not published at all. Exit code 75 says so.
    """
    from monitor.app.retrain import retrain_streams
    from monitor.app.retrain_report import check_published
    from monitor.cli.progress import progress_bars

    with progress_bars(milestones=True) as progress:
        reports = retrain_streams(
            config,
            streams=streams,
            inputs=inputs,
            max_records=max_records,
            dry_run=dry_run,
            force=force,
            progress=progress,
        )
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(reports))
    else:
        for report in reports:
            click.echo(report.text())
    if not force:
        check_published(reports)
