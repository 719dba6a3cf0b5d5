"""What a model showed before it was published: it travels with the bundle, for cards, comparisons and reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gate:
    """One demand on a new model: what was seen and what was asked for, as numbers where it is one, and in words."""

    name: str
    passed: bool
    words: str
    figure: float | None = None
    required: float | None = None


@dataclass(frozen=True, slots=True)
class Planted:
    """One kind of fault planted in one field of held-out benign records: ``found`` of ``records`` alert."""

    field: str
    fault: str
    records: int
    found: int


@dataclass(frozen=True, slots=True)
class Trials:
    """All that was tried with a model.

    ``missing`` is the share of its records in which a field has no value, ``novel`` that of the held-out ones with a
    value that benign data had never shown: what comes later is held against both.
    """

    gates: tuple[Gate, ...] = ()
    planted: tuple[Planted, ...] = ()
    missing: Mapping[str, float] = field(default_factory=dict[str, float])
    novel: float | None = None


UNTRIED = Trials()
"""Of a model made by a program that knew no trials, or by none of its commands."""


def by_field(planted: Iterable[Planted]) -> dict[str, tuple[int, int]]:
    """How many planted faults there were in each field and how many were found, whatever their kind.

    >>> by_field([Planted("a", "x10", 5, 5), Planted("a", "swap", 5, 1)])
    {'a': (10, 6)}
    """
    sums: dict[str, tuple[int, int]] = {}
    for row in planted:
        records, found = sums.get(row.field, (0, 0))
        sums[row.field] = (records + row.records, found + row.found)
    return sums
