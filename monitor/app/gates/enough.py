"""Enough records: a limit that few records set holds little, and does not replace one that many set."""

from __future__ import annotations

from monitor.app.gates.contest import Contest
from monitor.model.calibration import FEW_RECORDS
from monitor.model.trials import Gate


def gate(contest: Contest) -> Gate:
    """Held-out records against those that a limit takes; what a budget takes was demanded before training."""
    count = contest.candidate.contents.calibration.count
    rival = None if contest.champion is None else contest.champion.contents.calibration.count
    passed = count >= FEW_RECORDS or rival is None or rival < FEW_RECORDS
    told = f"{count:,} held-out benign records set the limit"
    if count < FEW_RECORDS:
        told += f", fewer than {FEW_RECORDS}" + ("" if passed else f"; the one in use had {rival:,}")
    return Gate("enough", passed, told, count, FEW_RECORDS)
