"""Names as people write them: near ones, ranges of them, and how names and values are shown in messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from monitor.core.printable import printable

SHOWN_CHARACTERS = 60
"""A name or value longer than this is cut in messages: enough to recognise it, too little to flood a terminal."""

MOST_NAMES = 65_536
"""So many names ranges may make in all: more make a network that no machine trains."""

_NEARLY = re.compile(r"\{[^{}]*\.\.")
# No more digits than a name may sensibly have: others are part of the name.
_RANGE = re.compile(r"\{([0-9]{1,18})\.\.([0-9]{1,18})\}")


def quoted(text: str) -> str:
    r"""The text in quotes, cut short and safe to show on a terminal.

    >>> print(quoted("a\x1b[31m"))
    'a\x1b[31m'
    """
    return f"'{printable(text, SHOWN_CHARACTERS)}'"


def plural(count: int, word: str, words: str = "") -> str:
    """A count with its noun, and its verb where that changes; ``words`` is said of several, default: with an s.

    >>> plural(1, "episode"), plural(1200, "episode"), plural(2, "alert waits", "alerts wait")
    ('1 episode', '1,200 episodes', '2 alerts wait')
    """
    return f"{count:,} {word if count == 1 else words or word + 's'}"


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


def expanded(names: Iterable[str]) -> list[str]:
    """Names, each range such as ``pixel{1..784}`` written out; zeros in front of its start are kept.

    >>> expanded(["label", "pixel{08..10}"])
    ['label', 'pixel08', 'pixel09', 'pixel10']

    Raises:
        ValueError: a range runs backwards, a name has two, or there are too many names.
    """
    written: list[str] = []
    for name in names:
        written += _written_out(name)
        if len(written) > MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES:,} names, up to {quoted(name)}")
    return written


def _written_out(name: str) -> list[str]:
    """The names that one stands for, but no more than are already too many."""
    before, *found = _RANGE.split(name)  # start, end and what follows, for each range
    if not found and _NEARLY.search(name):
        raise ValueError(f"{quoted(name)} is no range; a range has whole numbers and is written like pixel{{1..784}}")
    if not found:
        return [name]
    if len(found) > 3:
        raise ValueError(f"{quoted(name)} has more than one range")
    start, end, after = found
    if int(end) < int(start):
        raise ValueError(f"the range in {quoted(name)} runs backwards")
    numbers = range(int(start), int(end) + 1)[: MOST_NAMES + 1]
    return [f"{before}{number:0{len(start)}d}{after}" for number in numbers]


def _spelling(name: str) -> str:
    """Spellings that people mix up are the same: case, and the sign between words."""
    return name.casefold().replace("-", "_").replace(" ", "_")
