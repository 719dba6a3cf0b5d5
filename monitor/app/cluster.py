"""Clusters of records by their latent vectors: the daemon's data path over files, then k-means on what it kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.app._latents import Gathering, looked_up, rereadable
from monitor.app.offline import Offline, open_offline
from monitor.core.arrays import F32, I64
from monitor.core.extras import require_analysis
from monitor.core.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from monitor.reporting.cluster_table import Latents, Report
    from monitor.reporting.clustering import Clustering


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make: ``clusters`` None chooses their number, up to ``most``; ``outliers`` members are named."""

    clusters: int | None
    most: int
    outliers: int
    seed: int
    label_field: str | None


@dataclass(frozen=True, slots=True)
class Clustered:
    """The result: facts for people and programs, every record, and what the pictures are made of."""

    report: Report
    latents: Latents
    clustering: Clustering
    outliers: I64  # rows
    encoded: Mapping[int, F32]  # by row: the encoded record of prototypes and outliers
    offline: Offline

    def tables(self) -> Iterator[Any]:
        """Every record as rows of ``pyarrow.Table``, in the order of the input."""
        from monitor.reporting.cluster_table import record_tables

        return record_tables(self.clustering, self.latents)


def cluster_files(
    config_path: Path, stream: str | None, inputs: Sequence[Path], wanted: Wanted, progress: Progress
) -> Clustered:
    """Cluster the records of files.

    Raises:
        UnavailableError: the libraries of the extra ``analysis`` are not installed.
        UsageError: the label field does not occur, or there are too few different records for so many clusters.
        NoInputError, DataError: there is no record, none can be parsed, or none has a finite latent vector.
        DataError: a file changed while it was read.
    """
    require_analysis()
    from monitor.reporting.cluster_table import About, report
    from monitor.reporting.clustering import cluster_latent

    offline = open_offline(config_path, stream)
    with rereadable(inputs) as files:
        paths = [path for path, _ in files]
        gathering = Gathering(offline, files, wanted.label_field)
        for batch in offline.batches(paths, progress, "reading"):
            gathering.add(batch)
        latents = gathering.latents()
        clustering = cluster_latent(
            latents.latent, wanted.clusters, most=wanted.most, seed=wanted.seed, progress=progress
        )
        outliers = clustering.farthest(wanted.outliers)
        shown = np.unique(np.concatenate([clustering.prototypes, outliers]))
        summaries, encoded = looked_up(offline, paths, latents.place[shown], latents.scores[shown])
    about = About(offline.stream, offline.pipeline.bundle.version, gathering.unparsed, wanted.seed)
    rows = shown.tolist()
    facts = report(clustering, latents, dict(zip(rows, summaries, strict=True)), outliers, about)
    return Clustered(facts, latents, clustering, outliers, dict(zip(rows, encoded, strict=True)), offline)


def write_report(directory: Path, clustered: Clustered) -> list[Path]:
    """Write rows, facts and pictures into a directory that exists; gives the files, in the order they were written.

    Raises:
        CannotCreateError: a file cannot be written.
    """
    from monitor.reporting.figures.style import as_png, as_svg
    from monitor.reporting.output_file import created
    from monitor.reporting.table_files import table_writer

    written = [directory / "clusters.csv"]
    with created(written[0]) as file:
        writer = table_writer("csv", file)
        for table in clustered.tables():
            writer.write(table)
        writer.close()
    plot = _plot(clustered)
    contents = {"clusters.json": clustered.report.as_json().encode(), "clusters.svg": as_svg(plot).encode()}
    contents |= {"clusters.png": as_png(plot)} | {name: as_png(sheet) for name, sheet in _sheets(clustered).items()}
    for name, content in contents.items():
        with created(directory / name) as file:
            file.write(content)
        written.append(directory / name)
    return written


def _plot(clustered: Clustered) -> Figure:
    """Every record, so that the numbers beside the plot are those of the table."""
    from monitor.reporting.clustering import plane
    from monitor.reporting.figures.clusters import cluster_plot

    cluster = clustered.clustering.cluster
    points, axes = plane(clustered.latents.latent, clustered.report.seed)
    placed = np.flatnonzero(cluster > 0)
    return cluster_plot(points[placed], cluster[placed], np.searchsorted(placed, clustered.outliers), axes)


def _sheets(clustered: Clustered) -> dict[str, Figure]:
    """Contact sheets of prototypes and outliers by file name; none where records are no images."""
    from monitor.reporting.figures.pictures import contact_sheet
    from monitor.reporting.pictures import Place, image_feature, pictures

    pipeline, report = clustered.offline.pipeline, clustered.report
    if image_feature(pipeline.features) is None:
        return {}
    chosen = {
        "prototypes.png": (clustered.clustering.prototypes, [group.prototype for group in report.clusters],
                           "Prototypes: the record nearest to each cluster's centre"),
        "outliers.png": (clustered.outliers, report.outliers,
                         "Members farthest from their cluster's centre"),
    }  # fmt: skip
    sheets: dict[str, Figure] = {}
    for name, (rows, members, title) in chosen.items():
        places = [
            Place(m.file, m.line, m.score, f"{m.label} · " * bool(m.label) + f"cluster {m.cluster}") for m in members
        ]
        values = np.array([clustered.encoded[row] for row in rows.tolist()], dtype=np.float32)
        sheets[name] = contact_sheet(pictures(pipeline.features, pipeline.scorer, values, places), title)
    return sheets
