"""Counts side by side, such as the length of a text and its quotes: scaled logarithms, and surprise above benign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, I64
from monitor.core.novelty import beyond


@dataclass(frozen=True)
class Tallies:
    """The benign range of several counts; ``means`` are their network columns on average, [those with a column]."""

    names: tuple[str, ...]  # [c]
    low: tuple[int, ...]  # [c]
    high: tuple[int, ...]  # [c]
    means: tuple[float, ...]
    records: int

    @classmethod
    def learn(cls, names: Sequence[str], counts: I64) -> Tallies:
        """From the counts of benign records, [n, c], n > 0."""
        low, high = tuple(counts.min(axis=0).tolist()), tuple(counts.max(axis=0).tolist())
        bare = cls(tuple(names), low, high, (), len(counts))
        return cls(bare.names, low, high, tuple(bare.scaled(counts).mean(axis=0).tolist()), len(counts))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names[i] for i in self._varied)

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return tuple(f"{name} beyond" for name in self.names)

    def scaled(self, counts: I64) -> F32:
        """Logarithms of the counts that vary in benign data, from -1 (fewest) to 1 (most benign), [n, c'].

        A difference counts as a ratio: one quote more than none is much, one character more than a hundred little.
        """
        inside = np.clip(counts[:, self._varied], *self._ends).astype(np.float32)
        result = np.log1p(inside, out=inside)
        result -= self._centre
        result /= self._half
        return np.clip(result, -1.0, 1.0, out=result)

    def write(self, counts: I64, columns: F32, novelty: F32) -> None:
        """Encode counts [n, c]; only too many are surprising: what is too short is the matter of its template."""
        columns[:] = self.scaled(counts)
        rows, which = np.nonzero(counts > self._most)
        for name in np.unique(which):
            over = rows[which == name]
            excess = (counts[over, name] - self.high[name]).astype(np.float64)
            novelty[over, name] = beyond(excess, max(self.high[name] - self.low[name], 1) / 2, self.records)

    def reason(self, novelty: F32) -> str | None:
        """The sentence for the count farthest above its benign range; None if none is. [c]."""
        worst = int(novelty.argmax())
        if novelty[worst] <= 0.0:
            return None
        if self.high[worst] == 0:
            return f"{self.names[worst]}: none in {self.records:,} benign records"
        return f"{self.names[worst]}: more than in {self.records:,} benign records (max {self.high[worst]:,})"

    def state(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "low": list(self.low),
            "high": list(self.high),
            "means": list(self.means),
            "records": self.records,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Tallies:
        low, high = (tuple(map(int, state[end])) for end in ("low", "high"))
        return cls(tuple(state["names"]), low, high, tuple(map(float, state["means"])), int(state["records"]))

    @cached_property
    def _most(self) -> I64:
        return np.array(self.high, dtype=np.int64)

    @cached_property
    def _varied(self) -> list[int]:
        return [i for i, (low, high) in enumerate(zip(self.low, self.high, strict=True)) if low < high]

    @cached_property
    def _ends(self) -> tuple[I64, I64]:
        ends = np.array([self.low, self.high], dtype=np.int64)[:, self._varied]
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
