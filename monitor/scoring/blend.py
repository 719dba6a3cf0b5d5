"""The default score: how rare a record is among benign ones, 0 for the best of them and 1 at the calibrated limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.features import Layout
from monitor.model import ops
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.inference import GPU_SLICE_ROWS, MIN_SLICE_ROWS, probes
from monitor.model.lost_device import Guard, on_gpu
from monitor.model.network import Network
from monitor.model.ops import Array, Kind
from monitor.scoring.evidence import Errors, Evidence
from monitor.scoring.panel import padded
from monitor.scoring.rarity import RarityScorer
from monitor.scoring.states import part_of, state_of
from monitor.scoring.verdict import Verdict

if TYPE_CHECKING:
    import torch

ROWS = 512
"""Records of one pass: their distances from the code book stay in the second-level cache."""


@dataclass(frozen=True, slots=True)
class Blend:
    """Everything the score learned from benign records."""

    evidence: Evidence
    verdict: Verdict

    def rarity(self, values: Array, owners: Array) -> Array:
        """Bans [n] of encoded records [n, total]; ``owners`` as ``novelty_owners`` makes them."""
        return self.verdict.rarity(*self._evidence_of(values, owners))

    def rarities(self, values: Array, owners: Array) -> tuple[Array, Array]:
        """The same, and beside it the bans of each feature, [n, features]."""
        return self.verdict.both(*self._evidence_of(values, owners))

    def _evidence_of(self, values: Array, owners: Array) -> tuple[Errors, Array]:
        width = self.evidence.lens.width
        return self.evidence.errors(values[:, :width]), (values[:, width:] @ owners)[:, : self.evidence.features]

    def to(self, device: torch.device) -> Blend:
        """The same on another device."""
        return Blend(self.evidence.to(device), self.verdict.to(device))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return state_of(evidence=self.evidence.state(), verdict=self.verdict.state())

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Blend:
        return cls(Evidence.restore(part_of(state, "evidence")), Verdict.restore(part_of(state, "verdict")))


class BlendScorer(RarityScorer):
    """Scores by a blend, with the card's L1 score beside it. Keeps buffers: one thread of the caller at a time."""

    def __init__(
        self,
        module: Network,
        layout: Layout,
        calibration: Calibration,
        blend: Blend,
        score_range: ScoreRange,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(module, layout, calibration, score_range, device)
        self._kind: Kind = module.kind
        self._guard = Guard(device, lambda: self._settle(blend, None))
        self._settle(blend if device is None else blend.to(device), device)

    @property
    def lost_device(self) -> str:
        return super().lost_device or self._guard.lost

    def _settle(self, blend: Blend, device: torch.device | None) -> None:
        """Compute there from now on."""
        self._device, self._blend = device, blend
        self._owners = ops.copy(self._array(novelty_owners(self.layout)))
        # Every pass has one shape, so that a record's bits do not depend on those beside it (see model.inference).
        shapes = [(rows, self.layout.total) for rows in (GPU_SLICE_ROWS if on_gpu(device) else ROWS, MIN_SLICE_ROWS)]
        self._many, self._few = (ops.buffer(shape, self._kind) for shape in shapes)
        self._few_alike = self._are_few_alike()

    def rarity(self, values: F32) -> F64:
        """Bans [n] of encoded records [n, total]: 3 means that one benign record in a thousand is as rare."""
        few = self._few_alike and len(values) <= MIN_SLICE_ROWS
        return self._in_passes(values, *(self._few if few else self._many))

    def _in_passes(self, values: F32, stage: Array, stage_rows: F32) -> F64:
        """The same in passes of as many rows as the stage has, which is given as the backend's and as numpy's."""
        bans, size = np.empty(len(values)), len(stage_rows)
        with ops.computing(self._kind):
            for start in range(0, len(values), size):
                rows = values[start : start + size]
                stage_rows[: len(rows)] = rows
                stage_rows[len(rows) :] = 0  # without novelty, which costs more
                bans[start : start + len(rows)] = self._guard(lambda: self._pass(stage))[: len(rows)]
        return bans

    def _pass(self, stage: Array) -> F64:
        found = self._blend.rarity(stage if self._device is None else stage.to(self._device), self._owners)
        return ops.doubles(found)

    def _are_few_alike(self) -> bool:
        """Whether small passes give the bits of large ones; that depends on the matrix kernels of the machine."""
        tried = probes(self.layout.total)
        return np.array_equal(self._in_passes(tried, *self._few), self._in_passes(tried, *self._many))

    def expected(self, values: F32) -> F32:
        """What the other features say each one should be, [n, total], from passes with it hidden."""
        expected = np.zeros_like(values)
        with ops.computing(self._kind):
            for row, into in zip(values, expected, strict=True):
                hidden = self._guard(partial(self._hidden, row))
                into[: self.layout.width] = hidden[self._owner_of_column(), self._columns()]
        return expected

    def rarities(self, values: F32) -> tuple[F64, F64]:
        """Bans of records [n] and of their features [n, features], in passes as large as the rows are many.

        For a few rows that is cheap; all but the last bits are as in a pass of the usual size.
        """
        with ops.computing(self._kind):
            passes = (values[start : start + ROWS] for start in range(0, max(1, len(values)), ROWS))
            found = [self._guard(partial(self._rarities, rows)) for rows in passes]
        records, fields = map(np.concatenate, zip(*found, strict=True))
        return records, fields

    def _rarities(self, rows: F32) -> tuple[F64, F64]:
        records, fields = self._blend.rarities(self._array(rows), self._owners)
        return ops.doubles(records), ops.doubles(fields)

    def _hidden(self, row: F32) -> F32:
        """The network columns of a record with each feature hidden, [features, width]."""
        found: F32 = ops.plain(self._blend.evidence.expected(self._array(row[: self.layout.width])))
        return found

    def _array(self, values: F32) -> Array:
        return ops.array(values, self._kind, self._device)

    def _owner_of_column(self) -> I64:
        return np.repeat(np.arange(len(self.layout.blocks)), [b.stop - b.start for b in self.layout.blocks])

    def _columns(self) -> I64:
        return np.arange(self.layout.width)


def novelty_owners(layout: Layout) -> F32:
    """1 where a novelty column is of a feature (0 throughout without ``novelty``), [total - width, padded features]."""
    owners = np.zeros((layout.total - layout.width, padded(len(layout.blocks))), dtype=np.float32)
    for index, block in enumerate(layout.blocks):
        owners[block.novelty_start - layout.width : block.novelty_stop - layout.width, index] = float(layout.novelty)
    return owners
