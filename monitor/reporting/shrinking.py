"""Images made smaller by averaging, for sheets and terminals that cannot show every pixel."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import F64


def averaged(image: F64, rows: int, columns: int) -> F64:
    """Blocks of ``rows`` by ``columns`` pixels as one, of [h, w] or [h, w, 3]; blocks at the end may be smaller.

    >>> averaged(np.array([[0.0, 2.0, 5.0]]), 1, 2).tolist()
    [[1.0, 5.0]]
    """
    for axis, block in enumerate((rows, columns)):
        starts = np.arange(0, image.shape[axis], block)
        sizes = np.diff(np.append(starts, image.shape[axis]))
        shape = [-1 if at == axis else 1 for at in range(image.ndim)]
        image = np.add.reduceat(image, starts, axis=axis) / sizes.reshape(shape)
    return image
