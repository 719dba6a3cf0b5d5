"""Whether what comes is still what was promised: so many false alerts, and what chance adds to them."""

from __future__ import annotations

import math

from monitor.core.limit import Limit
from monitor.deciding.poisson import quantile

TOO_MANY = 1.5
"""Times what is expected."""

SURE = 0.99
"""The chance of no more than that: among few records a few alerts more are no broken promise."""


def expected(promise: Limit, records: int) -> float:
    """Alerts that so many benign records are expected to raise; near ones of a key count once where days are known."""
    return promise.alerts_per_record * records


def most(promise: Limit, records: int) -> int:
    """More alerts than this break the promise: one and a half times as many, and chance. Bursts of them are Poisson."""
    burst = 1.0 if promise.daily is None else max(1.0, promise.daily.burst)
    return math.ceil(burst * quantile(TOO_MANY * expected(promise, records) / burst, SURE))
