"""An alert is a record whose score exceeds a fixed limit."""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.core.errors import DataError


class Decider:
    """Compares scores with ``threshold``: 1.0 means "worse than anything benign", lower finds more and errs more."""

    def __init__(self, threshold: float = 1.0) -> None:
        if not math.isfinite(threshold):
            raise DataError(f"alert.threshold: {threshold} is not a number a score can exceed; use 1.0, say")
        self.threshold = threshold

    def alerts(self, scores: F64, ok: Bools) -> I64:
        """Rows to alert on, ascending: those that are ok and whose score exceeds the threshold.

        A score that is not a number cannot occur; if it did it would alert, since silence would hide the fault.

        Args:
            scores: [n], higher is more anomalous.
            ok: [n], False for records that could not be parsed and so have no score.
        """
        return np.flatnonzero(~(scores <= self.threshold) & ok).astype(np.int64, copy=False)
