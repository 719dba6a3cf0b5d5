"""Corrupted images with the truth beside them: the test data of the fourth reference system."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.core.arrays import U8
from monitor.core.errors import DataError
from monitor.datasets.blocks import LABEL, ImageBlock

DIGIT = "digit"
"""What the label of an image is called when ``label`` says whether it was corrupted."""

WHITE = 255


def corrupted(blocks: Iterator[ImageBlock], count: int, low: int, high: int, seed: int) -> Iterator[ImageBlock]:
    """Noise added to every pixel of the first ``count`` images, whose label becomes 1; that of the others becomes 0.

    The noise is a whole number from ``low`` to ``high``, drawn evenly for each pixel; sums stop at 255. The same seed
    gives the same noise in whatever blocks the images come.

    Raises:
        DataError: there are fewer images than are to be corrupted.
    """
    random = np.random.default_rng(seed)
    done = 0
    for block in blocks:
        rows = min(len(block), max(0, count - done))
        done += len(block)
        pixels = block.pixels.copy()
        pixels[:rows] = _noisy(pixels[:rows], low, high, random)
        planted = (np.arange(len(block)) < rows).astype(np.int64)
        digits = {DIGIT: block.labels[LABEL]} if LABEL in block.labels else {}
        yield ImageBlock(pixels, {LABEL: planted, **digits})
    if done < count:
        raise DataError(f"there are only {done:,} images, fewer than the {count:,} to corrupt; give a smaller --count")


def _noisy(pixels: U8, low: int, high: int, random: np.random.Generator) -> U8:
    noise = random.integers(low, high, pixels.shape, endpoint=True)
    noisy: U8 = np.minimum(pixels + noise, WHITE).astype(np.uint8)
    return noisy
