"""The default score: how rare a record is among benign ones, 0 for the best of them and 1 at the calibrated limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, I64
from monitor.core.features import Layout
from monitor.model.autoencoder import Autoencoder
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.device import one_thread
from monitor.scoring.evidence import Errors, Evidence
from monitor.scoring.panel import padded
from monitor.scoring.rarity import RarityScorer
from monitor.scoring.states import part_of, state_of
from monitor.scoring.verdict import Verdict

ROWS = 512
"""Records of one pass: their distances from the code book stay in the second-level cache."""


@dataclass(frozen=True, slots=True)
class Blend:
    """Everything the score learned from benign records."""

    evidence: Evidence
    verdict: Verdict

    def rarity(self, values: Tensor, owners: Tensor) -> Tensor:
        """Bans [n] of encoded records [n, total]; ``owners`` as ``novelty_owners`` makes them."""
        return self.verdict.rarity(*self._evidence_of(values, owners))

    def rarities(self, values: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and beside it the bans of each feature, [n, features]."""
        return self.verdict.both(*self._evidence_of(values, owners))

    def _evidence_of(self, values: Tensor, owners: Tensor) -> tuple[Errors, Tensor]:
        width = self.evidence.lens.width
        return self.evidence.errors(values[:, :width]), (values[:, width:] @ owners)[:, : self.evidence.features]

    def to(self, device: torch.device) -> Blend:
        """The same on another device."""
        return Blend(self.evidence.to(device), self.verdict.to(device))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return state_of(evidence=self.evidence.state(), verdict=self.verdict.state())

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Blend:
        return cls(Evidence.restore(part_of(state, "evidence")), Verdict.restore(part_of(state, "verdict")))


class BlendScorer(RarityScorer):
    """Scores by a blend, with the card's L1 score beside it. Keeps buffers: one thread of the caller at a time."""

    def __init__(
        self,
        module: Autoencoder,
        layout: Layout,
        calibration: Calibration,
        blend: Blend,
        score_range: ScoreRange,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(module, layout, calibration, score_range, device)
        self._device = device or torch.device("cpu")
        self._blend = blend.to(self._device)
        self._owners = novelty_owners(layout).to(self._device)
        # Every pass has one shape, so that a record's bits do not depend on those beside it (see model.inference).
        self._stage = torch.zeros(ROWS, layout.total)
        self._stage_rows = self._stage.numpy()

    def rarity(self, values: F32) -> F64:
        """Bans [n] of encoded records [n, total]: 3 means that one benign record in a thousand is as rare."""
        bans = np.empty(len(values))
        with torch.inference_mode(), one_thread():
            for start in range(0, len(values), ROWS):
                rows = values[start : start + ROWS]
                self._stage_rows[: len(rows)] = rows
                found = self._blend.rarity(self._stage.to(self._device), self._owners)
                bans[start : start + len(rows)] = found[: len(rows)].double().cpu().numpy()
        return bans

    def expected(self, values: F32) -> F32:
        """What the other features say each one should be, [n, total], from passes with it hidden."""
        expected = np.zeros_like(values)
        with torch.inference_mode(), one_thread():
            for row, into in zip(values, expected, strict=True):
                into[: self.layout.width] = self._hidden(row).numpy()[self._owner_of_column(), self._columns()]
        return expected

    def rarities(self, values: F32) -> tuple[F64, F64]:
        """Bans of records [n] and of their features [n, features], in passes as large as the rows are many.

        For a few rows that is cheap; all but the last bits are as in a pass of the usual size.
        """
        with torch.inference_mode(), one_thread():
            passes = torch.split(torch.from_numpy(values).to(self._device), ROWS)
            found = [self._blend.rarities(rows, self._owners) for rows in passes]
        records, fields = (torch.cat(parts).double().cpu().numpy() for parts in zip(*found, strict=True))
        return records, fields

    def _hidden(self, row: F32) -> Tensor:
        x = torch.from_numpy(row[: self.layout.width]).to(self._device)
        return self._blend.evidence.expected(x).cpu()

    def _owner_of_column(self) -> I64:
        return np.repeat(np.arange(len(self.layout.blocks)), [b.stop - b.start for b in self.layout.blocks])

    def _columns(self) -> I64:
        return np.arange(self.layout.width)


def novelty_owners(layout: Layout) -> Tensor:
    """1 where a novelty column is of a feature (0 throughout without ``novelty``), [total - width, padded features]."""
    owners = torch.zeros(layout.total - layout.width, padded(len(layout.blocks)))
    for index, block in enumerate(layout.blocks):
        owners[block.novelty_start - layout.width : block.novelty_stop - layout.width, index] = float(layout.novelty)
    return owners
