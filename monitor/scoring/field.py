"""Scores a record by its worst field: how rare the network's error in it is, and what it shows that is new."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from monitor.core.arrays import F32, F64
from monitor.core.features import Layout
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.network import Network
from monitor.model.ops import Array
from monitor.scoring.field_errors import FieldErrors
from monitor.scoring.field_tails import FieldTails
from monitor.scoring.rarity import RarityScorer

if TYPE_CHECKING:
    import torch

Judge = Callable[[FieldTails, Array, Array], Array]


class FieldScorer(RarityScorer):
    """The errors are those of the plain L1 score, field by field. For one thread of the caller at a time.

    ``masking`` says that the network learned with fields hidden from it: then what is expected of one is told by the
    others, else it is the plain reconstruction.
    """

    def __init__(
        self,
        module: Network,
        layout: Layout,
        calibration: Calibration,
        tails: FieldTails,
        score_range: ScoreRange,
        device: torch.device | None = None,
        *,
        masking: bool = False,
    ) -> None:
        super().__init__(module, layout, calibration, score_range, device)
        self._tails = tails
        self._fields = FieldErrors(layout, module.kind)
        self._expect = self._inference.hidden if masking else self._inference.reconstruct

    def rarity(self, values: F32) -> F64:
        """Bans of the worst field of each record, [n]."""
        return self._bans(values, FieldTails.rarity)

    def rarities(self, values: F32) -> tuple[F64, F64]:
        """Bans of the worst field [n], and those of each, [n, features]."""
        both = self._bans(values, FieldTails.both)
        return both[:, 0], both[:, 1:]

    def expected(self, values: F32) -> F32:
        """What each feature should be, [n, total]."""
        return self._expect(values)

    def _bans(self, values: F32, judge: Judge) -> F64:
        return self._judged(values, self.reconstruct(values), self._tails, judge)

    def _judged(self, values: F32, made: F32, tails: FieldTails, judge: Judge) -> F64:
        return self._fields.judged(values, made, partial(judge, tails))
