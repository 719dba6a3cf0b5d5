"""The most frequent of many hashes: a column each, and one for all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, I64, Bools
from monitor.core.strings import U64


@dataclass(frozen=True)
class Frequent:
    """``top`` have a column, the most frequent first; none if there was only one in all.

    ``shares`` are their benign shares, ``others`` the share of the records that have none of them.
    """

    top: U64  # [t]
    shares: tuple[float, ...]  # [t]
    others: float

    @classmethod
    def learn(cls, distinct: U64, counts: I64, order: I64, most: int) -> Frequent:
        """From the distinct hashes, how often each occurs, [d], and their indexes in order of preference, [d]."""
        records = counts.sum()
        top, rest = (order[:most], order[most:]) if len(distinct) > 1 else (order[:0], order[:0])
        return cls(distinct[top], tuple((counts[top] / records).tolist()), float(counts[rest].sum() / records))

    @cached_property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.top) + bool(self.others)

    @cached_property
    def neutral(self) -> tuple[float, ...]:
        """The columns of a hash that tells nothing: the benign average."""
        return (*self.shares, self.others)[: self.width]

    def write(self, hashes: U64, present: Bools, columns: F32) -> None:
        """Encode hashes [n] into zeroed columns [n, width]; rows that are not ``present`` [n] stay zero."""
        if not self.width:
            return
        place = self._order.take(np.searchsorted(self.top[self._order], hashes), mode="clip")
        hit = (self.top[place] == hashes) & present
        rows = np.flatnonzero(hit)
        columns[rows, place[rows]] = 1.0
        rest = np.flatnonzero(~hit & present)
        if self.others:
            columns[rest, len(self.top)] = 1.0
        else:
            columns[rest] = self.shares

    def is_other(self, columns: F32) -> bool:
        """Whether a row of columns says that its hash has none of its own, [width]."""
        return bool(self.others) and bool(columns[len(self.top)] > 0.5)

    def state(self) -> dict[str, Any]:
        top = [f"{number:016x}" for number in self.top.tolist()]
        return {"top": top, "shares": list(self.shares), "others": self.others}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Frequent:
        top = np.array([int(number, 16) for number in state["top"]], dtype=np.uint64)
        return cls(top, tuple(map(float, state["shares"])), float(state["others"]))

    @cached_property
    def _order(self) -> I64:
        return np.argsort(self.top)
