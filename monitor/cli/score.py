"""``aemonitor score``: scores of files, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.exits import ExitCode

if TYPE_CHECKING:
    from monitor.reporting.score_rows import ScoreRow


@click.command("score", short_help="Score files offline with the published model.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="INPUT...")
@click.option("--stream", metavar="S", help="The stream whose model scores; needed when there are several.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N highest scores, the highest first.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--fail-on-anomaly", is_flag=True, help="Exit with 3 if any record is above the threshold.")
def command(
    config: Path, inputs: tuple[Path, ...], stream: str | None, top: int | None, form: str, *, fail_on_anomaly: bool
) -> None:
    """Print a score for every record of INPUT files (- is standard input), in their order."""
    from monitor.app.score import score_files
    from monitor.cli.progress import training_progress
    from monitor.reporting import score_rows

    anomalies = records = 0
    highest: list[ScoreRow] = []
    with training_progress() as progress:
        for rows in score_files(config, stream, inputs, explain=True, progress=progress):
            anomalies += sum(row.alert for row in rows)
            if top is not None:
                highest = score_rows.top([*highest, *rows], top)
            else:
                click.echo(_text(rows, form, header=records == 0), nl=False)
            records += len(rows)
    if top is not None:
        click.echo(_text(highest, form, header=True), nl=False)
    click.echo(f"{records:,} records, {anomalies:,} above the threshold", err=True)
    if fail_on_anomaly and anomalies:
        raise SystemExit(ExitCode.ANOMALIES_FOUND)


def _text(rows: list[ScoreRow], form: str, *, header: bool) -> str:
    from monitor.reporting.score_rows import as_csv, as_jsonl

    return as_csv(rows, header=header) if form == "csv" else as_jsonl(rows)
