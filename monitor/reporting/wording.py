"""Figures and texts as people read them, the same in every table, page and plot; never 0 or 1 for what is near it."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence

from monitor.core.printable import printable
from monitor.reporting.evaluation import Estimate

UNKNOWN = "-"

LEAST = 1e-8
"""What is closer to nothing or to all is shown as less than this: more digits are no figure for people."""

EXACT = 13
"""Digits behind the point that sums of floating-point numbers get right; a share of counts needs fewer."""


def share(value: float) -> str:
    """A share, or a figure of -1 to 1: three digits, more where it is small or close to 1; ``-`` for not defined.

    >>> share(0.5), share(0.0004567), share(0.99987), share(float("nan")), share(1.0), share(0.0)
    ('0.500', '0.00046', '0.99987', '-', '1', '0')
    >>> share(1e-12), share(0.9999999999), share(-0.99987), share(-1e-12)
    ('< 1e-8', '> 0.99999999', '-0.99987', '> -1e-8')
    """
    if math.isnan(value):
        return UNKNOWN
    size = round(abs(value), EXACT)
    if size in (0.0, 1.0):
        return f"{math.copysign(size, value) or 0:g}"
    edge = min(size, abs(1 - size))
    if edge < LEAST:
        small, sign = size < 0.5, "-" * (value < 0)
        return f"{'<' if small != (value < 0) else '>'} {sign}{'1e-8' if small else '0.99999999'}"
    digits = 3 if edge >= 0.01 else 1 - math.floor(math.log10(edge))  # two digits of what is left
    return f"{value:.{digits}f}"


def percent(value: float) -> str:
    """A share in per cent, with three digits or so; ``-`` for not defined.

    >>> percent(0.99996), percent(0.5), percent(1.0), percent(0.000333), percent(float("nan"))
    ('99.996 %', '50 %', '100 %', '0.033 %', '-')
    >>> percent(1e-12), percent(0.9999999999)
    ('< 0.000001 %', '> 99.999999 %')
    """
    if math.isnan(value):
        return UNKNOWN
    value = round(value, EXACT)
    left = min(value, 1 - value)
    if 0 < left < LEAST:
        return "< 0.000001 %" if value < 0.5 else "> 99.999999 %"
    digits = 1 if left <= 0 or left >= 0.01 else 1 - math.floor(math.log10(100 * left))
    return f"{100 * value:.{digits}f}".rstrip("0").rstrip(".") + " %"


def interval(estimate: Estimate) -> str:
    """The interval of a figure.

    >>> interval(Estimate(0.5, 0.4567, 0.5432)), interval(Estimate(0.5, float("nan"), float("nan")))
    ('0.457 to 0.543', '-')
    """
    return UNKNOWN if math.isnan(estimate.low) else f"{share(estimate.low)} to {share(estimate.high)}"


def number(value: float) -> str:
    """A score.

    >>> number(1.25), number(123456.0), number(-0.0123456)
    ('1.25', '123456', '-0.01235')
    """
    return UNKNOWN if math.isnan(value) else f"{value:.6g}" if abs(value) >= 1000 else f"{value:.4g}"


def short(text: str, limit: int) -> str:
    """Text from data: visible, at most ``limit`` characters, cut in the middle.

    The middle, because file names differ at both ends.

    >>> short("/var/log/a/very/long/name.log", 15)
    '/var/lo…ame.log'
    """
    shown = printable(text, 4096)
    if len(shown) <= limit:
        return shown
    head = limit // 2
    return shown[:head] + "…" + shown[len(shown) - (limit - head - 1) :]


def side_by_side(rows: Sequence[Sequence[str]], words: Container[int]) -> Iterator[str]:
    """Cells in columns as wide as their widest one: the columns ``words`` begin at the left, numbers end at the right.

    >>> list(side_by_side([("name", "n"), ("a", "10")], words=[0]))
    ['name   n', 'a     10']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = enumerate(zip(row, widths, strict=True))
        yield "  ".join(cell.ljust(width) if at in words else cell.rjust(width) for at, (cell, width) in cells).rstrip()
