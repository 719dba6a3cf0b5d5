"""Patterns of users run in RE2, in time linear in the text; one that cannot is refused with a clear reason."""

from __future__ import annotations

from monitor.core.arrow import pa, pc

ANY = "(?s)"
"""Before a pattern: a dot is any character, also a line feed in a record of several lines."""


def demand_re2(pattern: str) -> str:
    """The pattern, if RE2 can run it.

    Raises:
        ValueError: it cannot; the message is for the user.
    """
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(unable(str(error))) from None
    return pattern


def unable(error: str) -> str:
    """What to tell of an error of RE2."""
    reason = error.removeprefix("Invalid regular expression: ")
    return f"RE2 cannot run this pattern: {reason} (it has no backreferences and no look-ahead or look-behind)"
