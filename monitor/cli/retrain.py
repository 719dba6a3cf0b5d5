"""``aemonitor retrain``: learn from benign records and publish the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.cli.options import config_option, engine_options
from monitor.engines.choice import EngineChoice


@click.command("retrain", short_help="Train on benign records and publish the model.")
@config_option
@click.option("--stream", "streams", multiple=True, metavar="S", help="Only this stream; may be given several times.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Benign records; default: the daemon's reservoir, or the files the stream's source reads. May be repeated.",
)
@click.option("--reservoir", is_flag=True, help="Learn from the daemon's reservoir, together with every --input.")
@click.option(
    "--max-records",
    type=click.IntRange(min=10),
    default=200_000,
    show_default=True,
    help="Learn from at most the newest this many; older records of files calibrate.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0),
    help="Stop the epochs of a network after so long and keep the best weights until then.",
)
@click.option(
    "--metrics-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what became of it as metrics, for node_exporter's textfile collector.",
)
@click.option("--force", is_flag=True, help="Publish also a model that a gate refuses.")
@click.option("--dry-run", is_flag=True, help="Train and report, but publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@engine_options
def command(
    config: Path,
    inputs: tuple[Path, ...],
    *,
    metrics_file: Path | None,
    as_json: bool,
    engine: EngineChoice,
    **asked: Any,
) -> None:
    """Train on benign data only and publish a bundle that a running daemon takes up by itself.

    Before that it has to pass the gates: among others it must find planted faults as well as the model in use, keep
    its promise on the newest day, and be loaded by a fresh process. Exit code 75 says that one was not passed; what was
    in use then stays.
    """
    from monitor.app.inputs import named
    from monitor.app.retrain import Request, retrain_streams
    from monitor.app.retrain_report import Report, check_published
    from monitor.cli.progress import progress_bars

    with engine.opened() as workers, progress_bars(milestones=True) as progress:
        outcomes = retrain_streams(config, Request(inputs=named(inputs), engine=workers, **asked), progress)
    if metrics_file:
        from monitor.app.retrain_metrics import write_metrics

        write_metrics(config, outcomes, metrics_file)
    reports = [outcome.found for outcome in outcomes if isinstance(outcome.found, Report)]
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(reports))
    else:
        for report in reports:
            click.echo(report.text())
    check_published(outcomes)
