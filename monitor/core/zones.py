"""Names of time zones, as a configuration has them."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from monitor.core.names import did_you_mean, quoted


def zone(name: str) -> str:
    """The name, if there is such a zone.

    Raises:
        ValueError: there is none; the message is for the user.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a directory of zones an OSError
        near = did_you_mean(name, available_timezones())
        raise ValueError(f"there is no time zone {quoted(name)}{near or '; names are like Europe/Berlin'}") from None
    return name
