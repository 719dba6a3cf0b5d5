"""How a stream stands, in a word and the reason for it, and how the program stands as a whole."""

from __future__ import annotations

from typing import Literal, NamedTuple

from monitor.telemetry import StreamOverview
from monitor.web.health import Health
from monitor.web.wording import size, span

QUIET_SECONDS = 600.0
"""Without a record for so long a stream is said to be quiet. That is no fault: some speak once a day."""

BEHIND_SECONDS = 60.0
"""What waits longer than that to be read makes an alert late."""

Tone = Literal["good", "plain", "bad"]


class Standing(NamedTuple):
    """``tone`` says whether somebody should look after it."""

    word: str
    reason: str
    tone: Tone


def standing(stream: StreamOverview, drift: str | None, now: float) -> Standing:
    """What matters most about a stream; ``drift`` is the sign that its model no longer fits, if there is one.

    Args:
        stream: how it is.
        drift: for a person.
        now: seconds since 1970.
    """
    ailments = {
        "no model": None if stream.version else f"publish one: aemonitor retrain --stream {stream.name}",
        "paused": stream.seen.paused,
        "behind": _behind(stream),
        "drifting": drift,
    }
    for word, reason in ailments.items():
        if reason is not None:
            return Standing(word, reason, "bad")
    if stream.seen.last is None:
        return Standing("waiting", "no record since the start", "plain")
    if now - stream.seen.last > QUIET_SECONDS:
        return Standing("quiet", f"no record for {span(now - stream.seen.last)}", "plain")
    return Standing("watching", "", "good")


def _behind(stream: StreamOverview) -> str | None:
    if stream.unread_seconds <= BEHIND_SECONDS:
        return None
    return f"{size(stream.lag_bytes)} to read, the oldest of it for {span(stream.unread_seconds)}"


def troubles(health: Health) -> list[str]:
    """Why the program is not healthy or not ready, one sentence each."""
    return [*health.stale(), *health.missing()]


def expected_episodes(stream: StreamOverview, window: str) -> float | None:
    """How many episodes were promised of so many benign records as came in the window; None: nothing was promised."""
    promise = stream.seen.promise
    return None if promise is None else promise.alerts_per_record * stream.records_by_window[window]
