"""Near names: what a person probably meant when a name is not known, and how names and values are shown in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from monitor.core.printable import printable

SHOWN_CHARACTERS = 60
"""A name or value longer than this is cut in messages: enough to recognise it, too little to flood a terminal."""


def quoted(text: str) -> str:
    r"""The text in quotes, cut short and safe to show on a terminal.

    >>> print(quoted("a\x1b[31m"))
    'a\x1b[31m'
    """
    return f"'{printable(text, SHOWN_CHARACTERS)}'"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, whatever its case; None when none is near.

    >>> nearest("hiden", ["hidden", "epochs"])
    'hidden'
    >>> nearest("zebra", ["hidden", "epochs"])
    """
    by_spelling = {_spelling(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_spelling(name[: 2 * SHOWN_CHARACTERS]), by_spelling, n=1, cutoff=0.6)
    return by_spelling[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to append to a message: the nearest known name, or all of them when they are few.

    >>> did_you_mean("hiden", ["hidden", "epochs"])
    "; did you mean 'hidden'?"
    >>> did_you_mean("zebra", ["hidden", "epochs"])
    "; known are 'epochs', 'hidden'"
    """
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {quoted(near)}?"
    if not names:
        return ""
    return f"; known are {listed(names)}" if len(names) <= 20 else ""


def listed(names: Iterable[str], last: str = ", ") -> str:
    """Names in quotes, separated by commas, with ``last`` before the last one.

    >>> listed(["a", "b", "c"], " or ")
    "'a', 'b' or 'c'"
    """
    shown = [quoted(name) for name in names]
    return last.join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def _spelling(name: str) -> str:
    """Spellings that people mix up are the same: case, and the sign between words."""
    return name.casefold().replace("-", "_").replace(" ", "_")
