"""Faults: in every field the new model finds what is planted as well as the one in use does.

All fields together are compared where the new model alerts, and a single one where so many benign records decide that
the limit is no accident (`trying`).
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.app.gates.contest import Contest
from monitor.app.gates.trying import MARGIN, Tried, falls_short, planted, planted_at_rate, total
from monitor.core.printable import printable
from monitor.model.trials import Gate, by_field
from monitor.reporting.evaluation import Recovered

ALL = "all fields together"


def gate(contest: Contest, tried: Tried) -> Gate:
    """The share found in all fields; words name the field that fares worst against the one in use."""
    del contest
    ours = _counted(tried.found)
    records, found = ours[ALL]
    if not records:
        return Gate("faults", True, "no fault can be planted in these fields")
    told = f"{found / records:.0%} of {records:,} planted in held-out records are found"
    if tried.champion is None:
        return Gate("faults", True, f"{told}; there is nothing to compare with", found / records)
    theirs = _counted(tried.champion)
    required = max(0.0, theirs[ALL][1] / max(1, theirs[ALL][0]) - MARGIN)
    lost = [name for name in ours.keys() & theirs.keys() if falls_short(ours[name], theirs[name])]
    if lost:
        worst = max(sorted(lost), key=lambda name: _share(theirs[name]) - _share(ours[name]))
        told = (
            f"of those planted in {printable(worst)} it finds {_share(ours[worst]):.0%}, "
            f"the one in use {_share(theirs[worst]):.0%} with as many false alerts"
        )
    else:
        told += f"; the one in use finds {_share(theirs[ALL]):.0%} with as many false alerts"
    return Gate("faults", not lost, told, found / records, required)


def _counted(rows: Sequence[Recovered]) -> dict[str, tuple[int, int]]:
    return {**by_field(planted_at_rate(rows)), ALL: total(planted(rows))}


def _share(counts: tuple[int, int]) -> float:
    return counts[1] / max(1, counts[0])
