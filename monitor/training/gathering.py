"""Collects benign records for training: the newest ones, in order, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from monitor.core.arrays import I64
from monitor.core.errors import NoInputError
from monitor.core.records import RecordBatch, empty_rows
from monitor.core.rows import joined, keep, take


def gather(batches: Iterable[RecordBatch], max_records: int) -> tuple[RecordBatch, int, int]:
    """Parsed records of ``batches``, at most the newest ``max_records``; and how many were read and unparsed.

    Of stretches that lose their beginning by that, the rest is not learned.

    Raises:
        NoInputError: there is not one usable record.
    """
    kept: deque[RecordBatch] = deque()
    begun: list[I64] = []  # stretches that began in what is not kept
    held = read = unparsed = 0
    for batch in batches:
        read += len(batch)
        unparsed += int(batch.unparsed.sum())
        good = keep(batch, batch.ok)
        kept.append(good)
        held += len(good)
        while held - len(kept[0]) >= max_records:
            held -= len(kept[0])
            begun.append(_begun(kept.popleft()))
    if not held:
        raise NoInputError(
            f"no usable record among {read} lines read; "
            "check the parser with `aemonitor init` on the same file, or give other files with --input"
        )
    records, first = joined(kept), max(0, held - max_records)
    begun.append(_begun(take(records, np.arange(first))))
    newest = take(records, np.arange(first, held))
    if newest.stretches is not None and newest.warming is not None:
        newest = replace(newest, warming=newest.warming | np.isin(newest.stretches, np.concatenate(begun)))
    return newest, read, unparsed


def _begun(records: RecordBatch) -> I64:
    """The stretches whose first records, those that warm up memories, are among these."""
    if records.stretches is None or records.warming is None:
        return empty_rows()
    return np.unique(records.stretches[records.warming])
