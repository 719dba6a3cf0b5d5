"""Finite: a weight or a score that is no number would make everything, or nothing, an alert."""

from __future__ import annotations

import numpy as np

from monitor.app.gates.contest import Contest
from monitor.model.ops import plain
from monitor.model.trials import Gate


def gate(contest: Contest) -> Gate:
    """Weights, what the score learned, and the scores of the replayed records."""
    contents = contest.candidate.contents
    arrays = [*contents.module.state_dict().values(), *contents.evidence.values(), contest.replay.scores]
    wrong = sum(int((~np.isfinite(plain(array))).sum()) for array in arrays)
    told = "all weights and scores are finite" if not wrong else f"{wrong:,} weights or scores are not finite"
    return Gate("finite", not wrong, told, wrong, 0)
