"""The feature matrix and its layout: which columns belong to which feature, and what each column weighs.

A feature has *network columns*, which the autoencoder reads and reproduces, and *novelty columns*, which it never
sees: they are 0 for everything benign data showed and count, in bans (powers of ten), how surprising a state is that
benign data never showed (an unseen value, a missing field that was never missing, a constant that changed). Their
error is their value, so a novelty is blamed on its own field and cannot disturb the reconstruction of the others.
See docs/adr/0002.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F32


@dataclass(frozen=True, slots=True)
class Block:
    """The columns of one feature: ``[start, stop)`` among the network columns, and among the novelty columns."""

    feature: str
    start: int
    stop: int
    novelty_start: int
    novelty_stop: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All blocks side by side: first every network column, then every novelty column.

    ``width`` counts the network columns, ``total`` all of them. Block positions index the whole row. Without
    ``novelty`` the novelty columns are there, since they explain a record, but weigh nothing.
    """

    blocks: tuple[Block, ...]
    width: int
    total: int
    novelty: bool = True

    @classmethod
    def of(cls, features: Sequence[tuple[str, int, int]], *, novelty: bool = True) -> Layout:
        """Lay out ``(feature, network columns, novelty columns)`` in the given order."""
        width = sum(columns for _, columns, _ in features)
        blocks: list[Block] = []
        start, novelty_start = 0, width
        for name, columns, novelties in features:
            blocks.append(Block(name, start, start + columns, novelty_start, novelty_start + novelties))
            start, novelty_start = start + columns, novelty_start + novelties
        return cls(tuple(blocks), width, novelty_start, novelty)

    def weights(self) -> F32:
        """The weight of each column in the L1 error, [total]: 1/width inside a block, 1 (or 0) for a novelty column."""
        weights = np.full(self.total, float(self.novelty), dtype=np.float32)
        for block in self.blocks:
            weights[block.start : block.stop] = 1.0 / max(1, block.stop - block.start)
        return weights


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Encoded records: ``values`` is [n, layout.total], C-contiguous, every value finite."""

    values: F32
    layout: Layout

    def __len__(self) -> int:
        return len(self.values)
