"""One look for all plots: readable in print, in grey, by colour-blind people; the same bytes for the same facts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, ParamSpec

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

P = ParamSpec("P")

# The colours of Okabe and Ito, which people with any colour vision tell apart (jfly.uni-koeln.de/color). Colour never
# stands alone: each thing has its own marker, line style or hatch as well.
BENIGN = "#0072b2"
ANOMALOUS = "#d55e00"
THIRD = "#009e73"
FOURTH = "#cc79a7"
PALETTE = (BENIGN, ANOMALOUS, THIRD, FOURTH, "#e69f00", "#56b4e9", "#8c6d00")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*", "p")

# The page replaces these four by its own colours, so that they follow light and dark; nothing else may have them.
PAPER = "#fefefe"
INK = "#1f2328"
FAINT = "#656d76"
GRID = "#dfe3e8"

DPI = 150
"""Pixels per inch of PNG files and of points drawn as an image: sharp on paper, 1,000 pixels for a page's width."""

MANY_POINTS = 1500
"""More points than this are an image inside the SVG: each would cost about 100 bytes and time to show."""

WIDTH = 7.2
"""Inches; with 10 pt letters a plot reads well over the full width of a page."""

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "figure.dpi": DPI,
    "figure.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "legend.edgecolor": GRID,
    "legend.facecolor": PAPER,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "savefig.dpi": DPI,
    "svg.fonttype": "none",  # letters stay letters: they can be searched, read aloud, and take a third of the bytes
    "svg.hashsalt": "aemonitor",  # otherwise the ids in an SVG are random
    "text.color": INK,
    "text.parse_math": False,  # a label with a dollar sign is a label
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}


@contextmanager
def in_style() -> Generator[None]:
    """The look, whatever the user's own matplotlib settings are; they are as before afterwards."""
    with warnings.catch_warnings(), style.context(STYLE, after_reset=True):
        # A label in a script that the font lacks is a box in the PNG and right in the SVG; nobody can act on it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in this look."""

    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with in_style():
            return draw(*args, **kwargs)

    drawn.__name__, drawn.__qualname__, drawn.__doc__ = draw.__name__, draw.__qualname__, draw.__doc__
    drawn.__module__ = draw.__module__
    return drawn


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure that finds places for its texts by itself. Inches."""
    return Figure(figsize=(width, height), layout="constrained")


def legend_below(figure: Figure, *plots: Axes, columns: int, marks: float = 1.0) -> None:
    """One legend under the plots, where it cannot cover data; what several plots name alike stands there once."""
    named: dict[str, Artist] = {}
    for axes in plots:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if named:
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns, markerscale=marks)


def share_ticks(*axes: Axis) -> None:
    """Let an axis of 0 to 1 speak of per cent, with as many digits as a tick needs."""
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{100 * value:g} %"))


def number_ticks(axis: Axis) -> None:
    """Numbers that stay narrow, so that neighbours do not touch: 0.001, 100, 20k, 3M, 1e+12."""
    axis.set_major_formatter(FuncFormatter(_narrow))
    axis.set_minor_formatter(NullFormatter())


def _narrow(value: float, _place: int | None) -> str:
    size = abs(value)
    if size < 1e4 or size >= 1e9:
        return f"{value:,.10g}" if size < 1e4 else f"{value:.3g}"
    return f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k"


def count_ticks(axis: Axis) -> None:
    """Whole numbers, such as places in the input."""
    axis.set_major_locator(MaxNLocator(7, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.0f}"))


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG, without date and version: the same figure gives the same bytes."""
    with in_style():
        return _saved(figure, "png", {"Software": None})


def as_svg(figure: Figure) -> str:
    """The figure as an SVG document, without date and version: the same figure gives the same text."""
    with in_style():
        return _saved(figure, "svg", {"Date": None, "Creator": None}).decode()


def _saved(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, metadata=metadata)
    return out.getvalue()
