"""About how many different things there were, told by the smallest of their hashes: each may come any number of times.

Which hashes are kept depends on the things alone, so what is read twice, after a crash, counts once (Bar-Yossef et al.,
"Counting distinct elements in a data stream", 2002).
"""

from __future__ import annotations

import numpy as np

from monitor.core.strings import U64

MOST = 256
"""Hashes that are kept, 2 kilobytes: they tell the number to within 6 %."""


def none() -> U64:
    """Of nothing."""
    return np.empty(0, dtype=np.uint64)


def merged(smallest: U64, hashes: U64) -> U64:
    """The smallest different ones of both, rising."""
    if len(smallest) == MOST:
        hashes = hashes[hashes < smallest[-1]]
    return np.union1d(smallest, hashes)[:MOST] if len(hashes) else smallest


def about(smallest: U64) -> float:
    """How many different ones there were; exact below ``MOST``."""
    if len(smallest) < MOST:
        return float(len(smallest))
    return (MOST - 1) / (float(smallest[-1]) / 2.0**64)
