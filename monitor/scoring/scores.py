"""What scoring says of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monitor.core.arrays import F32, F64

HIGHEST = 1e300
"""Stands for a score that is no number, or none that can be remembered."""


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """Errors and scores of records; row i is the same record as everywhere else.

    ``errors`` are weighted L1 errors, >= 0, and ``l1`` their scores: 0 = best benign, 1 = worst benign, below 0 better
    than anything in calibration. ``scores`` are those of the stream's method, which decide: 0 = best benign, 1 = the
    calibrated limit. Higher is more anomalous. All always finite. Rows that are not ok have meaningless values.
    """

    errors: F32  # [n]
    scores: F64  # [n]
    l1: F64  # [n]

    def __len__(self) -> int:
        return len(self.errors)


def finite(scores: F64) -> F64:
    """Scores [n] of which those that are not a finite number count as the highest."""
    return np.nan_to_num(scores, nan=HIGHEST, posinf=HIGHEST)


class Attribution(NamedTuple):
    """What there is to say of a few records, of the features that make them anomalous and of those that do not.

    ``expected`` is what each column should be, 0 in novelty columns; ``blame`` how much of it is each feature's doing,
    >= 0. Rarities are in bans, >= 0, where the score tells them: 3 means that one benign record in a thousand is as
    rare. That of a feature is not corrected for their number; it is told with the one blamed most put right.
    """

    expected: F32  # [n, total]
    blame: F64  # [n, features]
    rarity: F64 | None = None  # [n]
    field_rarities: F64 | None = None  # [n, features]
