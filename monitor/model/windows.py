"""Which network columns are the course of a number over time, so that a network can read them step by step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True)
class Windows:
    """The columns of each window, the oldest step first: [features][steps]; each column once, all equally long."""

    columns: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.columns or not self.columns[0] or len({len(columns) for columns in self.columns}) > 1:
            raise ValueError("windows need columns, all of them equally many")
        if len(set(self.flat)) < len(self.flat) or min(self.flat) < 0:
            raise ValueError("windows name a column twice, or a negative one")

    @property
    def features(self) -> int:
        """How many numbers are followed."""
        return len(self.columns)

    @property
    def steps(self) -> int:
        """How many values there are of each."""
        return len(self.columns[0])

    @property
    def flat(self) -> tuple[int, ...]:
        """All columns, one window behind the other."""
        return tuple(chain.from_iterable(self.columns))

    def others(self, width: int) -> tuple[int, ...]:
        """The columns of ``width`` that are in no window: states of the numbers, and other fields."""
        inside = frozenset(self.flat)
        return tuple(column for column in range(width) if column not in inside)
