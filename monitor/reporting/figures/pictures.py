"""Records that are images, side by side: what came in, what the network made of it, where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitor.core.arrays import F64
from monitor.reporting.evaluation import Picture
from monitor.reporting.figures.style import FAINT, WIDTH, new_figure, styled
from monitor.reporting.shrinking import averaged
from monitor.reporting.wording import short

COLUMNS = 2
"""Records beside each other: six images in a row are as many as a page's width shows well."""

MOST = 60
"""Records on one sheet at most: more make it longer than anybody scrolls."""

SIDE = 160
"""Pixels of an image's longer side at most; larger ones are averaged down to what the sheet's place can show."""

# Places on the sheet in units of an image's side, about 1.1 inches: an image's neighbours and the texts above it.
STEP = 1.05
CELL_WIDTH = 3.4
TEXT = 0.36
CELL_HEIGHT = TEXT + 1.12
HEAD = 0.62
UNITS = COLUMNS * CELL_WIDTH - 0.1
INCHES = WIDTH / UNITS


@styled
def contact_sheet(pictures: Sequence[Picture], title: str) -> Figure:
    """Input, reconstruction and absolute difference of each record, in the order given, read line by line.

    All differences of a sheet have one scale, from 0 (black) to the largest (white), which is stated.
    At most 60 records are drawn; the sheet says so when there are more.
    """
    shown = pictures[:MOST]
    height = HEAD + max(-(-len(shown) // COLUMNS), 1) * CELL_HEIGHT
    figure = new_figure(height * INCHES)
    figure.set_layout_engine(None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, UNITS)
    axes.set_ylim(height, 0)  # from the top, as one reads
    largest = max((_largest(_difference(picture)) for picture in shown), default=0.0)
    axes.text(0.1, 0.1, short(title, 62), weight="bold", size=11, va="top")
    axes.text(0.1, 0.35, _key(len(pictures), largest), size=8.5, color=FAINT, va="top")
    for at, picture in enumerate(shown):
        left, top = 0.1 + at % COLUMNS * CELL_WIDTH, HEAD + at // COLUMNS * CELL_HEIGHT
        _write(axes, picture, at + 1, left, top)
        for place, image in enumerate(_three(picture, largest)):
            _place(axes, image, left + place * STEP, top + TEXT)
    return figure


def _key(count: int, largest: float) -> str:
    if not count:
        return "There are no images among the records."
    drawn = f" The first {MOST} of {count:,} records." if count > MOST else ""
    return f"Of each: input, reconstruction, |difference| (black 0, white {largest:.3g}).{drawn}"


def _write(axes: Axes, picture: Picture, number: int, left: float, top: float) -> None:
    label = f"label {short(picture.label, 14)} · " if picture.label else ""
    squared = "" if picture.squared_error is None else f"squared error {picture.squared_error:.4g} · "
    axes.text(left, top, f"{number}. {label}{squared}score {picture.score:.4g}", size=9, va="top")
    axes.text(left, top + 0.17, short(f"{picture.file}:{picture.line}", 44), size=8, color=FAINT, va="top")


def _three(picture: Picture, largest: float) -> tuple[F64, F64, F64]:
    """The images as shares of white, [h, w] or [h, w, 3]."""
    low, span = picture.low, picture.high - picture.low or 1.0
    return (
        (_finite(picture.image) - low) / span,
        (_finite(picture.reconstruction) - low) / span,
        _difference(picture) / (largest or 1.0),
    )


def _difference(picture: Picture) -> F64:
    return np.abs(_finite(picture.image) - _finite(picture.reconstruction))


def _finite(image: F64) -> F64:
    """Without NaN and infinities, and small enough that differences are finite."""
    return np.clip(np.nan_to_num(np.asarray(image, dtype=np.float64)), -1e300, 1e300)


def _largest(image: F64) -> float:
    return float(image.max(initial=0.0))


def _place(axes: Axes, image: F64, left: float, top: float) -> None:
    """Draw into a square of side 1, in the image's own proportions."""
    rows, columns = (-(-length // SIDE) for length in image.shape[:2])
    small = np.clip(averaged(image, rows, columns), 0.0, 1.0)
    height, width = small.shape[:2]
    side = max(height, width, 1)
    extent = (left, left + width / side, top + height / side, top)
    # Without interpolation an SVG holds the pixels themselves, and the viewer makes them as large as it likes.
    axes.imshow(small, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto", interpolation="none", origin="upper")
    axes.set_xlim(0, UNITS)
    axes.set_ylim(*sorted(axes.get_ylim(), reverse=True))
