"""What speaks against a record being benign: the whole of it, and each of its features.

The whole: the L1 residual of the panel, the same residual whitened (errors that go together in benign records count
once), and the L1 distance to the nearest of some stored benign records; each divided by its benign mean, and added.
A feature: its L1 residual, and what it shows that benign data never did. See docs/adr/0004.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import ops
from monitor.model.ops import Array
from monitor.scoring.code_book import CodeBook
from monitor.scoring.lens import Lens, bent
from monitor.scoring.panel import Panel
from monitor.scoring.states import part_of, state_of

if TYPE_CHECKING:
    import torch


class Errors(NamedTuple):
    """Of some records: ``whole`` [n, 3] (residual, whitened residual, distance) and ``fields`` [n, features]."""

    whole: Array
    fields: Array


@dataclass(frozen=True, slots=True)
class Evidence:
    """Computes the errors of records; everything in it was learned from benign ones."""

    lens: Lens
    panel: Panel
    book: CodeBook
    whitening: Array  # [seen, seen]
    field_weights: Array  # [seen, padded features]: 1/width in the columns of a feature, 0 in those that fill up
    hidden: Array  # [features, seen]: 1 in the columns of a feature

    @property
    def features(self) -> int:
        return len(self.hidden)

    def errors(self, x: Array) -> Errors:
        """Errors of network columns [n, width]: >= 0, larger is more anomalous."""
        z = self.lens.apply(x)
        residual = self.residuals(z)
        fields = self._by_field(abs(residual))
        whitened = ops.magnitude_(residual @ self.whitening).mean(1)
        # A rare benign value that no stored record has is far from all of them: one feature must not decide alone.
        distance = bent(self._by_field(self.book.differences(z)))
        return Errors(ops.stack([fields.mean(1), whitened, distance.mean(1)]), fields)

    def _by_field(self, errors: Array) -> Array:
        """The mean of each feature's columns, [n, features] of [n, seen]."""
        return (errors @ self.field_weights)[:, : self.features]

    def residuals(self, z: Array) -> Array:
        """What the panel does not reproduce of the detector's columns, [n, seen], with its sign."""
        return z - self.panel.mean(z)

    def expected(self, x: Array) -> Array:
        """What the other features say of each: network columns [features, width] of one record ``x`` [width].

        Row j is the record with feature j hidden from the panel; only its own columns of that row are of interest.
        """
        z = self.lens.apply(x[None]) * (1 - self.hidden)
        flags = ops.eye(self.features, self._flags, x)
        return self.lens.undo(self.panel.mean(z, flags))

    @property
    def _flags(self) -> int:
        return int(self.panel.weights[0].shape[1]) - self.lens.seen

    def to(self, device: torch.device) -> Evidence:
        """The same on another device."""
        return Evidence(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        parts = state_of(lens=self.lens.state(), panel=self.panel.state(), book=self.book.state())
        return parts | {name: getattr(self, name) for name in ("whitening", "field_weights", "hidden")}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Evidence:
        return cls(
            Lens.restore(part_of(state, "lens")),
            Panel.restore(part_of(state, "panel")),
            CodeBook.restore(part_of(state, "book")),
            state["whitening"],
            state["field_weights"],
            state["hidden"],
        )
