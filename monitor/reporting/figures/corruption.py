"""How many records damaged on purpose are found, one line a kind and strength of damage."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from monitor.reporting.evaluation import Corrupted
from monitor.reporting.figures.recall import Line, recall_plot
from monitor.reporting.wording import short


def corruption_plot(corruptions: Sequence[Corrupted], rate: float) -> Figure:
    """Recall of each, in groups by kind of damage; see ``recall_plot``."""
    several = len({row.target for row in corruptions}) > 1
    lines = [Line(row.kind, _name(row, several=several), row.recall, row.recall_at_rate) for row in corruptions]
    names = "damage: feature, strength" if several else "damage: strength"
    return recall_plot(lines, rate, things="damaged records", names=names)


def _name(row: Corrupted, *, several: bool) -> str:
    return f"{short(row.target, 22)}, {short(row.strength, 22)}" if several else short(row.strength, 40)
