"""Episode: while something is going on nobody learns, since what is going on may be among what is learned."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from monitor.app.gates.contest import Contest
from monitor.core.alerts import Alert
from monitor.core.errors import NoInputError
from monitor.core.printable import printable
from monitor.ledger import Ledger
from monitor.model.trials import Gate


def gate(contest: Contest) -> Gate:
    """Whether the stream's last alert is recent."""
    firing = contest.firing()
    return Gate("episode", firing is None, firing or "no episode is firing")


def firing(state_dir: Path, stream: str, gap_seconds: float, now: float) -> str | None:
    """The newest alert in the ledger, if it was raised within ``gap_seconds`` before ``now`` (since 1970).

    Read only, beside a running daemon. None also where there is no ledger yet.
    """
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            newest = ledger.alerts(stream, limit=1)
    except NoInputError:
        return None
    if not newest:
        return None
    alert = msgspec.json.decode(newest[0], type=Alert)
    age = now - datetime.fromisoformat(alert.detected_at).timestamp()
    if age > gap_seconds:
        return None
    waited = f"alert.episode_gap_seconds: {gap_seconds:g}"
    return f"alert {alert.id[:8]} was raised {max(0.0, age):.0f} s ago ({waited}): {printable(alert.summary)}"
