"""The limit of a stream: the score above which a record alerts, and how often benign records are expected to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Daily:
    """Alerts that benign records are expected to raise in a day; those of one key close in time count once.

    ``low`` to ``high`` is what is expected on at least 95 days of 100. ``burst`` is how many come together, 1 where
    they come independently of each other.
    """

    records: float
    expected: float
    upper: float  # of the long-term average, with 95 % confidence
    low: int
    high: int
    burst: float = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a stream alerts and what that costs, if what comes is like the ``records`` benign ones it was set with.

    A new benign record exceeds the k-th largest of n with a chance of ``share`` = k / (n + 1); k is ``rank``.
    ``daily`` is None where it is not known how many records come in a day.
    """

    kind: Literal["budget", "rate", "fixed"]
    value: float
    rank: int
    records: int
    share: float
    share_upper: float  # with 95 % confidence
    daily: Daily | None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError("the limit is not finite")

    @property
    def alerts_per_record(self) -> float:
        """Alerts that one benign record is expected to raise: fewer than ``share`` where they come close in time."""
        return self.daily.expected / self.daily.records if self.daily else self.share

    def text(self) -> str:
        """What to expect, for a person.

        >>> Limit("budget", 1.0, 5, 999, 0.005, 0.009, Daily(840.0, 4.2, 7.66, 1, 12)).text()
        'expect 4.2 false alerts a day (95 %: 1 to 12), on average at most 7.7'
        >>> Limit("rate", 1.0, 5, 999, 0.005, 0.00916, None).text()
        'expect 0.5 % of benign records above it, at most 0.92 %'
        """
        if self.daily is None:
            return f"expect {self.share_text()}"
        day = self.daily
        return (
            f"expect {two_digits(day.expected)} false alerts a day (95 %: {day.low:,} to {day.high:,}), "
            f"on average at most {two_digits(day.upper)}"
        )

    def share_text(self) -> str:
        """How many of all benign records are expected to exceed it, for a person."""
        return f"{_percent(self.share)} of benign records above it, at most {_percent(self.share_upper)}"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"


def two_digits(number: float) -> str:
    """A number as far as it is known.

    >>> two_digits(4.21), two_digits(46_931.0)
    ('4.2', '47,000')
    """
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"
