"""Episode: while something is going on nobody learns, since what is going on may be among what is learned."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from monitor.app.gates.contest import Contest
from monitor.app.standing import standing
from monitor.core.alerts import Alert
from monitor.core.errors import NoInputError
from monitor.core.printable import printable
from monitor.deciding.decided import STORM
from monitor.ledger import Ledger
from monitor.model.trials import Gate


def gate(contest: Contest) -> Gate:
    """Whether the stream's last alert is recent."""
    firing = contest.firing()
    return Gate("episode", firing is None, firing or "no episode is firing")


def firing(state_dir: Path, stream: str, gap_seconds: float, now: float) -> str | None:
    """What alerted within ``gap_seconds`` before ``now`` (since 1970), in words.

    That is the newest alert in the ledger or, since an episode is told once however long it lasts, the last record of
    one. Read only, beside a running daemon. None also where there is no ledger yet.
    """
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            return _raised(ledger, stream, gap_seconds, now) or _lasting(ledger, stream, gap_seconds, now)
    except NoInputError:
        return None


def _raised(ledger: Ledger, stream: str, gap_seconds: float, now: float) -> str | None:
    newest = ledger.alerts(stream, limit=1)
    if not newest:
        return None
    alert = msgspec.json.decode(newest[0], type=Alert)
    age = now - datetime.fromisoformat(alert.detected_at).timestamp()
    if age > gap_seconds:
        return None
    return f"alert {alert.id[:8]} was raised {_ago(age, gap_seconds)}: {printable(alert.summary)}"


def _lasting(ledger: Ledger, stream: str, gap_seconds: float, now: float) -> str | None:
    ages = {key: now - episode.last for key, episode in standing(ledger, stream).items()}
    recent = {key: age for key, age in ages.items() if abs(age) <= gap_seconds}
    if not recent:
        return None
    key = min(recent, key=lambda each: recent[each])
    whose = "" if key in (None, STORM) else f" of {printable(key)}"
    return f"an episode{whose} goes on, its last record came {_ago(recent[key], gap_seconds)}"


def _ago(age: float, gap_seconds: float) -> str:
    return f"{max(0.0, age):.0f} s ago (alert.episode_gap_seconds: {gap_seconds:g})"
