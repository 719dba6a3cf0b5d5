"""How narrow a network may be: the narrowest bottleneck that reproduces held-out records nearly as well as a wide one.

Each candidate is trained as a linear autoencoder, whose best weights are known without a search (principal components;
Baldi and Hornik 1989). That takes milliseconds, and on real tables it leaves as much of held-out records unexplained as
the deep network of the same width does when it is trained to the end; one trained briefly says much less.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.model_config import ModelConfig
from monitor.model.history import Candidate
from monitor.model.layers import auto_bottlenecks

TOLERANCE = 0.02
"""A narrower one wins if it leaves at most this much more of the variation: noise that a wider one begins to copy."""

LEAST_HELD_OUT = 20
"""Fewer held-out records than this cannot tell one candidate from another."""

ROWS = 4096
"""Records that candidates learn from and are measured by, evenly spread; more change nothing."""

WIDE, WIDE_ROWS = 512, 512
"""Beyond so many columns the components are found from so few records: the cost grows with the cube of the lesser."""


Rows = TypeVar("Rows", F32, F64)


def with_bottleneck(values: F32, held_out: F32, config: ModelConfig) -> tuple[ModelConfig, tuple[Candidate, ...]]:
    """The configuration with its bottleneck decided, and what was tried for it; as it is where that is not ``auto``.

    Args:
        values: network columns of the training split, [n, width], n > 0.
        held_out: the same of records that were not learned, [m, width].
        config: with ``hidden`` and ``bottleneck`` ``auto``, something is decided; the same data decide the same.
    """
    automatic = (config.hidden, config.bottleneck) == ("auto", "auto")
    if not automatic or not values.shape[1] or len(held_out) < LEAST_HELD_OUT:
        return config, ()
    candidates = candidates_of(values, held_out)
    return config.model_copy(update={"bottleneck": narrowest(candidates)}), candidates


def narrowest(candidates: tuple[Candidate, ...]) -> int:
    """The smallest width within the tolerance of the best one.

    >>> narrowest((Candidate(2, 0.2), Candidate(4, 0.06), Candidate(8, 0.05)))
    4
    """
    best = min(candidate.loss for candidate in candidates)
    return min(candidate.bottleneck for candidate in candidates if candidate.loss <= best + TOLERANCE)


def candidates_of(values: F32, held_out: F32) -> tuple[Candidate, ...]:
    """What each width that could be chosen leaves of the variation of held-out records, 0 to about 1."""
    learned, fresh = (_spread(rows, ROWS).astype(np.float64) for rows in (values, held_out))
    mean = learned.mean(axis=0)
    fresh -= mean
    variation = float(np.square(fresh).sum())
    components = _components(learned - mean)  # [width, k], the strongest first
    explained = np.cumsum(np.square(fresh @ components).sum(axis=0))  # by so many of them
    return tuple(Candidate(width, _left(explained, width, variation)) for width in auto_bottlenecks(values.shape[1]))


def _left(explained: F64, width: int, variation: float) -> float:
    known = float(explained[min(width, len(explained)) - 1])
    return max(0.0, 1 - known / variation) if variation > 0 else 0.0


def _components(centred: F64) -> F64:
    """Orthogonal directions in which rows [n, width] vary, the strongest first, [width, k]."""
    if centred.shape[1] <= WIDE:
        directions: F64 = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
        return directions
    few = _spread(centred, WIDE_ROWS)
    strengths, mixtures = np.linalg.eigh(few @ few.T)
    strong = strengths > strengths[-1] * 1e-9
    found: F64 = few.T @ (mixtures[:, strong] / np.sqrt(strengths[strong]))
    return found[:, ::-1]


def _spread(rows: Rows, most: int) -> Rows:
    """At most so many rows, evenly spread over all."""
    chosen: I64 = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64))
    return rows[chosen]
