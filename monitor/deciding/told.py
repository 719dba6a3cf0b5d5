"""Episodes that people were told of: records that a sample of the benign ones leaves out, though most are benign.

A limit that is set by what stayed below the one before it knows nothing of what lies above: it comes out too low, and
the next one again. So both are counted, each by its own measure: the sampled records that were not told of, and all
episodes that were. An attack among them counts as one episode, whatever number of records it had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.records import RecordBatch


@dataclass(frozen=True, slots=True)
class ToldRecords:
    """A record of each episode that was told in ``days`` days, [e] > 0, in no promised order.

    ``factors`` [e], at least 1, say how many times as high as this record the highest of its episode scored then.
    """

    records: RecordBatch
    factors: F64
    days: float


@dataclass(frozen=True, slots=True)
class Told:
    """What these episodes score with a new model, [e], finite; ``days`` > 0 is the time in which they were told."""

    scores: F64
    days: float

    def above(self, limits: F64) -> I64:
        """How many would be told again at each limit, as many as ``limits``."""
        return len(self.scores) - np.searchsorted(np.sort(self.scores), limits, side="right")

    def per_day(self, limits: F64) -> F64:
        """The same in a day."""
        rates: F64 = self.above(limits) / self.days
        return rates


NOTHING_TOLD = Told(np.empty(0), 1.0)
"""Nothing is left out of what sets the limit."""
