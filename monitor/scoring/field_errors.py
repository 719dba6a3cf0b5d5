"""The error and the novelty of each field of encoded records, with the same bits whatever records stand beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64
from monitor.core.features import Layout
from monitor.model.device import one_thread
from monitor.model.inference import BEYOND
from monitor.model.stable import padded

ROWS = 512
"""Records of one pass: all have one shape, so that no kernel treats some rows specially (see model.inference)."""

Judge = Callable[[Tensor, Tensor], Tensor]
"""Something said of records [ROWS] or of their fields [ROWS, features], given errors and novelties [ROWS, features]."""


class FieldErrors:
    """Sums what belongs to one field. Keeps buffers: one thread of the caller at a time."""

    def __init__(self, layout: Layout) -> None:
        self._total, self._features = layout.total, len(layout.blocks)
        self._lanes = padded(self._features)
        self._owners = _owners(layout, self._lanes)
        self._stage = torch.zeros(ROWS, len(self._owners))
        self._stage_rows = self._stage.numpy()  # the same memory

    def judged(self, values: F32, made: F32, judge: Judge) -> F64:
        """What ``judge`` says of ``values`` [n, total], of which the network ``made`` [n, total]: [n] or [n, features].

        Errors and novelties are weighted sums of absolute differences, >= 0 and finite.
        """
        found: list[F64] = []
        with torch.inference_mode(), one_thread(), np.errstate(over="ignore"):
            for start in range(0, max(1, len(values)), ROWS):  # once at least: that tells the shape of nothing
                rows = values[start : start + ROWS]
                np.subtract(rows, made[start : start + ROWS], out=self._stage_rows[: len(rows), : self._total])
                sums = (torch.nan_to_num(self._stage.abs()) @ self._owners).clamp(max=BEYOND)
                errors, novelty = sums[:, : self._features], sums[:, self._lanes : self._lanes + self._features]
                found.append(judge(errors, novelty)[: len(rows)].double().numpy())
        return np.concatenate(found)


def _owners(layout: Layout, lanes: int) -> Tensor:
    """The weight of each column in the error of each field, and behind them in its novelty, [columns, 2 lanes]."""
    weights, owners = torch.from_numpy(layout.weights()), torch.zeros(padded(layout.total), 2 * lanes)
    for feature, block in enumerate(layout.blocks):
        own, novel = slice(block.start, block.stop), slice(block.novelty_start, block.novelty_stop)
        owners[own, feature] = weights[own]
        owners[novel, lanes + feature] = weights[novel]
    return owners
