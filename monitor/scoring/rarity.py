"""Scores by how rare a record is among benign ones, and tells whose doing that is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.features import FeatureMatrix, Layout
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.network import Network
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.scores import Attribution, ScoreBatch

if TYPE_CHECKING:
    import torch


class RarityScorer(L1Scorer, ABC):
    """What every score by rarity shares; the card's L1 score stands beside it.

    A method says how rare records are, in bans: 3 means that one benign record in a thousand is as rare.
    """

    def __init__(
        self,
        module: Network,
        layout: Layout,
        calibration: Calibration,
        score_range: ScoreRange,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(module, layout, calibration, device)
        self._range = score_range
        self._owns = owned_columns(layout)

    @abstractmethod
    def rarity(self, values: F32) -> F64:
        """Bans [n] of encoded records [n, total], >= 0 and finite; the same whatever stands beside a record."""

    @abstractmethod
    def rarities(self, values: F32) -> tuple[F64, F64]:
        """The same of a few records, and beside it the bans of each feature [n, features].

        Those are not corrected for the number of features.
        """

    def score(self, matrix: FeatureMatrix) -> ScoreBatch:
        """Errors, L1 scores and scores of all rows."""
        plain = super().score(matrix)
        return ScoreBatch(plain.errors, self._range.score(self.rarity(matrix.values)), plain.scores)

    def blame(self, values: F32) -> F64:
        """How far each feature moves the rarity of each record [n, total], [n, features], >= 0.

        Half of it is how far it falls when the feature is as expected, half how far it rises when the feature alone is
        not: of two faults of which each would suffice, neither is hidden by the other.
        """
        return self.attribute(values).blame

    def attribute(self, values: F32) -> Attribution:
        """Everything there is to say of a few records, one by one, so that none changes what is said of another."""
        expected, shape = self.expected(values), (len(values), len(self.layout.blocks))
        blame, rarity, field_rarities = np.empty(shape), np.empty(len(values)), np.empty(shape)
        for row, (actual, calm) in enumerate(zip(values, expected, strict=True)):
            blame[row], rarity[row], field_rarities[row] = self._attributed(actual, calm)
        return Attribution(expected, blame, rarity, field_rarities)

    def _attributed(self, row: F32, calm: F32) -> tuple[F64, float, F64]:
        """Blame [features], rarity of the record and rarities [features] of one record and what is expected of it."""
        suspects, (one, other) = self._suspects(row), (row[np.newaxis], calm[np.newaxis])
        owns, count = self._owns[suspects], len(suspects)
        without, alone = np.where(owns, calm, row), np.where(owns, row, calm)
        bans, by_field = self.rarities(np.concatenate([without, one, alone, other]))
        falls, rises = bans[count] - bans[:count], bans[count + 1 : -1] - bans[-1]
        blame = np.zeros(len(self._owns))
        blame[suspects] = (np.maximum(falls, 0) + np.maximum(rises, 0)) / 2
        worst = int(blame[suspects].argmax())
        # What is wrong in one field makes others look rare that go with it: they are judged with that one put right.
        by_field[worst, suspects[worst]] = by_field[count, suspects[worst]]
        return blame, float(bans[count]), by_field[worst]

    def _suspects(self, row: F32) -> I64:
        """The features of a record [total] that may be to blame."""
        del row
        return np.arange(len(self._owns))


def owned_columns(layout: Layout) -> Bools:
    """Whether a column is of a feature, [features, total]."""
    owns = np.zeros((len(layout.blocks), layout.total), dtype=np.bool_)
    for feature, block in enumerate(layout.blocks):
        owns[feature, block.start : block.stop] = owns[feature, block.novelty_start : block.novelty_stop] = True
    return owns
