"""The one rule for surprise: how many bans a state weighs that benign data never showed.

A ban is a factor of ten: a state of strength 4 has a chance of about one in ten thousand among benign records, judged
by the benign data alone. Everything benign data did show has strength 0. See docs/adr/0002.
"""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64

REACH = 5.0
"""The most a changed value can cost in network columns by default (clipped at 4, reproduced at -1), in the same units.
A constant that changes has no network column; this much is added so that it is still the loudest."""

INFINITELY_FAR = 700.0
"""The distance of infinity: above that of every pair of finite doubles, which is 617 at the most."""


def unseen(records: int, singletons: int) -> float:
    """Strength of a value never seen, after ``records`` benign values of which ``singletons`` occurred exactly once.

    Good (1953), "The population frequencies of species": the chance that the next value is new is about the share of
    values seen once. One is added above and two below, so that no chance is 0 or 1.

    Returns:
        Bans, >= 0: about log10(records) for a closed vocabulary, about 0 where every value is new anyway.

    >>> round(unseen(10_000, 0), 2), round(unseen(10_000, 10_000), 2)
    (4.0, 0.0)
    """
    return max(0.0, math.log10((records + 2) / (singletons + 1)))


def never(records: int) -> float:
    """Strength of what happened in none of ``records`` benign records: log10(records + 2).

    Laplace's rule of succession, (0 + 1) / (records + 2); the same as ``unseen`` in a closed vocabulary.
    """
    return unseen(records, 0)


def distance(excess: F64, span: float) -> F64:
    """How far out, on a scale that orders everything up to infinity: log10(1 + excess / span), [n] like ``excess``.

    With a Pareto tail of index one this is the strength of lying ``excess`` beyond the end of a range ``span`` wide.

    Args:
        excess: [n], >= 0, not NaN; infinity is allowed.
        span: width of the range, > 0 and finite.
    """
    with np.errstate(over="ignore"):
        ratio = excess / span
    with np.errstate(divide="ignore"):
        far = np.log10(excess) - math.log10(span)  # the same where the ratio itself is no double any more
    near = np.log1p(np.minimum(ratio, 1e300)) / math.log(10.0)
    return np.minimum(np.where(ratio < 1e300, near, far), INFINITELY_FAR)


def beyond(excess: F64, span: float, records: int) -> F64:
    """Strength of numbers outside the benign range, [n]: 0 inside, about ``distance`` near it, below ``never`` far out.

    No value is better evidence than an event that never happened, hence the bound; it is approached, never reached, so
    that farther is always stronger.
    """
    bound = never(records)
    far = distance(excess, span)
    return far * bound / (far + bound)


def excess(strength: float, span: float, records: int) -> float:
    """How far outside its range a number is that has this strength: undoes ``beyond``, as far as digits allow.

    >>> round(excess(float(beyond(np.array([30.0]), 2.0, 1000)[0]), 2.0, 1000), 6)
    30.0
    """
    bound = never(records)
    far = strength * bound / max(bound - strength, 1e-9)
    return span * math.expm1(min(far, 300.0) * math.log(10.0))


def changed(records: int, far: F64) -> F64:
    """Strength of a change in a field that was the same in all of ``records`` benign records, [n] like ``far``.

    Args:
        records: how many benign records showed the constant.
        far: [n], >= 0, how far the new value is (see ``distance``), 0 where there is no such thing; adds less than 1.
    """
    return never(records) + REACH + far / (1.0 + far)
