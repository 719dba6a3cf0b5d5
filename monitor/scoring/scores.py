"""What scoring says of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.arrays import F32, F64


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """One error and one score a record; row i is the same record as everywhere else.

    ``errors`` are weighted L1 errors, >= 0. ``scores``: 0 = best benign, 1 = worst benign; higher is more anomalous,
    below 0 is better than anything in calibration. Both always finite. Rows that are not ok have meaningless values.
    """

    errors: F32  # [n]
    scores: F64  # [n]

    def __len__(self) -> int:
        return len(self.errors)
