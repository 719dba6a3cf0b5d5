"""``aemonitor score``: scores, denoised records or hidden states of files, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
from click.core import ParameterSource

from monitor.cli.exits import ExitCode
from monitor.cli.options import config_option, engine_options
from monitor.core.errors import UsageError
from monitor.core.names import quoted
from monitor.engines.choice import EngineChoice

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
    label_wanted: bool
    """Whether the label field was given, and is not the default."""
    reconstruct: bool
    latent: bool

    @property
    def ranked(self) -> bool:
        return bool(self.top or self.lowest)

    @property
    def squared(self) -> bool:
        return self.by == "squared"

    @property
    def path(self) -> Path | None:
        """The output file; None is standard output."""
        return None if self.output is None or str(self.output) == "-" else self.output

    @property
    def on_terminal(self) -> bool:
        return self.path is None and sys.stdout.isatty()

    @property
    def as_table(self) -> bool:
        """Whether a person reads the records of --top and --lowest."""
        return self.ranked and self.on_terminal and self.form is None

    @property
    def format(self) -> str:
        """As said, or as the output's name ends, or JSON Lines."""
        return self.form or (self._ending if self._ending in FORMATS else "jsonl")

    @property
    def _ending(self) -> str:
        """Of the output's name; what is there and is no file, such as /dev/fd/3, may be named as it likes."""
        if self.path is None or (self.path.exists() and not self.path.is_file()):
            return ""
        return self.path.suffix.removeprefix(".").lower()

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
        if self.label_wanted and not (self.images or self.as_table):
            raise UsageError(
                "--label-field puts the label into the titles of images: it goes with --images FILE.png, or with --top "
                "or --lowest on a terminal; rows have every field anyway"
            )
        if self._ending and self._ending not in FORMATS and self.form is None:
            raise UsageError(
                f"-o {self.path}: there is no format {quoted(self._ending)}; name the file {_one_of('.')}, or say with "
                f"--format what it is to hold: {_one_of()}"
            )
        if self.format == "parquet" and self.on_terminal:
            raise UsageError("Parquet is binary and would garble the terminal: name a file with -o FILE")


def _one_of(before: str = "") -> str:
    """The formats, or with a point before them the endings of their files."""
    return ", ".join(before + form for form in FORMATS[:-1]) + f" or {before}{FORMATS[-1]}"


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
    "-o",
    "--output",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Write here, whole or not at all.",
)
@click.option(
    "--images",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE.png",
    help="Draw the records shown, if they are images.",
)
@click.option(
    "--label-field", default="label", show_default=True, metavar="FIELD", help="The field with the label, for titles."
)
@click.option("--fail-on-anomaly", is_flag=True, help="Exit with 3 if any record is above the threshold.")
@engine_options
def command(
    config: Path,
    inputs: tuple[Path, ...],
    *,
    stream: str | None,
    engine: EngineChoice,
    fail_on_anomaly: bool,
    **options: object,
) -> None:
    """Print a score for every record of INPUT files (- is standard input), in their order.

    INPUT may be a pattern, in quotes; files may be compressed, or Parquet for a stream of JSON.

    On a terminal --top and --lowest print a table, and draw the first image; anywhere else, or with --format, rows.
    """
    from monitor.app.inputs import named
    from monitor.app.offline import open_offline
    from monitor.reporting.output_file import check_place

    default = click.get_current_context().get_parameter_source("label_field") is ParameterSource.DEFAULT
    asked = Options(named(inputs), **options, label_wanted=not default)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - click checked them
    asked.check()
    for path in filter(None, (asked.path, asked.images)):
        check_place(path)
    with engine.opened() as workers:
        offline = open_offline(config, stream, workers)
        records, anomalies, unparsed = _rank(offline, asked) if asked.ranked else _write_all(offline, asked)
    others = f", {unparsed:,} not parsed" if unparsed else ""
    click.echo(f"{records:,} records, {anomalies:,} above the threshold{others}", err=True)
    if fail_on_anomaly and anomalies:
        raise SystemExit(ExitCode.ANOMALIES_FOUND)


def _write_all(offline: Offline, asked: Options) -> tuple[int, int, int]:
    """One row for every record, batch by batch as they come."""
    from monitor.app.cleaning import cleaned
    from monitor.app.score import OPTIONAL, latents, scores
    from monitor.cli.progress import progress_bars
    from monitor.reporting.table_files import table_writer

    records = anomalies = unparsed = 0
    with _target(asked.path) as file, progress_bars() as progress:
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
    from monitor.app.ranking import check_images, demand_label, rank
    from monitor.cli.progress import progress_bars
    from monitor.core.extras import require_analysis

    if asked.images:
        require_analysis()
    if asked.images or asked.label_wanted:
        check_images(offline)
    with progress_bars() as progress:
        ranking = rank(offline, asked.inputs, progress, top=asked.top, lowest=asked.lowest, squared=asked.squared)
    if asked.label_wanted:
        demand_label(ranking, asked.label_field)
    if asked.as_table:
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

    with _target(asked.path) as file:
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

    if path is None:
        yield sys.stdout.buffer
        return
    with created(path) as file:
        yield file
