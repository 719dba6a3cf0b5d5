"""Baselines: a network that finds less than the mean record, or than the identity, learned nothing worth its place.

Both know what is new as any model does, so they are no straw men. Where the one in use is beaten by them too, or there
is none, that is only said: a model that learned little is better than none.
"""

from __future__ import annotations

from monitor.app.gates.contest import Contest
from monitor.app.gates.trying import MARGIN, Tried, falls_short, planted_at_rate, total
from monitor.model.trials import Gate


def gate(contest: Contest, tried: Tried) -> Gate:
    """Planted faults found by the model and by the better of both."""
    ours = total(planted_at_rate(tried.found))
    if not ours[0]:
        return Gate("baselines", True, "no fault can be planted in these fields")
    name, best = max((("the mean record", total(tried.mean)), ("the identity", total(tried.identity))), key=_found)
    share, required = ours[1] / ours[0], max(0.0, best[1] / best[0] - MARGIN)
    told = f"it finds {share:.0%} of the planted faults, {name} {best[1] / best[0]:.0%} with as many false alerts"
    beaten = falls_short(ours, best)
    collapsed = contest.candidate.contents.history.collapsed
    if collapsed:
        told += "; the network collapsed, it answers every record alike"
    return Gate("baselines", not ((beaten and _does_better(tried, best)) or _newly(contest)), told, share, required)


def _found(row: tuple[str, tuple[int, int]]) -> int:
    return row[1][1]


def _does_better(tried: Tried, best: tuple[int, int]) -> bool:
    """Whether the one in use is not beaten."""
    return tried.champion is not None and not falls_short(total(planted_at_rate(tried.champion)), best)


def _newly(contest: Contest) -> bool:
    """Whether the network collapsed and that of the one in use did not."""
    collapsed = contest.candidate.contents.history.collapsed
    return collapsed and contest.champion is not None and not contest.champion.contents.history.collapsed
