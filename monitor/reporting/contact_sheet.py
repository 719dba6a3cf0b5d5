"""Contact sheets of several groups of pictures as one PNG, one sheet below the other. Needs the extra `analysis`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import image

from monitor.reporting.evaluation import Picture
from monitor.reporting.figures.pictures import contact_sheet
from monitor.reporting.figures.style import as_png


def sheets_png(groups: Mapping[str, Sequence[Picture]]) -> bytes:
    """The PNG of all groups, by title, in their order; at least one."""
    pages = [as_png(contact_sheet(pictures, title)) for title, pictures in groups.items()]
    if len(pages) == 1:
        return pages[0]
    drawn = [image.imread(io.BytesIO(page), format="png") for page in pages]  # [h, w, 4] each, of one width
    out = io.BytesIO()
    image.imsave(out, np.concatenate(drawn), format="png", metadata={"Software": "aemonitor"})
    return out.getvalue()
