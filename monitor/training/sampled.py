"""Which records of a sample of stretches are learned, which are judged, and which are there to be remembered alone.

Those that people were told of are never learned; but the limit has to know of them, or it would sink with each training
by what the one before it told. Elsewhere, and in samples of single records, nothing stands apart.
"""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import Bools
from monitor.core.records import RecordBatch
from monitor.training.splits import Split


def learned_of(parts: Split, records: RecordBatch) -> Split:
    """The split without what stands apart."""
    return parts if records.apart is None else parts.without(records.apart[parts.order])


def with_judged(whole: Split, learned: Split, records: RecordBatch) -> Split:
    """The ``learned`` part of the whole split, and beside it all that stands apart."""
    if records.apart is None:
        return learned
    return whole.without(~(records.apart[whole.order] | np.isin(whole.order, learned.order)))


def only_remembered(parts: Split, records: RecordBatch) -> Bools:
    """Which records of a split, [n] in its order, are encoded for what comes after them and then passed over."""
    remembered = np.zeros(len(parts.order), dtype=np.bool_)
    if records.warming is not None:
        remembered |= records.warming[parts.order]
    if records.apart is not None:
        judged = np.zeros(len(parts.order), dtype=np.bool_)
        judged[parts.calibration] = True
        judged[parts.train] = judged[parts.early_stop] = False
        remembered |= records.apart[parts.order] & ~judged
    return remembered
