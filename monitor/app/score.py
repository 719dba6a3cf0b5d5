"""Offline scoring: the same data path as the daemon's, over files, without a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.app.offline import Offline, OfflineBatch
from monitor.app.parts import LINE, Part, part, parts
from monitor.core.arrays import F64, Bools, Column
from monitor.core.progress import Progress
from monitor.scoring.l1 import L1Scorer, squared_errors

OPTIONAL = ("summary", "reason")
"""Columns of ``scores`` that few records have."""


def scores(offline: Offline, inputs: Sequence[Path], progress: Progress, *, squared: bool = False) -> Iterator[Part]:
    """Score and error of every record, batch by batch, in the order of the input; at least one part.

    A record that crosses the threshold has the sentence of its alert, one that cannot be parsed the reason and no
    score. ``squared`` adds squared errors, which cost another pass.
    """
    yield from parts(offline, inputs, progress, partial(_scored, squared=squared))
    yield Part(_empty_scores(squared=squared), 0, 0, 0)


def latents(offline: Offline, inputs: Sequence[Path], progress: Progress) -> Iterator[Part]:
    """The hidden state of every record, in the order of the input, as ``latent_1`` and so on; at least one part.

    The score and the hidden state of a record that cannot be parsed are missing.
    """
    width = offline.pipeline.bundle.contents.module.latent_width
    yield from parts(offline, inputs, progress, _hidden)
    names = {"score": pa.float64()} | {f"latent_{k + 1}": pa.float64() for k in range(width)}
    yield Part(pa.schema(PLACES | names).empty_table(), 0, 0, 0)


PLACES = {"file": pa.string(), LINE: pa.int64()}
"""The columns of ``places``."""


def places(batch: OfflineBatch) -> dict[str, Column]:
    """Where each record stands: its file, and its line in it from 1."""
    count = len(batch.scored.records)
    path = path_text(batch.scored.records.raw.origin.path)
    lines = np.arange(batch.first_line, batch.first_line + count, dtype=np.int64)
    return {"file": pa.repeat(pa.scalar(path, pa.string()), count), LINE: pa.array(lines)}


def path_text(path: str) -> str:
    r"""A path as UTF-8 can carry it: bytes of a name that are none become U+FFFD.

    >>> path_text("a\udcff")
    'a�'
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def known(values: F64, ok: Bools) -> Column:
    """Values [n], missing for records that could not be parsed."""
    return pa.array(values, mask=~ok)


def mean_squared(scorer: L1Scorer, errors: F64) -> F64:
    """Squared errors divided by the number of columns that the network reads."""
    return errors / max(1, scorer.layout.width)


def _hidden(offline: Offline, batch: OfflineBatch) -> Part:
    records = batch.scored.records
    hidden = offline.pipeline.scorer.latent(batch.scored.matrix.values).astype(np.float64)
    columns = places(batch) | {"score": known(batch.scored.scores.scores, records.ok)}
    columns |= {f"latent_{k + 1}": known(hidden[:, k], records.ok) for k in range(hidden.shape[1])}
    return part(batch, pa.table(columns))


def _scored(offline: Offline, batch: OfflineBatch, *, squared: bool) -> Part:
    scored, pipeline, alerting = batch.scored, offline.pipeline, batch.scored.alerting
    records, results = scored.records, scored.scores
    columns = places(batch)
    columns["score"] = known(results.scores, records.ok)
    columns["error"] = known(results.errors.astype(np.float64), records.ok)
    if squared:
        values = scored.matrix.values
        errors = squared_errors(pipeline.features.layout, values, pipeline.scorer.reconstruct(values))
        columns["squared_error"] = known(errors, records.ok)
        columns["mean_squared_error"] = known(mean_squared(pipeline.scorer, errors), records.ok)
    crossed = np.zeros(len(records), dtype=np.bool_)
    crossed[alerting] = True
    sentences = [alert.summary for alert in pipeline.explain(scored, alerting)]
    columns["alert"] = pa.array(crossed)
    columns["summary"] = _sparse(len(records), dict(zip(alerting.tolist(), sentences, strict=True)))
    columns["reason"] = _sparse(len(records), dict(records.reasons))
    return part(batch, pa.table(columns))


def _sparse(count: int, texts: dict[int, str]) -> Column:
    """A text column [count] that is missing but in the given rows."""
    column = np.full(count, None, dtype=object)
    column[list(texts)] = list(texts.values())
    return pa.array(column, pa.string())


def _empty_scores(*, squared: bool) -> Any:
    numbers = ["score", "error", *(("squared_error", "mean_squared_error") if squared else ())]
    types = dict.fromkeys(numbers, pa.float64()) | {"alert": pa.bool_()} | dict.fromkeys(OPTIONAL, pa.string())
    return pa.schema(PLACES | types).empty_table()
