"""Guesses a pattern for lines that begin with a time, and perhaps a level or an action, before the free text."""

from __future__ import annotations

from monitor.core.arrays import Column
from monitor.core.arrow import pa, pc
from monitor.core.regexes import ANY
from monitor.core.suggestion import LEAST_SHARE, Suggestion

CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
TIMES = (
    rf"\[?(?P<time>\d{{4}}-\d\d-\d\d[T ]{CLOCK}(?:Z|[+-]\d\d:?\d\d)?)\]?",  # 2026-11-22T03:16:28.123Z
    rf"\[?(?P<time>\d{{4}}/\d\d/\d\d {CLOCK})\]?",  # 2026/11/22 03:16:28, nginx's error log
    rf"\[(?P<time>[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d {CLOCK} \d{{4}})\]",  # [Sun Dec 04 04:47:44 2005], Apache's
    rf"\[?(?P<time>\d\d/[A-Z][a-z]{{2}}/\d{{4}}:{CLOCK} [+-]\d{{4}})\]?",  # 22/Nov/2026:03:16:28 +0000
    r"(?P<time>\d{6} \d{6})",  # 081109 203615
)
SEPARATOR = r"[ :|,\t-]+"
REST = r"(?P<message>.*)$"
WORD = r"\[?(?P<{name}>[A-Za-z_:-]*[A-Za-z_])\]?"
MOST_WORDS = 20
"""A level or an action has few values; more of them are the first word of a sentence."""
REPEATS = 20
"""And each comes often."""
LEVELS = frozenset(
    ("trace", "debug", "info", "information", "notice", "warn", "warning", "err", "error", "crit", "critical", "alert",
     "emerg", "fatal", "severe", "panic")
)  # fmt: skip
RANK = 10


def guess(texts: Column) -> Suggestion | None:
    """The pattern that reads most of the lines, if any reads half of them."""
    best = max(TIMES, key=lambda time: matched(texts, f"^{time}{SEPARATOR}{REST}"))
    share = matched(texts, f"^{best}{SEPARATOR}{REST}")
    if share < LEAST_SHARE:
        return None
    pattern = with_word(texts, best, share) or f"^{best}{SEPARATOR}{REST}"
    return Suggestion(options={"pattern": pattern}, share=share, rank=RANK)


def with_word(texts: Column, time: str, share: float) -> str | None:
    """The pattern with the word behind the time as a field of its own, where that word has few values."""
    pattern = f"^{time}{SEPARATOR}{WORD.format(name='word')}{SEPARATOR}{REST}"
    groups = pc.extract_regex(texts, ANY + pattern)
    if 1 - groups.null_count / len(texts) < share:
        return None
    words = groups.drop_null().field("word")
    distinct: list[str] = pc.unique(words).to_pylist()
    if not 1 < len(distinct) <= min(MOST_WORDS, len(words) // REPEATS):
        return None
    levels = sum(word.lower().rpartition(":")[2] in LEVELS for word in distinct)
    return pattern.replace("(?P<word>", "(?P<level>" if 2 * levels > len(distinct) else "(?P<action>")


def matched(texts: Column, pattern: str) -> float:
    """The share of texts that a pattern matches."""
    return float(pc.mean(pc.match_substring_regex(texts, ANY + pattern).cast(pa.float64())).as_py() or 0.0)
