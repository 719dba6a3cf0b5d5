"""States beside the value, such as "missing": something to reproduce where benign data showed them, else a novelty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, Bools
from monitor.core.novelty import never
from monitor.encoders._wording import MISSING


@dataclass(frozen=True)
class Flags:
    """The states of one feature; ``seen[i]`` says whether any of ``records`` benign records was in state ``names[i]``.

    A seen state is a network column, 0 or 1; one never seen is a novelty column, 0 or the strength of its surprise.
    """

    records: int
    names: tuple[str, ...]
    seen: tuple[bool, ...]

    @classmethod
    def learn(cls, masks: Mapping[str, Bools | None], records: int) -> Flags:
        """From the rows of benign data in each state ([records] each; None: no row)."""
        return cls(records, tuple(masks), tuple(mask is not None and bool(mask.any()) for mask in masks.values()))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, seen in zip(self.names, self.seen, strict=True) if seen)

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return tuple(name for name, seen in zip(self.names, self.seen, strict=True) if not seen)

    def write(self, masks: Sequence[Bools | None], columns: F32, novelty: F32) -> None:
        """Write ``masks`` [n], in the order of ``names``, to the flag columns [n, len(columns)] and novelty columns."""
        column = novelty_column = 0
        for mask, seen in zip(masks, self.seen, strict=True):
            if seen:
                if mask is not None:
                    columns[:, column] = mask
                column += 1
            else:
                if mask is not None:
                    novelty[mask, novelty_column] = never(self.records)
                novelty_column += 1

    def novelty_reason(self, novelty: F32) -> str | None:
        """The sentence for a row in a state that benign data never showed; None if it is in none. [len(novelty)]."""
        for name, strength in zip(self.novelty, novelty.tolist(), strict=True):
            if strength > 0.0:
                return self._never(name)
        return None

    def reason(self, columns: F32, reconstruction: F32) -> str | None:
        """The sentence for a row whose states are not those the network expects; None if they are. [len(columns)]."""
        for name, actual, expected in zip(self.columns, columns.tolist(), reconstruction.tolist(), strict=True):
            if (actual > 0.5) != (expected > 0.5):
                negation = "" if actual > 0.5 else "not "
                return f"{negation}{name}, unlike what the other fields suggest"
        return None

    def actual(self, columns: F32, novelty: F32) -> str | None:
        """The state that a row is in, [len(columns)] and [len(novelty)]; None for an ordinary value."""
        shown = (*zip(self.columns, columns.tolist(), strict=True), *zip(self.novelty, novelty.tolist(), strict=True))
        return next((name for name, strength in shown if strength > 0.0), None)

    def expected(self, reconstruction: F32) -> str | None:
        """The state that the network expects; None for an ordinary value. [len(columns)]."""
        for name, expected in zip(self.columns, reconstruction.tolist(), strict=True):
            if expected > 0.5:
                return name
        return None

    def shows(self, columns: F32, *names: str) -> Bools:
        """Which rows of flag columns [n, len(columns)], a reconstruction perhaps, are in one of the named states."""
        wanted = [place for place, name in enumerate(self.columns) if name in names]
        rows: Bools = np.logical_or.reduce(columns[:, wanted] > 0.5, axis=1)
        return rows

    def range_suffix(self) -> str:
        """What the benign range says of these states, such as ``, or missing``."""
        return "".join(f", or {name}" for name in self.columns)

    def state(self) -> dict[str, Any]:
        return {"records": self.records, "names": list(self.names), "seen": list(self.seen)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Flags:
        return cls(int(state["records"]), tuple(state["names"]), tuple(map(bool, state["seen"])))

    def _never(self, name: str) -> str:
        if name == MISSING:
            return f"missing, though present in all {self.records:,} benign records"
        return f"{name}, as in none of {self.records:,} benign records"
