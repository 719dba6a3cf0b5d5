"""The benign distribution of errors and of novelties, learned from records that nothing else was learned from."""

from __future__ import annotations

import torch
from torch import Tensor

from monitor.model.ops import doubles
from monitor.scoring.evidence import Errors
from monitor.scoring.sums import KNOTS, Sums
from monitor.scoring.surprises import RANKS, Surprises
from monitor.scoring.verdict import Rarities, Verdict
from monitor.training.tail_fitting import fit_tails


def fit_verdict(errors: Errors, novelty: Tensor) -> Verdict:
    """Learn the benign distribution from calibration records: errors, and novelty [n, features], n > 0."""
    means = errors.whole.mean(0).clamp(min=1e-6)
    added = (errors.whole / means).sum(1, keepdim=True)
    whole, fields = (fit_tails(doubles(part)) for part in (added, errors.fields))
    rarities = Rarities(means, whole, fields, fit_surprises(novelty))
    sums = (fit_sums(bans + new) for bans, new in zip(rarities.of(errors), rarities.surprises(novelty), strict=True))
    return Verdict(rarities, *sums)


def fit_sums(sums: Tensor) -> Sums:
    """Learn from the sums of held-out benign records, [n, columns], n > 0.

    One that k of n records reach has a chance of about (k + 1) / (n + 2), by Laplace's rule of succession.
    """
    count = len(sums)
    ascending = sums.t().sort().values.contiguous()
    ranks = torch.logspace(0, torch.tensor(float(count)).log10().item(), KNOTS).round().long().flip(0).clamp(1, count)
    levels = ascending[:, count - ranks].contiguous()
    reached = count - torch.searchsorted(ascending, levels)
    return Sums(levels, torch.log10((count + 2) / (reached + 1.0)))


def fit_surprises(novelty: Tensor) -> Surprises:
    """Learn from the novelties of held-out benign records, [n, features], n > 0.

    A strength that k of n records reach has a chance of about (k + 1) / (n + 2), by Laplace's rule of succession.
    """
    count = len(novelty)
    ranks = torch.tensor([min(2**power, count) for power in reversed(range(RANKS))])
    levels = novelty.sort(0, descending=True).values[ranks - 1].t().contiguous()
    return Surprises(levels, torch.log10((count + 2) / (ranks + 1.0)).float())
