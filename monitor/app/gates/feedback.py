"""Feedback: what a person called an anomaly still alerts, and what a person called benign does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.app.compose import build_ingest
from monitor.app.gates.contender import Contender
from monitor.app.gates.contest import Contest
from monitor.app.labels import read_labels
from monitor.core.arrays import Bools
from monitor.core.features import FeatureMatrix
from monitor.core.printable import printable
from monitor.core.records import RawBatch
from monitor.core.rows import NO_ORIGIN, take
from monitor.model.trials import Gate


def gate(contest: Contest) -> Gate:
    """Labelled records, each scored alone.

    Alone a record shows nothing of the time since the one before it: an anomaly counts only if the model in use, where
    there is one, sees it alone.
    """
    if not contest.labelled:
        return Gate("feedback", True, "no alert is labelled")
    lines = [line for line, _ in contest.labelled]
    must = np.array([must_alert for _, must_alert in contest.labelled], dtype=np.bool_)
    alerts, parsed = _alone(contest, contest.candidate, lines)
    seen = parsed if contest.champion is None else _alone(contest, contest.champion, lines)[0]
    asked = parsed & (~must | seen)
    wrong = asked & (alerts != must)
    told = f"{int((asked & must).sum()):,} anomalies still alert, {int((asked & ~must).sum()):,} benign ones pass"
    if wrong.any():
        told = _told(lines, must, wrong)
    return Gate("feedback", not wrong.any(), told, int(wrong.sum()), 0)


def labelled(state_dir: Path, stream: str) -> list[tuple[str, bool]]:
    """The alerts of a stream that a person labelled, as text, and whether each must alert."""
    labels = read_labels(state_dir).values()
    return [(label.alert.raw, label.label == "anomaly") for label in labels if label.alert.stream == stream]


def _told(lines: Sequence[str], must: Bools, wrong: Bools) -> str:
    silent, loud = int((wrong & must).sum()), int((wrong & ~must).sum())
    first = printable(lines[int(np.flatnonzero(wrong)[0])], limit=120)
    said = [f"{silent:,} labelled anomaly no longer alert"] * (silent > 0)
    said += [f"{loud:,} labelled benign still alert"] * (loud > 0)
    return f"{', '.join(said)}, the first: {first}; give more records of their kind, or take the label back"


def _alone(contest: Contest, contender: Contender, lines: Sequence[str]) -> tuple[Bools, Bools]:
    """Which records alert, and which parse, [n] each."""
    features = contender.features
    records = build_ingest(contest.stream, features.fields).parse(framed(lines))
    values = np.zeros((len(lines), features.layout.total), dtype=np.float32)
    fresh = features.keyed_state()
    for row in range(len(lines)):
        values[row] = features.encode(take(records, np.array([row]))).values[0]
        features.load_keyed_state(fresh)
    scores = contender.scorer.score(FeatureMatrix(values, features.layout)).scores
    return records.ok & (scores > contender.threshold), records.ok


def framed(lines: Sequence[str]) -> RawBatch:
    """Texts as framed records, each whole, line feeds and all."""
    data = [line.encode() for line in lines]
    ends = np.cumsum([len(text) + 1 for text in data], dtype=np.int64) - 1
    starts = ends - np.fromiter(map(len, data), dtype=np.int64, count=len(data))
    nothing = np.zeros(len(data), dtype=np.bool_)
    whole = b"".join(text + b"\n" for text in data)
    return RawBatch(NO_ORIGIN, whole, starts, ends, starts, len(whole), b"", nothing)
