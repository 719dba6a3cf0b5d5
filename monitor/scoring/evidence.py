"""What speaks against a record being benign: the whole of it, and each of its features.

The whole: the L1 residual of the panel, the same residual whitened (errors that go together in benign records count
once), and the L1 distance to the nearest of some stored benign records; each divided by its benign mean, and added.
A feature: its L1 residual, and what it shows that benign data never did. See docs/adr/0004.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from monitor.scoring.code_book import CodeBook
from monitor.scoring.lens import Lens, bent
from monitor.scoring.panel import Panel
from monitor.scoring.states import part_of, state_of


class Errors(NamedTuple):
    """Of some records: ``whole`` [n, 3] (residual, whitened residual, distance) and ``fields`` [n, features]."""

    whole: Tensor
    fields: Tensor


@dataclass(frozen=True, slots=True)
class Evidence:
    """Computes the errors of records; everything in it was learned from benign ones."""

    lens: Lens
    panel: Panel
    book: CodeBook
    whitening: Tensor  # [seen, seen]
    field_weights: Tensor  # [seen, padded features]: 1/width in the columns of a feature, 0 in those that fill up
    hidden: Tensor  # [features, seen]: 1 in the columns of a feature

    @property
    def features(self) -> int:
        return len(self.hidden)

    def errors(self, x: Tensor) -> Errors:
        """Errors of network columns [n, width]: >= 0, larger is more anomalous."""
        z = self.lens.apply(x)
        residual = self.residuals(z)
        fields = self._by_field(residual.abs())
        whitened = (residual @ self.whitening).abs_().mean(1)
        # A rare benign value that no stored record has is far from all of them: one feature must not decide alone.
        distance = bent(self._by_field(self.book.differences(z)))
        return Errors(torch.stack([fields.mean(1), whitened, distance.mean(1)], 1), fields)

    def _by_field(self, errors: Tensor) -> Tensor:
        """The mean of each feature's columns, [n, features] of [n, seen]."""
        return (errors @ self.field_weights)[:, : self.features]

    def residuals(self, z: Tensor) -> Tensor:
        """What the panel does not reproduce of the detector's columns, [n, seen], with its sign."""
        return z - self.panel.mean(z)

    def expected(self, x: Tensor) -> Tensor:
        """What the other features say of each: network columns [features, width] of one record ``x`` [width].

        Row j is the record with feature j hidden from the panel; only its own columns of that row are of interest.
        """
        z = self.lens.apply(x[None]).expand(self.features, -1) * (1 - self.hidden)
        flags = torch.eye(self.features, self._flags, device=x.device)
        return self.lens.undo(self.panel.mean(z, flags))

    @property
    def _flags(self) -> int:
        return self.panel.weights[0].shape[1] - self.lens.seen

    def to(self, device: torch.device) -> Evidence:
        """The same on another device."""
        return Evidence(*(getattr(self, name).to(device) for name in self.__slots__))

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        parts = state_of(lens=self.lens.state(), panel=self.panel.state(), book=self.book.state())
        return parts | {name: getattr(self, name) for name in ("whitening", "field_weights", "hidden")}

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Evidence:
        return cls(
            Lens.restore(part_of(state, "lens")),
            Panel.restore(part_of(state, "panel")),
            CodeBook.restore(part_of(state, "book")),
            state["whitening"],
            state["field_weights"],
            state["hidden"],
        )
