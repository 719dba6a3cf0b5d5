"""Figures as people read them: short, with their unit, the same everywhere on the pages."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.core.clock import DAY_SECONDS

_SPANS = ((DAY_SECONDS, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_SIZES = ("B", "kB", "MB", "GB", "TB")


def number(value: float) -> str:
    """Three digits of a number, all of one that is whole and short.

    >>> number(0.12345), number(4.0), number(1234567.8), number(2e9)
    ('0.123', '4', '1,234,568', '2e+09')
    """
    if value >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def size(count: float) -> str:
    """Bytes.

    >>> size(0), size(1234), size(5e9)
    ('0 B', '1.2 kB', '5.0 GB')
    """
    power = 0
    while count >= 1000 and power < len(_SIZES) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.1f} {_SIZES[power]}" if power else f"{count:.0f} B"


def span(seconds: float) -> str:
    """A duration in its largest unit, rounded down.

    >>> span(59.9), span(3600), span(200_000), span(-5)
    ('59 s', '1 h', '2 d', '0 s')
    """
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str, now: float) -> str:
    """A time in UTC as it is read on the same day, with the date on any other.

    >>> moment("2026-11-22T16:52:01.705Z", 1795370400.0), moment("2026-11-20T16:52:01Z", 1795370400.0)
    ('16:52:01', '2026-11-20 16:52:01')
    """
    when, today = datetime.fromisoformat(text).astimezone(UTC), datetime.fromtimestamp(now, UTC)
    return f"{when:%H:%M:%S}" if when.date() == today.date() else f"{when:%Y-%m-%d %H:%M:%S}"


def ago(text: str, now: float) -> str:
    """How long ago a time was.

    >>> ago("2026-11-22T16:52:01Z", 1795370400.0), ago("2030-01-01T00:00:00Z", 0.0)
    ('1 h ago', 'just now')
    """
    seconds = now - datetime.fromisoformat(text).timestamp()
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"
