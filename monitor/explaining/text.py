"""Values of hostile records as text that is safe to show and never long."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from monitor.core.printable import ELLIPSIS, printable

LONGEST_TEXT = 200
"""Characters shown of one value: enough to recognise it, short enough for one line of a pager."""

SHOWN_ITEMS = 5
"""Elements shown of a list."""


def shown(value: Any) -> str:
    """One value for a sentence: short, printable, numbers rounded to four digits, a text of nothing but blanks quoted.

    >>> shown(0.123456), shown(None), shown("a\\x1b[31mb"), shown(9120), shown([1.0, 2.5]), shown("")
    ('0.1235', 'missing', 'a\\\\x1b[31mb', '9120', '[1, 2.5]', '""')
    """
    if value is None:
        return "missing"
    if isinstance(value, float | np.floating):
        return _number(float(value))
    if isinstance(value, list | tuple):
        return _items(list(value))
    text = printable(str(value), LONGEST_TEXT)
    return text if text.strip() else f'"{text[: LONGEST_TEXT - 2]}"'


def portable(value: Any) -> Any:
    """The value as JSON can carry it: texts and lists cut, NaN and infinities as text, unknown types as text.

    Control characters stay; JSON has its own escapes and the receiver decides how to show them.
    """
    if isinstance(value, str):
        return _cut(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else _number(value)
    if value is None or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return shown(value)


def compared(score: float, threshold: float) -> str:
    """A score with as few digits, three at least, as show whether it exceeds the threshold.

    >>> compared(4.2, 1), compared(1.00004, 1), compared(0.31, 1), compared(123456.0, 1), compared(1e30, 1)
    ('4.2', '1.00004', '0.31', '123,456', 'over 1,000,000')
    """
    exceeds = score > threshold
    if score >= 1e6:
        return "over 1,000,000"
    if score >= 1000 and round(score) > threshold:
        return f"{score:,.0f}"
    texts = [f"{score:.{digits}g}" for digits in range(3, 18)]
    return next((text for text in texts if (float(text) > threshold) == exceeds), texts[-1])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + ELLIPSIS


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.4g}"


def _items(values: list[Any]) -> str:
    inside = ", ".join(shown(value) for value in values[:SHOWN_ITEMS])
    rest = f", {ELLIPSIS} {len(values)} values" if len(values) > SHOWN_ITEMS else ""
    return printable(f"[{inside}{rest}]", LONGEST_TEXT)
