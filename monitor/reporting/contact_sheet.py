"""Contact sheets of several groups of pictures as one PNG, one sheet below the other. Needs the extra `analysis`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from monitor.core.arrays import U8
from monitor.reporting.evaluation import Picture
from monitor.reporting.figures.pictures import contact_sheet
from monitor.reporting.figures.style import as_png, in_style


def sheets_png(groups: Mapping[str, Sequence[Picture]]) -> bytes:
    """The PNG of all groups, by title, in their order; at least one."""
    sheets = [contact_sheet(pictures, title) for title, pictures in groups.items()]
    if len(sheets) == 1:
        return as_png(sheets[0])
    out = io.BytesIO()
    image.imsave(
        out, np.concatenate([_pixels(sheet) for sheet in sheets]), format="png", metadata={"Software": "aemonitor"}
    )
    return out.getvalue()


def _pixels(figure: Figure) -> U8:
    """The figure as it is drawn, [h, w, 4]; sheets are all of one width."""
    with in_style():
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())
