"""A model before it is published, as one HTML page that needs nothing else: what it learned and what it showed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.model.calibration import Calibration
from monitor.model.trials import Gate
from monitor.reporting import facts
from monitor.reporting.evaluation import Evaluation
from monitor.reporting.facts import NAME, Table
from monitor.reporting.figures.style import as_svg
from monitor.reporting.page_plots import Plot, plots
from monitor.reporting.report import Drawn, drawing
from monitor.reporting.templates import render
from monitor.reporting.wording import UNKNOWN, number, short

CAPTIONS = {
    "distribution": "All of these records are benign: what lies right of the dashed line are false alerts.",
    "scores": "Each dot is a benign record, in the order of time. Dots that climb from left to right are drift.",
    "planted": "Each line is one fault in one field of held-out records. Where all lines of a field lie far left, the "
    "model hardly watches it; where a fault lies far left in every field, the model cannot see it.",
    "loss": "Both curves should fall and level off. A held-out curve that rises while the other falls is overfitting.",
}
"""The plots of an evaluation that say something where every record is benign, and what."""


@dataclass(frozen=True, slots=True)
class FieldErrors:
    """The mean error of each feature in a few of the newest records, beside a model's calibration.

    ``since`` are those of the model in use, [features] as in its own layout; None where there is none.
    """

    names: tuple[str, ...]
    calibration: Calibration
    since: dict[str, tuple[float, float]] | None  # feature: mean when it was calibrated, mean now


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the page shows. ``replayed`` has the newest benign records, ``about`` pairs of a name and a text."""

    stream: str
    created: str
    verdict: tuple[str, ...]
    gates: tuple[Gate, ...]
    replayed: Evaluation
    fields: FieldErrors
    about: tuple[tuple[str, str], ...]


def model_page(model: ModelFacts) -> str:
    """The page; the same facts give the same bytes."""
    return render(
        "model.html.j2",
        stream=short(model.stream, NAME),
        created=model.created,
        verdict=model.verdict,
        gates=gates(model.gates),
        planted=_without_files(facts.planted(model.replayed)),
        fields=fields(model.fields),
        about=Table("The records and the network.", ("", ""), model.about, words=2),
        plots={plot.name: _drawn(plot) for plot in plots(model.replayed) if plot.name in CAPTIONS},
    )


def _drawn(plot: Plot) -> Drawn:
    return drawing(replace(plot, caption=CAPTIONS[plot.name]), as_svg(plot.draw()))


def gates(rows: Sequence[Gate]) -> Table:
    """What was demanded before publication."""
    return Table(
        "What a model has to show before it is published; whatever fails keeps the one in use.",
        ("gate", "result", "what was seen"),
        [(gate.name, "passed" if gate.passed else "FAILED", gate.words) for gate in rows],
        words=3,
        marked=frozenset(at for at, gate in enumerate(rows) if not gate.passed),
    )


def fields(errors: FieldErrors) -> Table:
    """The error that is usual in each field, and how far that of the model in use has moved since it was made."""
    means = dict(zip(errors.names, errors.calibration.field_means, strict=True))
    highs = dict(zip(errors.names, errors.calibration.field_highs, strict=True))
    since = errors.since or {}
    rows = [
        (short(name, NAME), number(means[name]), number(highs[name]), *_moved(since.get(name))) for name in errors.names
    ]
    heads = ("feature", "mean", "largest", "before: mean", "before: now", "before: ratio")
    return Table(
        "Errors of benign records by feature. Before is the model that was in use: its error when it was made, and in "
        "the newest records; a ratio far from 1 is drift.",
        heads,
        rows,
    )


def _moved(pair: tuple[float, float] | None) -> tuple[str, str, str]:
    if pair is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    before, now = pair
    return number(before), number(now), number(now / before if before else math.nan)


def _without_files(table: Table) -> Table:
    """The table without the note on files, of which there are none beside this page."""
    note = "Named first is the share of what is found whose alert blames the field before all others."
    return Table(table.caption, table.heads, table.rows, table.words, table.meanings, note, table.marked)
