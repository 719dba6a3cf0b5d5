"""What a clustering says, as facts in a fixed shape: JSON for programs, a table for people, rows for every record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from monitor.core.arrays import F32, F64, I64, Column
from monitor.core.printable import printable
from monitor.reporting.cluster_count import Candidate
from monitor.reporting.clustering import RADIUS_SHARE, SMALL_RECORDS, SMALL_SHARE, Clustering
from monitor.reporting.wording import side_by_side

SCHEMA = "aemonitor.clusters/v1"

TABLE_ROWS = 8_192
"""Records of one table: text is made of so many at a time."""

LABELS_SHOWN = 5
"""The commonest labels of a cluster that are counted in the report."""

SUMMARY_CHARACTERS = 100
"""Of a record's fields, this much stands in the table for people."""

PATH_CHARACTERS = 200
"""A longer path is cut in the table for people."""


@dataclass(frozen=True, slots=True)
class Latents:
    """The records that were clustered, in the order of the input."""

    latent: F32  # [n, w]
    scores: F64  # [n]
    files: tuple[str, ...]
    file: I64  # [n], which of ``files``
    line: I64  # [n], from 1 in its file
    place: I64  # [n], in the whole input, from 0; records that do not parse count
    label: Column | None  # [n] string; None where no label field was named

    def __len__(self) -> int:
        return len(self.latent)


@dataclass(frozen=True, slots=True)
class About:
    """What records were clustered and how, for the report."""

    stream: str
    model: str
    unparsed: int
    seed: int


class Member(msgspec.Struct, frozen=True):
    """One record: where it stands, how it scored, how far from the centre it is and what its fields say."""

    file: str
    line: int
    cluster: int
    distance: float
    relative_distance: float
    score: float
    label: str | None
    summary: str


class Group(msgspec.Struct, frozen=True):
    """One cluster. ``labels`` counts the commonest labels of its members."""

    cluster: int
    records: int
    share: float
    small: bool
    mean_score: float
    max_score: float
    radius: float
    labels: dict[str, int]
    prototype: Member


class Report(msgspec.Struct, frozen=True):
    """Everything but the rows. ``unplaced`` records have no finite latent vector; ``silhouette`` needs two clusters."""

    schema: str
    stream: str
    model: str
    inputs: tuple[str, ...]
    records: int
    unparsed: int
    unplaced: int
    latent_columns: int
    seed: int
    k: int
    reason: str
    silhouette: float | None
    candidates: tuple[Candidate, ...]
    clusters: list[Group]
    outliers: list[Member]

    def as_json(self) -> str:
        """The report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    def as_text(self) -> str:
        """The report for a person."""
        apart = ["", *self._apart()] if self.outliers else []
        return "\n".join([*self._head(), "", *self._groups(), *apart]) + "\n"

    def _head(self) -> Iterator[str]:
        width = _count(self.latent_columns, "column")
        yield f"stream {self.stream}, model {self.model}: {_count(self.records, 'record')}, latent vectors of {width}"
        yield f"{_count(self.k, 'cluster')}: {self.reason}"
        if self.unparsed:
            yield f"{_count(self.unparsed, 'record')} could not be parsed and are left out"
        if self.unplaced:
            yield f"{_count(self.unplaced, 'record')} in no cluster: the latent vector is not finite"

    def _groups(self) -> Iterator[str]:
        labelled = any(group.labels for group in self.clusters)
        head = ["cluster", "records", "share", "mean score", "max score", "radius"]
        rows = [
            [
                f"{group.cluster}{' small' * group.small}",
                f"{group.records:,}",
                f"{group.share:.1%}",
                f"{group.mean_score:.3f}",
                f"{group.max_score:.3f}",
                f"{group.radius:#.4g}",
                *([_commonest(group)] if labelled else []),
                _named(group.prototype),
            ]
            for group in self.clusters
        ]
        yield from _aligned([*head, *(["labels"] if labelled else []), "prototype"], rows, left=1 + labelled)
        few = f"under {SMALL_SHARE:.0%} of the records or fewer than {SMALL_RECORDS}"
        yield f"radius: {RADIUS_SHARE:.0%} of the members are no farther from the centre; small: {few}"

    def _apart(self) -> Iterator[str]:
        yield "members farthest from their centre, in radii of their cluster"
        rows = [
            [
                f"{member.relative_distance:.2f}",
                f"{member.cluster}",
                f"{member.distance:#.4g}",
                f"{member.score:.3f}",
                *([] if member.label is None else [printable(member.label, 20)]),
                _named(member),
            ]
            for member in self.outliers
        ]
        labelled = self.outliers[0].label is not None
        head = ["radii", "cluster", "distance", "score", *(["label"] if labelled else []), "record"]
        yield from _aligned(head, rows, left=1 + labelled)


def report(
    clustering: Clustering, latents: Latents, summaries: Mapping[int, str], outliers: I64, about: About
) -> Report:
    """The report on a clustering of these records; ``summaries`` says what the fields of a prototype or outlier are."""
    prototypes = [_member(clustering, latents, summaries, row) for row in clustering.prototypes.tolist()]
    groups = [_group(clustering, latents, prototype) for prototype in prototypes]
    placed = int(clustering.sizes.sum())
    return Report(
        schema=SCHEMA,
        stream=about.stream,
        model=about.model,
        inputs=latents.files,
        records=len(latents),
        unparsed=about.unparsed,
        unplaced=len(latents) - placed,
        latent_columns=latents.latent.shape[1],
        seed=about.seed,
        k=len(groups),
        reason=clustering.choice.reason,
        silhouette=clustering.silhouette,
        candidates=clustering.choice.candidates,
        clusters=groups,
        outliers=[_member(clustering, latents, summaries, row) for row in outliers.tolist()],
    )


def _member(clustering: Clustering, latents: Latents, summaries: Mapping[int, str], row: int) -> Member:
    return Member(
        file=latents.files[latents.file[row]],
        line=int(latents.line[row]),
        cluster=int(clustering.cluster[row]),
        distance=float(clustering.distance[row]),
        relative_distance=float(clustering.relative[row]),
        score=float(latents.scores[row]),
        label=None if latents.label is None else latents.label[row].as_py() or "",
        summary=summaries.get(row, ""),
    )


def _group(clustering: Clustering, latents: Latents, prototype: Member) -> Group:
    """The cluster of its prototype."""
    number = prototype.cluster
    rows = np.flatnonzero(clustering.cluster == number)
    scores = latents.scores[rows]
    return Group(
        cluster=number,
        records=len(rows),
        share=len(rows) / int(clustering.sizes.sum()),
        small=bool(clustering.small[number - 1]),
        mean_score=float(scores.mean()),
        max_score=float(scores.max()),
        radius=float(clustering.radii[number - 1]),
        labels=_labels(latents.label, rows),
        prototype=prototype,
    )


def record_tables(clustering: Clustering, latents: Latents) -> Iterator[pa.Table]:
    """Every record in the order of the input: its place, cluster, distances, score, latent vector and label."""
    files = pa.array(latents.files, pa.string())
    for start in range(0, max(1, len(latents)), TABLE_ROWS):
        rows = slice(start, start + TABLE_ROWS)
        cluster, latent = clustering.cluster[rows], latents.latent[rows]
        columns = {
            "file": files.take(pa.array(latents.file[rows])),
            "line": pa.array(latents.line[rows]),
            "cluster": pa.array(cluster, mask=cluster == 0),
            "distance": _finite(clustering.distance[rows]),
            "relative_distance": _finite(clustering.relative[rows]),
            "score": pa.array(latents.scores[rows]),
            **{f"latent_{k + 1}": _finite(latent[:, k]) for k in range(latent.shape[1])},
        }
        if latents.label is not None:
            columns["label"] = latents.label[rows]
        yield pa.table(columns)


def _finite(values: F32 | F64) -> Column:
    return pa.array(values, mask=~np.isfinite(values))


def _labels(labels: Column | None, rows: I64) -> dict[str, int]:
    if labels is None:
        return {}
    counts = {entry["values"]: entry["counts"] for entry in labels.take(pa.array(rows)).value_counts().to_pylist()}
    ordered = sorted(((label, n) for label, n in counts.items() if label), key=lambda pair: (-pair[1], pair[0]))
    return dict(ordered[:LABELS_SHOWN])


def _commonest(group: Group) -> str:
    """The label that most members have, and what share of them."""
    label, count = next(iter(group.labels.items()), ("", 0))
    return f"{count / group.records:.0%} {printable(label, 20)}" if count else ""


def _named(member: Member) -> str:
    summary = printable(member.summary, SUMMARY_CHARACTERS)
    return f"{printable(member.file, PATH_CHARACTERS)}:{member.line}" + (f"  {summary}" if summary else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Indented columns; the last ``left`` are text."""
    lines = side_by_side([head, *rows], range(len(head) - left, len(head)))
    return (f"  {line}" for line in lines)
