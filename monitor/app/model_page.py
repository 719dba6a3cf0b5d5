"""The page that is published with a model; without the libraries that draw, the model is published all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.app.gates.contender import Contender
from monitor.app.gates.contest import Contest
from monitor.app.gates.trying import Tried
from monitor.core.errors import UnavailableError
from monitor.core.extras import require
from monitor.core.limit import Limit
from monitor.model.bundle import BundleContents
from monitor.model.calibration import method_of
from monitor.model.card import moment
from monitor.reporting.assessment import Choice, Subject, assess
from monitor.reporting.evaluation import Evaluation
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.labelled import Labelled
from monitor.reporting.labels import BENIGN

PAGE = "report.html"

SAMPLE = 2_000
"""Records in which the errors of fields are looked at: enough for a mean."""


def attachments(contents: BundleContents, contest: Contest, tried: Tried, now: float) -> dict[str, bytes]:
    """The page, or nothing where the extra ``analysis`` is not installed."""
    try:
        require("analysis", "jinja2", "matplotlib")
    except UnavailableError:
        return {}
    from monitor.reporting.model_page import FieldErrors, ModelFacts, model_page

    layout = contents.layout
    found = ModelFacts(
        stream=contents.stream,
        created=moment(now),
        verdict=_verdict(contest, tried, contents.limit),
        gates=contents.trials.gates,
        replayed=_replayed(contents, contest, tried),
        fields=FieldErrors(tuple(block.feature for block in layout.blocks), contents.calibration, _since(contest)),
        about=_about(contents),
    )
    return {PAGE: model_page(found).encode()}


def _verdict(contest: Contest, tried: Tried, promise: Limit | None) -> tuple[str, ...]:
    records = sum(row.records for row in tried.candidate)
    found = sum(row.found for row in tried.candidate)
    return (
        f"Of {records:,} faults planted in held-out records {found:,} are found."
        if records
        else "No fault can be planted in these fields.",
        f"Of the {len(contest.day):,} newest benign records {int(contest.replay.alerts.sum()):,} alert"
        + (f"; {promise.text()}." if promise else "."),
    )


def _replayed(contents: BundleContents, contest: Contest, tried: Tried) -> Evaluation:
    """The replay as an evaluation of records that are all benign, with the faults planted."""
    history, scores, day = contents.history, contest.replay.scores, contest.day
    nothing = np.zeros(len(scores), dtype=np.int64)
    labelled = Labelled(
        paths=("",),
        files=nothing,
        lines=nothing,
        scores=scores,
        errors=scores,
        codes=np.full(len(scores), BENIGN, dtype=np.int8),
        times=day.times,
        keys=nothing,
        names=(None,),
    )
    subject = Subject(contents.stream, "", (), contest.candidate.threshold, history, contents.config.loss)
    evaluation = assess(labelled, subject, Choice(None, None, tried.rate), Bootstrap(0, 1), lambda *_: None)
    return replace(evaluation, planted=tried.found)


def _since(contest: Contest) -> dict[str, tuple[float, float]] | None:
    """The mean error of each feature with the model in use: when it was made, and in the newest records."""
    old = contest.champion
    if old is None:
        return None
    now = field_means(old, contest)
    return dict(zip(_names(old), zip(old.contents.calibration.field_means, now, strict=True), strict=True))


def field_means(contender: Contender, contest: Contest) -> list[float]:
    """The mean error of each feature in the newest records, [features]."""
    values = contender.encode(contest.day)[-SAMPLE:]
    scorer = contender.scorer
    means: list[float] = scorer.field_errors(values, scorer.reconstruct(values)).mean(axis=0).tolist()
    return means


def _names(contender: Contender) -> tuple[str, ...]:
    return tuple(block.feature for block in contender.features.layout.blocks)


def _about(contents: BundleContents) -> tuple[tuple[str, str], ...]:
    data = contents.data
    first, last = data.first_time, data.last_time
    window = "without event times" if first is None or last is None else f"{moment(first)} to {moment(last)}"
    return (
        ("learned from", f"{data.train:,} benign records; {data.early_stop:,} more told when to stop"),
        ("calibrated with", f"{data.calibration:,} later ones"),
        ("data window", window),
        ("layers", "-".join(map(str, contents.module.widths)) or "none"),
        ("score", method_of(contents.score)),
        ("limit", f"{contents.threshold:g}" + (f": {contents.limit.text()}" if contents.limit else "")),
        ("seed", f"{contents.config.seed}"),
    )
