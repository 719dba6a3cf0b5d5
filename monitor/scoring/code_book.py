"""The nearest of some stored benign records: what an autoencoder reproduces too well is still far from all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array

if TYPE_CHECKING:
    import torch

SIZE = 1024
"""Records stored, when there are as many: a quarter of them lose little (see docs/quality.md), four times cost it."""

BLOCKS = 8
"""The book is searched by Euclidean distance, one matrix product, for the nearest of each eighth; only between these is
the L1 distance computed, which costs twenty times as much."""


@dataclass(frozen=True, slots=True)
class CodeBook:
    """``rows`` [size, seen] are benign records, times ``search``; size is a multiple of 8 (repeating rows fill it).

    ``search`` [seen] is what columns are multiplied with to find the nearest record, ``unit`` [seen] what differences
    from it are multiplied with to be 1 on average in benign records (0 in columns that never differ).
    """

    rows: Array
    search: Array
    unit: Array
    squares: Array  # [size]: squared lengths of the rows

    @classmethod
    def of(cls, z: Array, search: Array, unit: Array) -> CodeBook:
        """A book of the records ``z`` [n, seen], n > 0."""
        size = -(-len(z) // BLOCKS) * BLOCKS
        rows = z[ops.arange(size, z) % len(z)] * search
        return cls(rows, search, unit, (rows * rows).sum(1))

    def differences(self, z: Array) -> Array:
        """Absolute differences [n, seen], in units of ``unit``, of records [n, seen] from the nearest stored one."""
        return abs(z - self.nearest(z)) * self.unit

    def nearest(self, z: Array) -> Array:
        """The stored record nearest to each of ``z`` [n, seen], as it was before ``search``."""
        x = z * self.search
        rows = self.rows[self._candidates(x)]  # [n, blocks, seen]
        best = ops.magnitude_(rows - x[:, None]).sum(2).argmin(1)
        found = rows[ops.arange(len(x), z), best]
        return ops.where(self.search > 0, found / ops.clip(self.search, 1e-12), z)

    def _candidates(self, x: Array) -> Array:
        """The row of each block that is nearest to each of ``x`` [n, seen] by Euclidean distance, [n, blocks].

        A row's number is written over the last digits of its squared distance, which are as large as integers as they
        are as numbers: so the least of them, which costs a tenth of the place of the least, tells the row.
        """
        squared = ops.affine(self.squares, x, self.rows.T, -2)
        squared += (x * x).sum(1)[:, None]
        digits = (1 << (len(self.rows) - 1).bit_length()) - 1
        # In place: each of these passes goes over a number for every record and row of the book.
        numbered = ops.bits(ops.at_least_(squared, 0))
        numbered &= ~digits
        numbered |= ops.arange(len(self.rows), numbered)
        return ops.indices(ops.least(numbered.reshape(len(x), BLOCKS, -1), 2) & digits)

    def to(self, device: torch.device) -> CodeBook:
        """The same on another device."""
        return CodeBook(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> CodeBook:
        return cls(**{name: state[name] for name in cls.__slots__})
