"""The error and the novelty of each field of encoded records, with the same bits whatever records stand beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.features import Layout
from monitor.model import ops
from monitor.model.inference import BEYOND
from monitor.model.ops import Array, Kind
from monitor.model.widening import padded

ROWS = 512
"""Records of one pass: all have one shape, so that no kernel treats some rows specially (see model.inference)."""

Judge = Callable[[Array, Array], Array]
"""Something said of records [ROWS] or of their fields [ROWS, features], given errors and novelties [ROWS, features]."""


class FieldErrors:
    """Sums what belongs to one field. Keeps buffers: one thread of the caller at a time."""

    def __init__(self, layout: Layout, kind: Kind = "torch") -> None:
        self._total, self._features = layout.total, len(layout.blocks)
        self._lanes = padded(self._features)
        owners = _owners(layout, self._lanes)
        self._kind: Kind = kind
        self._owners = ops.copy(ops.array(owners, kind))
        self._stage, self._stage_rows = ops.buffer((ROWS, len(owners)), kind)

    def judged(self, values: F32, made: F32, judge: Judge) -> F64:
        """What ``judge`` says of ``values`` [n, total], of which the network ``made`` [n, total]: [n] or [n, features].

        Errors and novelties are weighted sums of absolute differences, >= 0 and finite.
        """
        found: list[F64] = []
        with ops.computing(self._kind), np.errstate(over="ignore"):
            for start in range(0, max(1, len(values)), ROWS):  # once at least: that tells the shape of nothing
                rows = values[start : start + ROWS]
                np.subtract(rows, made[start : start + ROWS], out=self._stage_rows[: len(rows), : self._total])
                sums = ops.clip(ops.finite(abs(self._stage)) @ self._owners, most=BEYOND)
                errors, novelty = sums[:, : self._features], sums[:, self._lanes : self._lanes + self._features]
                found.append(ops.doubles(judge(errors, novelty)[: len(rows)]))
        return np.concatenate(found)


def _owners(layout: Layout, lanes: int) -> F32:
    """The weight of each column in the error of each field, and behind them in its novelty, [columns, 2 lanes]."""
    weights, owners = layout.weights(), np.zeros((padded(layout.total), 2 * lanes), dtype=np.float32)
    for feature, block in enumerate(layout.blocks):
        own, novel = slice(block.start, block.stop), slice(block.novelty_start, block.novelty_stop)
        owners[own, feature] = weights[own]
        owners[novel, lanes + feature] = weights[novel]
    return owners
