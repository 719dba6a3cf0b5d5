"""Judges event times and keys of a sample: are they there, readable, in order, and of use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.app._sample_fields import Level, Remark
from monitor.app.alerting import rfc3339
from monitor.core.arrays import F64, Column
from monitor.core.names import quoted
from monitor.reporting.wording import percent
from monitor.training.recent_past import in_order


def remarks_on_times(texts: Column, times: F64) -> Iterator[Remark]:
    """What to say of event times, [n], NaN where ``texts`` [n], some of which are there, do not read as one."""
    known = np.isfinite(times)
    present = len(texts) - texts.null_count
    odd = texts.filter(~known).drop_null()
    example = f", such as {quoted(odd[0].as_py())}" if len(odd) else ""
    if not known.any():
        yield Remark("odd", Level.ERROR, f"none of its {len(odd):,} values reads as a time{example}; give its `format`")
        return
    yield Remark("summary", Level.OK, f"{rfc3339(times[known].min())} to {rfc3339(times[known].max())}")
    if len(odd):
        yield Remark("odd", Level.WARNING, f"not a time in {percent(len(odd) / present)}{example}")
    if texts.null_count:
        yield Remark("missing", Level.WARNING, f"missing in {percent(texts.null_count / len(texts))}")
    back = int((np.diff(times[known]) < 0).sum())
    if back:
        level = Level.OK if in_order(times) else Level.WARNING
        yield Remark("backwards", level, f"goes back {back:,} time{'s' * (back != 1)}")


def remarks_on_keys(distinct: int, present: int, records: int) -> Iterator[Remark]:
    """What to say of the keys of ``records`` records, ``present`` of which have one."""
    yield Remark("summary", Level.OK, f"{distinct:,} distinct")
    if present < records:
        yield Remark("missing", Level.WARNING, f"missing in {percent(1 - present / records)}")
    if present > 1 and distinct == 1:
        yield Remark("constant", Level.OK, "all records are of one")
    if present > 1 and distinct == present:
        text = "unique in every record: nothing can be remembered of a key that never comes again"
        yield Remark("unique", Level.WARNING, text)
