"""The sentences that tell of a stream, or of keys of one, from which nothing comes."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.core.names import plural
from monitor.core.printable import printable

NAMED = 5
"""Of many keys so many are named."""


def hush(stream: str, since: str | None, seconds: float, limit_seconds: float, key: str | None = None) -> str:
    """``web a: silent for 12 min, since 2026-11-22T03:12:00Z: no record in 10 min or longer``."""
    begun = f", since {since}" if since else ""
    lasts = f"silent for {lasting(seconds)}{begun}: no record in {lasting(limit_seconds)} or longer"
    return f"{_whose(stream, key)}: {lasts}"


def hush_many(stream: str, since: str | None, seconds: float, keys: Sequence[str]) -> str:
    """``web: 400 keys are silent, for 12 min, since 2026-11-22T03:12:00Z: a, b, c and 397 more``."""
    begun = f", since {since}" if since else ""
    named = ", ".join(map(printable, keys[:NAMED]))
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    return f"{printable(stream)}: {len(keys):,} keys are silent, for {lasting(seconds)}{begun}: {named}{more}"


def speak(stream: str, seconds: float, key: str | None = None) -> str:
    """The sentence that tells the end."""
    return f"{_whose(stream, key)}: records come again after a silence of {lasting(seconds)}"


def speak_many(stream: str, keys: int, silent: int, seconds: float) -> str:
    """The same of many keys, of which a few are silent still."""
    left = f"; {plural(silent, 'more is', 'more are')} silent still, told apart" if silent else ""
    return f"{printable(stream)}: {keys - silent:,} keys are heard again after a silence of {lasting(seconds)}{left}"


def give_up(stream: str, seconds: float, key: str | None, keys: int = 1) -> str:
    """The sentence that tells that nobody waits for a key any more."""
    many = f" {keys:,} keys" if key is None else ""
    return f"{_whose(stream, key)}:{many} silent for {lasting(seconds)}, not expected any more"


def accept(stream: str, seconds: float) -> str:
    """The sentence that tells that people called it benign."""
    return f"{printable(stream)}: silent for {lasting(seconds)}, which was labelled benign"


def _whose(stream: str, key: str | None) -> str:
    return printable(stream) if key is None else f"{printable(stream)} {printable(key)}"


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
