"""``aemonitor evaluate``: how well a model tells labelled records apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from monitor.cli.options import NoiseRange, config_option, engine_options
from monitor.core.errors import UsageError
from monitor.engines.choice import EngineChoice
from monitor.faults.kinds import KINDS as FAULT_KINDS
from monitor.reporting.kinds import KINDS


def _listed(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    """Values given one by one or between commas."""
    return tuple(value.strip() for text in texts for value in text.split(",") if value.strip())


def _some_of(kinds: Sequence[str]) -> Callable[[click.Context, click.Option, Sequence[str]], tuple[str, ...]]:
    """Reads all (the default), none, or some of ``kinds``."""

    def read(context: click.Context, option: click.Option, texts: Sequence[str]) -> tuple[str, ...]:
        names = _listed(context, option, texts) or ("all",)
        unknown = [name for name in names if name not in (*kinds, "all", "none")]
        if unknown or ("none" in names and len(names) > 1):
            raise click.BadParameter(f"{','.join(names)!r} is not all, none or some of {', '.join(kinds)}")
        return () if names == ("none",) else tuple(kinds) if "all" in names else names

    return read


@click.command("evaluate", short_help="Measure a model on labelled records.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="INPUT...")
@click.option("--stream", metavar="S", help="The stream whose model is measured; needed when there are several.")
@click.option(
    "--labels",
    metavar="FIELD|FILE",
    help="A field of the records; or a file: one label a line in the order of the input, or windows of time as CSV "
    "(start,end) or JSON. Without it every record counts as benign.",
)
@click.option(
    "--anomalous",
    multiple=True,
    callback=_listed,
    metavar="VALUE,...",
    help="Labels that mean anomalous; every other one is benign. Default: 1, true, anomaly, attack and the like.",
)
@click.option(
    "--benign",
    multiple=True,
    callback=_listed,
    metavar="VALUE,...",
    help="Labels that mean benign; every other one is anomalous. Default: 0, false, normal, benign and the like.",
)
@click.option("--threshold", type=float, metavar="X", help="Count at this threshold, not at the stream's own.")
@click.option(
    "--max-fpr",
    type=click.FloatRange(0, 1),
    metavar="R",
    help="Count at the smallest threshold that at most the share R of the benign records exceeds.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 1),
    default=0.001,
    show_default=True,
    metavar="R",
    help="Give the recall of damaged records also at this false-positive rate.",
)
@click.option(
    "--corrupt",
    "kinds",
    multiple=True,
    callback=_some_of(KINDS),
    metavar="KIND,...",
    help=f"How benign records are damaged: all, none, or some of {', '.join(KINDS)}.  [default: all]",
)
@click.option(
    "--corrupt-feature",
    "corrupt_features",
    multiple=True,
    callback=_listed,
    metavar="F,...",
    help="Damage these features only; default: all, or of many a sample.",
)
@click.option(
    "--noise",
    multiple=True,
    type=NoiseRange(),
    help="Add numbers of this range, instead of the usual strengths; several times for several.",
)
@click.option(
    "--plant",
    "faults",
    multiple=True,
    callback=_some_of(FAULT_KINDS),
    metavar="FAULT,...",
    help="Faults to plant in benign records, one at a time in one field, to see whether they are found and "
    f"the field is named: all, none, or some of {', '.join(FAULT_KINDS)}.  [default: all]",
)
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, help="Most anomalous images in the report."
)
@click.option(
    "--bootstrap",
    "resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Resamples for the intervals; 0: no intervals.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of resamples and damages.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write tables (CSV, JSON), plots (PNG, SVG) and one HTML page there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@engine_options
def command(
    config: Path,
    inputs: tuple[Path, ...],
    *,
    stream: str | None,
    report: Path | None,
    as_json: bool,
    engine: EngineChoice,
    **request: Any,  # the options that are named as the fields of Request
) -> None:
    """Compare the scores of INPUT files (- is standard input) with their labels; nothing is stored or learned."""
    from monitor.app.evaluate import Request, evaluate_files, write_report
    from monitor.app.inputs import named
    from monitor.cli.progress import progress_bars
    from monitor.reporting import tables
    from monitor.reporting.output_file import directory_for_results

    if report is None and click.get_current_context().get_parameter_source("top") is ParameterSource.COMMANDLINE:
        raise UsageError("--top draws images in the report: it goes with --report DIR")
    with nullcontext() if report is None else directory_for_results(report):
        with engine.opened() as workers, progress_bars() as progress:
            evaluated = evaluate_files(config, stream, named(inputs), Request(**request, engine=workers), progress)
        if as_json:
            click.echo(tables.as_json(evaluated.evaluation))
        else:
            click.echo(tables.as_text(evaluated.evaluation), nl=False)
        if report is not None:
            write_report(evaluated, report)
            click.echo(f"report: {report / 'report.html'}", err=True)
