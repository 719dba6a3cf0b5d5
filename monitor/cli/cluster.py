"""``aemonitor cluster``: groups of records by their latent vectors."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option

if TYPE_CHECKING:
    from monitor.app.cluster import Clustered

MOST_CLUSTERS = 1000
"""More groups than anybody reads."""


class ClusterCount(click.ParamType[int]):
    """A number of clusters, or ``auto``, which is 0."""

    name = "N|auto"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in ("auto", 0):
            return 0
        if not str(value).isascii() or not str(value).isdecimal() or not 1 <= int(value) <= MOST_CLUSTERS:
            self.fail(f"{value!r} is neither auto nor a number from 1 to {MOST_CLUSTERS}", param, ctx)
        return int(value)


@click.command("cluster", short_help="Group records by their latent vectors.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="INPUT...")
@click.option("--stream", metavar="S", help="The stream whose model is used; needed when there are several.")
@click.option(
    "--k",
    "clusters",
    type=ClusterCount(),
    default="auto",
    show_default=True,
    help="How many clusters; auto takes the number that stands out most from data without clusters, or one.",
)
@click.option(
    "--max-k",
    "most",
    type=click.IntRange(2, MOST_CLUSTERS),
    default=20,
    show_default=True,
    help="The largest number that auto tries.",
)
@click.option(
    "--outliers",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Name the N members farthest from their centre, measured in the radius of their cluster.",
)
@click.option("--label-field", metavar="NAME", help="A field that is shown beside each record, such as its true class.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="The same seed and records give the same clusters.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="text and json: the clusters; csv: every record with its cluster, in the order of the input.",
)
@click.option(
    "--report",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write clusters.csv, clusters.json, a plot, and sheets of images if records are images.",
)
def command(  # noqa: PLR0913 - one argument for each option
    *,
    config: Path,
    inputs: tuple[Path, ...],
    stream: str | None,
    clusters: int,
    most: int,
    outliers: int,
    label_field: str | None,
    seed: int,
    form: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Cluster the records of INPUT files (- is standard input) by k-means on their latent vectors."""
    from monitor.app.cluster import Wanted, cluster_files, write_report
    from monitor.cli.progress import progress_bars
    from monitor.reporting.output_file import directory_for_results

    wanted = Wanted(clusters or None, most, outliers, seed, label_field)
    with nullcontext() if directory is None else directory_for_results(directory):
        with progress_bars() as progress:
            clustered = cluster_files(config, stream, inputs, wanted, progress)
        _print(clustered, form)
        if directory is not None:
            names = ", ".join(path.name for path in write_report(directory, clustered))
            click.echo(f"wrote {names} to {directory}", err=True)


def _print(clustered: Clustered, form: str) -> None:
    from monitor.reporting.row_text import as_csv

    if form == "text":
        click.echo(clustered.report.as_text(), nl=False)
    elif form == "json":
        click.echo(clustered.report.as_json(), nl=False)
    else:
        for index, table in enumerate(clustered.tables()):
            click.echo(as_csv(table, header=index == 0), nl=False)
