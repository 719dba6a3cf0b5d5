"""The tails of benign errors, learned: their ranks, and a Pareto tail for what is beyond all but a few."""

from __future__ import annotations

import numpy as np
import torch

from monitor.core.arrays import F64
from monitor.scoring.tails import KNOTS, Tails

TAIL_SHARE = 0.02
"""The share of the benign errors that the Pareto tail is fitted to, ten of them at least."""

TAIL_LEAST = 10

LIGHTEST = 0.05
"""The least index of a tail: a lighter one would make the next digit of an error a proof."""


def fit_tails(errors: F64) -> Tails:
    """Learn the tails of benign errors [n, columns], n > 0, >= 0 and finite."""
    fitted = [_fit(np.sort(column)) for column in errors.T]
    knots, bans, slopes = (np.array(part, dtype=np.float32) for part in zip(*fitted, strict=True))
    return Tails(torch.from_numpy(knots), torch.from_numpy(bans), torch.from_numpy(slopes))


def _fit(errors: F64) -> tuple[F64, F64, float]:
    """Knots, bans at them, and the slope behind, of ascending errors [n]."""
    count = len(errors)
    tail = min(max(TAIL_LEAST, round(count * TAIL_SHARE)), max(1, count // 2))
    start = max(float(errors[-tail - 1]) if count > tail else float(errors[0]), 1e-6)
    index = max(float(np.log(np.maximum(errors[-tail:], start) / start).mean()), LIGHTEST)
    slope = 1 / (index * np.log(10))
    ranks = np.linspace(0, 1, KNOTS // 2)
    body = np.quantile(errors, ranks * (1 - tail / count))
    survival = 1 - ranks * (1 - tail / count)
    knots = np.maximum.accumulate(np.minimum(body, start) + 0.0)
    knots[-1] = start
    # Equal errors share the rank of the largest of them: benign records that err alike are no rarity.
    equal = np.searchsorted(errors, knots, "left")
    bans = -np.log10(np.minimum(1.0, np.maximum(survival, (count - equal + 0.5) / (count + 1))))
    # In the tail, too, an error that some benign records reach is no rarer than they are many.
    places = np.unique(np.geomspace(1, tail, KNOTS // 2).round().astype(np.int64))[::-1]
    far = np.maximum(errors[count - np.resize(places, KNOTS // 2)], start)
    far.sort()
    reached = count - np.searchsorted(errors, far, "left")
    pareto = bans[-1] + np.log(far / start) * slope
    far_bans = np.maximum(np.minimum(pareto, np.log10((count + 2) / (reached + 1))), bans[-1])
    return np.concatenate([knots, far]), np.maximum.accumulate(np.concatenate([bans, far_bans])), slope
