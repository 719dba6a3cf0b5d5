"""Which field is to blame for each alerting record: what stands for its key in a stream that has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.core.arrays import F32, I64
from monitor.core.features import Layout
from monitor.scoring.l1 import L1Scorer

ASKED = 16
"""So many records of a batch are each asked for the field to blame, which costs as much as an alert. Of more the first
of each feature with the largest error is asked for all of them, which costs as much as a score."""

LEAST_ERROR = 1e-9
"""Stands for the largest benign error of a feature that was never wrong."""


class Signatures:
    """Names the fields to blame most, bounded in number by those of the stream and in cost by that of scoring.

    Features of one field are one: that a value is high and that it has risen is one thing that goes wrong. ``sources``
    is the field that each feature reads.
    """

    def __init__(self, scorer: L1Scorer, sources: Mapping[str, str]) -> None:
        self._scorer = scorer
        self._highs = np.maximum(scorer.calibration.field_highs, LEAST_ERROR)
        self._names = np.array(names(scorer.layout, sources), dtype=object)

    def of(self, values: F32) -> list[str]:
        """The field to blame most for each of some encoded rows [n, total], [n]."""
        if len(values) <= ASKED:
            return self._blamed(values)
        _, first, kinds = np.unique(self._largest(values), return_index=True, return_inverse=True)
        asked = np.array(self._blamed(values[first]), dtype=object)
        return list(map(str, asked[kinds.ravel()]))

    def _blamed(self, values: F32) -> list[str]:
        return list(map(str, self._names[self._scorer.blame(values).argmax(axis=1)]))

    def _largest(self, values: F32) -> I64:
        """The feature whose error is the largest measured by that of benign records, [n]."""
        errors = np.nan_to_num(self._scorer.field_errors(values, self._scorer.reconstruct(values)))
        largest: I64 = (errors / self._highs).argmax(axis=1)
        return largest


def names(layout: Layout, sources: Mapping[str, str]) -> list[str]:
    """The field of each feature, in the order of the layout; of one that reads none, its own name."""
    return [sources.get(block.feature) or block.feature for block in layout.blocks]
