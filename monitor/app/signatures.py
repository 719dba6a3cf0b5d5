"""Which field goes wrong in each alerting record: what stands for its key in a stream that has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.scoring.l1 import L1Scorer

LEAST_ERROR = 1e-9
"""Stands for the largest benign error of a feature that was never wrong."""


class Signatures:
    """Names the field with the largest error, measured by those of benign records: as cheap as a score.

    An alert looks closer and may name another field first. But it is asked for a few records alone, and what stands for
    a key has to be the same for a record whatever came beside it: a run that was killed and went on tells the same
    episodes. Features of one field are one: that a value is high and that it has risen is one thing that goes wrong.
    ``sources`` is the field that each feature reads.
    """

    def __init__(self, scorer: L1Scorer, sources: Mapping[str, str]) -> None:
        self._scorer = scorer
        self._highs = np.maximum(scorer.calibration.field_highs, LEAST_ERROR)
        self._names = np.array(names(scorer.layout, sources), dtype=object)

    def of(self, values: F32) -> list[str]:
        """That field for each of some encoded rows [n, total], [n]."""
        errors = np.nan_to_num(self._scorer.field_errors(values, self._scorer.reconstruct(values)))
        return list(map(str, self._names[(errors / self._highs).argmax(axis=1)]))


def names(layout: Layout, sources: Mapping[str, str]) -> list[str]:
    """The field of each feature, in the order of the layout; of one that reads none, its own name."""
    return [sources.get(block.feature) or block.feature for block in layout.blocks]
