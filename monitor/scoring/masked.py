"""Scores by the worst field, and looks twice at suspicious records: what do the others say a field should be?

A network that sees a wrong value reproduces some of it, and errs in fields that are right. So where the plain error is
among the largest, each field is also judged by its error with itself hidden from the network; the rarer of both counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.features import Layout
from monitor.model import ops
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.network import Network
from monitor.model.ops import Array
from monitor.scoring.field import FieldScorer, Judge
from monitor.scoring.field_tails import FieldTails
from monitor.scoring.states import part_of, state_of

if TYPE_CHECKING:
    import torch

SHARE = 0.1
"""The share of benign records that are looked at twice: they cost a pass a field."""

SUSPECTS = 8
"""Fields that are asked whether they are to blame; an alert names five."""


@dataclass(frozen=True, slots=True)
class MaskedTails:
    """Benign errors of each field as it is seen and as it is hidden; above a plain error of ``gate`` both count."""

    seen: FieldTails
    hidden: FieldTails
    gate: float

    def doubted(self, errors: F32) -> Bools:
        """Which records are looked at twice, [n], by their plain errors [n]."""
        return errors > np.float32(self.gate)

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        seen = self.seen.state()
        gate = ops.full((1,), self.gate, seen["errors.slopes"])
        return state_of(seen=seen, hidden=self.hidden.state()) | {"gate": gate}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> MaskedTails:
        """What gave out ``state``. KeyError when an array is missing."""
        seen, hidden = (FieldTails.restore(part_of(state, part)) for part in ("seen", "hidden"))
        return cls(seen, hidden, float(state["gate"][0]))


class MaskedScorer(FieldScorer):
    """Whether a record is looked at twice depends on its own plain error alone, never on its batch."""

    def __init__(
        self,
        module: Network,
        layout: Layout,
        calibration: Calibration,
        tails: MaskedTails,
        score_range: ScoreRange,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(module, layout, calibration, tails.seen, score_range, device, masking=True)
        self._masked = tails

    def _suspects(self, row: F32) -> I64:
        """The rarest few: a look at a record without one field costs a pass of every other."""
        _, by_field = self.rarities(row[np.newaxis])
        return np.argsort(-by_field[0], kind="stable")[:SUSPECTS]

    def _bans(self, values: F32, judge: Judge) -> F64:
        bans, again = super()._bans(values, judge), self._masked.doubted(self._inference.errors(values))
        if again.any():
            hidden = self._judged(values[again], self._inference.hidden(values[again]), self._masked.hidden, judge)
            bans[again] = np.maximum(bans[again], hidden)
        return bans
