"""An alert is a record whose score exceeds the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monitor.core.accounting import LimitChange
from monitor.core.arrays import F64, I64, Bools
from monitor.core.errors import DataError
from monitor.core.limit import Limit


class Decider:
    """Holds scores against ``threshold``: 1.0 means "worse than anything benign", lower finds more and errs more.

    ``promise`` is what to expect above it, None where that is not known.
    """

    def __init__(self, threshold: float = 1.0, promise: Limit | None = None) -> None:
        if not math.isfinite(threshold):
            raise DataError(f"alert.threshold: {threshold} is not a number a score can exceed; use 1.0, say")
        self.threshold = threshold
        self.promise = promise

    @property
    def limit(self) -> float:
        """What the next score is held against."""
        return self.threshold

    def limits(self, scores: F64, ok: Bools) -> F64:
        """What each score is held against, [n].

        Args:
            scores: [n], higher is more anomalous.
            ok: [n], False for records that could not be parsed and so have no score.
        """
        del ok
        return np.full(len(scores), self.threshold)

    def changes(self) -> Sequence[LimitChange]:
        """How the limit moved since this was asked last."""
        return ()


def exceeding(scores: F64, limits: F64, ok: Bools) -> I64:
    """Rows to alert on, ascending: those that are ok and whose score exceeds its limit; all [n].

    A score that is not a number cannot occur; if it did it would alert, since silence would hide the fault.
    """
    return np.flatnonzero(~(scores <= limits) & ok).astype(np.int64, copy=False)
