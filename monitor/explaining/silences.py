"""The sentences that tell of a stream from which nothing comes."""

from __future__ import annotations

from monitor.core.printable import printable


def hush(stream: str, since: str | None, seconds: float, limit_seconds: float) -> str:
    """``web: silent for 12 min, since 2026-11-22T03:12:00Z: no record in 10 min or longer``."""
    begun = f", since {since}" if since else ""
    return f"{printable(stream)}: silent for {lasting(seconds)}{begun}: no record in {lasting(limit_seconds)} or longer"


def speak(stream: str, seconds: float) -> str:
    """The sentence that tells the end."""
    return f"{printable(stream)}: records come again after a silence of {lasting(seconds)}"


def lasting(seconds: float) -> str:
    """A length of time for a person.

    >>> lasting(45.2), lasting(720), lasting(5 * 3600 + 60), lasting(200_000)
    ('45 s', '12 min', '5.0 h', '2.3 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
