"""Counts side by side, such as the length of a text and its quotes: scaled logarithms, and surprise above benign."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, I64
from monitor.core.novelty import beyond, never
from monitor.encoders._rarity import varies

SHOWN_WHOLE = 10_000
"""Counts up to this are told exactly, larger ones to three digits."""


@dataclass(frozen=True)
class Tallies:
    """The benign range of several counts; those that ``varied`` have a column, of mean ``means``."""

    names: tuple[str, ...]  # [c]
    low: tuple[int, ...]  # [c]
    high: tuple[int, ...]  # [c]
    varied: tuple[int, ...]  # [v]
    means: tuple[float, ...]  # [v]
    records: int

    @classmethod
    def learn(cls, names: Sequence[str], counts: I64) -> Tallies:
        """From the counts of benign records, [n, c], n > 0."""
        low, high = tuple(counts.min(axis=0).tolist()), tuple(counts.max(axis=0).tolist())
        varied = tuple(np.flatnonzero(varies(counts)).tolist())
        bare = cls(tuple(names), low, high, varied, (), len(counts))
        return replace(bare, means=tuple(bare.scaled(counts).mean(axis=0).tolist()))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names[i] for i in self.varied)

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return tuple(f"{name} beyond" for name in self.names)

    def scaled(self, counts: I64) -> F32:
        """Logarithms of the counts that have a column, from -1 (fewest) to 1 (most benign), [n, v].

        A difference counts as a ratio: one quote more than none is much, one character more than a hundred little.
        """
        inside = np.clip(counts.take(self._places, axis=1), *self._ends).astype(np.float32)
        result = np.log1p(inside, out=inside)
        result -= self._centre
        result /= self._half
        return np.clip(result, -1.0, 1.0, out=result)

    def surprise(self, counts: I64, novelty: F32) -> None:
        """Write what is too many of counts [n, c] to novelty [n, c]; too few are the matter of the template."""
        for place in np.flatnonzero(counts.max(axis=0, initial=0) > self._most).tolist():
            rows = np.flatnonzero(counts[:, place] > self.high[place])
            excess = (counts[rows, place] - self.high[place]).astype(np.float64)
            novelty[rows, place] = beyond(excess, self._span(place), self.records)

    def reason(self, novelty: F32) -> str | None:
        """The sentence for the count farthest above its benign range; None if none is. [c]."""
        worst = int(novelty.argmax())
        if novelty[worst] <= 0.0:
            return None
        count = self.high[worst] + _excess(float(novelty[worst]), self._span(worst), self.records)
        # The strength has seven digits, a small number all the same.
        shown = f"{count:,.0f}" if count < SHOWN_WHOLE else f"about {float(f'{count:.3g}'):,.0f}"
        most = f"at most {self.high[worst]:,}" if self.high[worst] else "none"
        return f"{self.names[worst]}: {shown}, {most} in {self.records:,} benign records"

    def state(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "low": list(self.low),
            "high": list(self.high),
            "varied": list(self.varied),
            "means": list(self.means),
            "records": self.records,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Tallies:
        low, high, varied = (tuple(map(int, state[key])) for key in ("low", "high", "varied"))
        return cls(tuple(state["names"]), low, high, varied, tuple(map(float, state["means"])), int(state["records"]))

    def _span(self, place: int) -> float:
        """Half the benign range of a count, at least half a one: what lies farther above it is surprising."""
        return max(self.high[place] - self.low[place], 1) / 2

    @cached_property
    def _most(self) -> I64:
        return np.array(self.high, dtype=np.int64)

    @cached_property
    def _places(self) -> I64:
        return np.array(self.varied, dtype=np.int64)

    @cached_property
    def _ends(self) -> tuple[I64, I64]:
        ends = np.array([self.low, self.high], dtype=np.int64)[:, self._places]
        return ends[0], ends[1]

    @cached_property
    def _centre(self) -> F32:
        low, high = self._logarithms
        return (low + high) * np.float32(0.5)

    @cached_property
    def _half(self) -> F32:
        low, high = self._logarithms
        return (high - low) * np.float32(0.5)

    @cached_property
    def _logarithms(self) -> tuple[F32, F32]:
        low, high = (np.log1p(end.astype(np.float32)) for end in self._ends)
        return low, high


def _excess(strength: float, span: float, records: int) -> float:
    """The inverse of ``beyond``: by how much a count exceeds the benign ones, given how surprising that is."""
    bound = never(records)
    far = strength * bound / max(bound - strength, 1e-9)
    return span * math.expm1(min(far, 100.0) * math.log(10.0))
