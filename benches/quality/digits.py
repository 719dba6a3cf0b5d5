"""MNIST as trials: one digit is benign, or all of them are and noise is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from monitor.core.arrays import I64, U8, Bools
from monitor.datasets.blocks import LABEL, ImageBlock
from monitor.datasets.corruption import corrupted
from monitor.datasets.images import read_images

from .sets import Trial

DIGITS = (2, 5, 8)
TRAINING = 3_000
OTHERS = 1_000


def one_class(place: Path) -> Iterator[Trial]:
    """3,000 images of a digit to learn; all of its test images and 1,000 of the other digits to judge."""
    images, labels = _joined(_read(place, "train"))
    test_images, test_labels = _joined(_read(place, "t10k"))
    for digit in DIGITS:
        random = np.random.default_rng(digit)
        others = random.choice(np.flatnonzero(test_labels != digit), OTHERS, replace=False)
        judged = np.concatenate([np.flatnonzero(test_labels == digit), others])
        learned = np.flatnonzero(labels == digit)[:TRAINING]
        yield _trial("digits", f"digit {digit}", images[learned], test_images[judged], test_labels[judged] != digit)


def noise(place: Path) -> Trial:
    """All digits to learn; of the 10,000 others, the first 1,000 have every pixel raised by 100 to 200."""
    images, _ = _joined(_read(place, "train"))
    test, truth = _joined(corrupted(_read(place, "t10k"), 1_000, 100, 200, seed=1))
    return _trial("noise", "digits with noise", images, test, truth > 0)


def _trial(group: str, name: str, train: U8, test: U8, truth: Bools) -> Trial:
    """The product gets each image as a list of 784 numbers, as a JSON field would hold it; peers get columns."""
    learned, judged = (
        pa.table({"pixels": pa.FixedSizeListArray.from_arrays(images.ravel(), images.shape[1])})
        for images in (train, test)
    )
    return Trial(group, name, learned, judged, truth, (train / 255.0, test / 255.0), one_unit=True)


def _read(place: Path, part: str) -> Iterator[ImageBlock]:
    images, labels = (place / "mnist" / f"{part}-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1"))
    return read_images(str(images), str(labels))


def _joined(blocks: Iterator[ImageBlock]) -> tuple[U8, I64]:
    """All pixels [n, 784] and labels [n]."""
    parts = list(blocks)
    return np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels[LABEL] for part in parts])
