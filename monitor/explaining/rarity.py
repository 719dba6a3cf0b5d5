"""Rarity, in bans everywhere else, as people tell it: one benign record in so many."""

from __future__ import annotations

import math

MOST = 5.0
"""Bans: what is rarer is not told in numbers, since no stock of benign records is large enough to prove them."""

LEAST = 1.0
"""Bans: what one benign record in ten shows is no rarity."""


def p_value(rarity: float | None) -> float | None:
    """The share of benign records that are as rare, 0 to 1; None where that is not known.

    >>> p_value(3.0), p_value(None)
    (0.001, None)
    """
    return None if rarity is None else float(10.0**-rarity)


def bans(p_value: float) -> float:
    """Undoes ``p_value``; infinite for 0.

    >>> bans(0.001)
    3.0
    """
    return -math.log10(p_value) if p_value > 0 else math.inf


def common(rarity: float) -> bool:
    """Whether it is no rarity at all."""
    return rarity < LEAST


def one_in(rarity: float) -> str:
    """How many benign records are as rare, for a cell of a table.

    >>> one_in(0.5), one_in(3.51), one_in(40.0)
    ('common', '1 in 3,200', '< 1 in 100,000')
    """
    if common(rarity):
        return "common"
    return f"{'< ' if rarity > MOST else ''}1 in {_records(rarity):,}"


def rarer_than(rarity: float | None) -> str:
    """The same for a sentence; empty where nothing is known, or where it is no rarity.

    >>> rarer_than(4.0), rarer_than(40.0), rarer_than(0.5), rarer_than(None)
    ('rarer than 1 in 10,000 benign records', 'rarer than 1 in 100,000 benign records', '', '')
    """
    return "" if rarity is None or common(rarity) else f"rarer than 1 in {_records(rarity):,} benign records"


def _records(rarity: float) -> int:
    """Two digits of 10 ** rarity, rounded down."""
    count = math.floor(math.pow(10, min(rarity, MOST)) * (1 + 1e-9))
    unit = int("1".ljust(len(str(count)) - 1, "0"))
    return count // unit * unit
