"""``aemonitor score``: scores, denoised records or hidden states of files, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.exits import ExitCode
from monitor.core.errors import UsageError

if TYPE_CHECKING:
    from monitor.app.offline import Offline
    from monitor.app.ranking import Ranking

FORMATS = ("jsonl", "csv", "parquet")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    inputs: tuple[Path, ...]
    top: int | None
    lowest: int | None
    by: str | None
    form: str | None
    output: Path | None
    images: Path | None
    label_field: str
    reconstruct: bool
    latent: bool

    @property
    def ranked(self) -> bool:
        return bool(self.top or self.lowest)

    @property
    def squared(self) -> bool:
        return self.by == "squared"

    @property
    def on_terminal(self) -> bool:
        return self.output is None and sys.stdout.isatty()

    @property
    def format(self) -> str:
        """As said, or as the output's name ends, or JSON Lines."""
        ending = "" if self.output is None else self.output.suffix.removeprefix(".")
        return self.form or (ending if ending in FORMATS else "jsonl")

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            UsageError: it does not.
        """
        if self.reconstruct and self.latent:
            raise UsageError("--reconstruct and --latent write different rows: run the command once for each")
        whole = "--reconstruct" if self.reconstruct else "--latent" if self.latent else None
        if whole and (self.ranked or self.by):
            raise UsageError(f"{whole} writes every record: it goes without --top, --lowest and --by")
        if self.images and not self.ranked:
            raise UsageError("--images draws the records of --top or --lowest: say how many")
        if self.format == "parquet" and self.on_terminal:
            raise UsageError("Parquet is binary and would garble the terminal: name a file with -o FILE")


@click.command("score", short_help="Score files offline with the published model.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="INPUT...")
@click.option("--stream", metavar="S", help="The stream whose model scores; needed when there are several.")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", help="Only the N most anomalous records, with their fields."
)
@click.option(
    "--lowest", type=click.IntRange(min=1), metavar="N", help="Only the N best reproduced: prototypes of normal."
)
@click.option(
    "--by",
    type=click.Choice(["score", "squared"]),
    help="What --top and --lowest rank by [default: score]; squared adds squared errors to the rows.",
)
@click.option("--reconstruct", is_flag=True, help="Write each record as the network reproduces it, in original units.")
@click.option("--latent", is_flag=True, help="Write each record's hidden state, as latent_1, latent_2 and so on.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: as FILE ends, else jsonl.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, whole or not at all."
)
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw the records shown, if they are images."
)
@click.option(
    "--label-field", default="label", show_default=True, metavar="FIELD", help="The field with the label, for titles."
)
@click.option("--fail-on-anomaly", is_flag=True, help="Exit with 3 if any record is above the threshold.")
def command(config: Path, stream: str | None, *, fail_on_anomaly: bool, **options: object) -> None:
    """Print a score for every record of INPUT files (- is standard input), in their order.

    On a terminal --top and --lowest print a table, and draw the first image; anywhere else, or with --format, rows.
    """
    from monitor.app.offline import open_offline

    asked = Options(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - click checked them
    asked.check()
    offline = open_offline(config, stream)
    records, anomalies, unparsed = _rank(offline, asked) if asked.ranked else _write_all(offline, asked)
    others = f", {unparsed:,} not parsed" if unparsed else ""
    click.echo(f"{records:,} records, {anomalies:,} above the threshold{others}", err=True)
    if fail_on_anomaly and anomalies:
        raise SystemExit(ExitCode.ANOMALIES_FOUND)


def _write_all(offline: Offline, asked: Options) -> tuple[int, int, int]:
    """One row for every record, batch by batch as they come."""
    from monitor.app.cleaning import cleaned
    from monitor.app.score import OPTIONAL, latents, scores
    from monitor.cli.progress import training_progress
    from monitor.reporting.table_files import table_writer

    records = anomalies = unparsed = 0
    with _target(asked.output) as file, training_progress() as progress:
        if asked.reconstruct:
            parts = cleaned(offline, asked.inputs, progress)
        elif asked.latent:
            parts = latents(offline, asked.inputs, progress)
        else:
            parts = scores(offline, asked.inputs, progress, squared=asked.squared)
        writer = table_writer(asked.format, file, None if asked.reconstruct else OPTIONAL)
        for part in parts:
            writer.write(part.table)
            records, anomalies = records + part.records, anomalies + part.anomalies
            unparsed += part.unparsed
        writer.close()
    for name, count in writer.lost.items():
        click.echo(
            f"{count:,} values of field {name} are not in the output: {asked.format} has the columns and types of the "
            "first batch; --format jsonl keeps everything",
            err=True,
        )
    return records, anomalies, unparsed


def _rank(offline: Offline, asked: Options) -> tuple[int, int, int]:
    """The rows of --top and --lowest, once everything was read."""
    from monitor.app.ranking import check_images, rank
    from monitor.cli.progress import training_progress
    from monitor.core.extras import require_analysis

    if asked.images:
        require_analysis()
        check_images(offline)
    with training_progress() as progress:
        ranking = rank(offline, asked.inputs, progress, top=asked.top, lowest=asked.lowest, squared=asked.squared)
    if asked.on_terminal and asked.form is None:
        _show(offline, ranking, asked)
    else:
        _write_rows(ranking, asked)
    if asked.images:
        _draw(offline, ranking, asked.images, asked)
    return ranking.records, ranking.anomalies, ranking.unparsed


def _show(offline: Offline, ranking: Ranking, asked: Options) -> None:
    from rich.console import Console

    from monitor.app.ranking import drawn
    from monitor.cli.score_table import print_rows

    print_rows(Console(), ranking.rows, drawn(offline, ranking, asked.label_field))


def _write_rows(ranking: Ranking, asked: Options) -> None:
    from monitor.reporting.score_rows import as_jsonl, as_table
    from monitor.reporting.table_files import table_writer

    with _target(asked.output) as file:
        if asked.format == "jsonl":
            file.write(as_jsonl(ranking.rows).encode())
            file.flush()
            return
        writer = table_writer(asked.format, file)
        writer.write(as_table(ranking.rows))
        writer.close()


def _draw(offline: Offline, ranking: Ranking, path: Path, asked: Options) -> None:
    from monitor.app.ranking import drawn
    from monitor.cli.score_table import HEADINGS
    from monitor.reporting.contact_sheet import sheets_png
    from monitor.reporting.output_file import created

    groups = drawn(offline, ranking, asked.label_field)
    if not groups:
        click.echo("none of the records shown holds an image: nothing was drawn", err=True)
        return
    with created(path) as file:
        by = " by squared error" if asked.squared else ""
        file.write(sheets_png({f"{HEADINGS[name]}{by}": pictures for name, pictures in groups.items()}))


@contextmanager
def _target(path: Path | None) -> Iterator[IO[bytes]]:
    """The output file, whole or not at all; without one, standard output."""
    from monitor.reporting.output_file import created

    if path is None or str(path) == "-":
        yield sys.stdout.buffer
        return
    with created(path) as file:
        yield file
