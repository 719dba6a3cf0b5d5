"""How many records with a planted fault are found, one line a fault, field by field."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from monitor.reporting.evaluation import Recovered
from monitor.reporting.figures.recall import Line, recall_plot
from monitor.reporting.wording import short


def fault_plot(planted: Sequence[Recovered], rate: float) -> Figure:
    """Recall of each, in groups by field; see ``recall_plot``."""
    lines = [Line(short(row.field, 30), short(row.fault, 30), row.recall, row.recall_at_rate) for row in planted]
    return recall_plot(lines, rate, things="records with a fault", names="field: fault")
