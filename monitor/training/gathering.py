"""Collects benign records for training: the newest ones, in order, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from monitor.core.errors import NoInputError
from monitor.core.records import RecordBatch
from monitor.core.rows import joined, keep, take


def gather(batches: Iterable[RecordBatch], max_records: int) -> tuple[RecordBatch, int, int]:
    """Parsed records of ``batches``, at most the newest ``max_records``; and how many were read and unparsed.

    Raises:
        NoInputError: there is not one usable record.
    """
    kept: deque[RecordBatch] = deque()
    held = read = unparsed = 0
    for batch in batches:
        read += len(batch)
        unparsed += int(batch.unparsed.sum())
        good = keep(batch, batch.ok)
        kept.append(good)
        held += len(good)
        while held - len(kept[0]) >= max_records:
            held -= len(kept.popleft())
    if not held:
        raise NoInputError(
            f"no usable record among {read} lines read; "
            "check the parser with `aemonitor init` on the same file, or give other files with --input"
        )
    records = joined(kept)
    newest = np.arange(max(0, held - max_records), held)
    return take(records, newest), read, unparsed
