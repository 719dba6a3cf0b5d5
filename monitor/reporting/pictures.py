"""Encoded records that are images, as pictures: what each one is and what the network made of it, in original units.

``pictures(space, scorer, values, places)`` turns encoded rows [n, total] into ``Picture`` objects, in the same order;
those without an image are left out. ``image_feature(space)`` names the feature that is drawn, None if there is none. An
image is a ``vector`` feature with ``shape: [height, width]`` or ``[height, width, 3]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F32, Bools
from monitor.core.features import Block
from monitor.encoders.vector import BROKEN, FittedVector
from monitor.ingest.features import FeatureSpace
from monitor.reporting.evaluation import Picture
from monitor.scoring.l1 import L1Scorer

COLOURS = 3
"""Channels of a colour image, the last entry of its shape."""

OF_ENTRIES = 2
"""The novelty columns of a vector begin with so many that are about its entries; those of its states follow."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an encoded row comes from; ``line`` counts from 1 in its file, ``label`` is the true one or empty.

    ``squared_error`` is given where it, and not the score, decides the rank.
    """

    file: str
    line: int
    score: float
    label: str = ""
    squared_error: float | None = None


def image_feature(space: FeatureSpace) -> str | None:
    """The name of the first feature that is an image."""
    found = _found(space)
    return None if found is None else found[1].feature


def pictures(space: FeatureSpace, scorer: L1Scorer, values: F32, places: Sequence[Place]) -> list[Picture]:
    """The image of each row and its reconstruction; nothing for rows whose image is missing or of another size.

    Args:
        space: the features of the model.
        scorer: the model.
        values: encoded records, [n, total].
        places: where each row comes from, [n].
    """
    found = _found(space)
    if found is None or not len(values):
        return []
    encoder, block = found
    shape = encoder.config.shape or []
    entries = slice(block.start, block.start + len(encoder.scales.centres))
    low, high = _range(encoder)
    images = encoder.scales.decode(values[:, entries])
    reconstructions = encoder.scales.decode(scorer.reconstruct(values)[:, entries])
    drawable = _drawable(encoder, block, values)
    return [
        Picture(
            file=place.file,
            line=place.line,
            score=place.score,
            label=place.label,
            image=images[row].reshape(shape),
            reconstruction=reconstructions[row].reshape(shape),
            low=low,
            high=high,
            squared_error=place.squared_error,
        )
        for row, place in enumerate(places)
        if drawable[row]
    ]


def _found(space: FeatureSpace) -> tuple[FittedVector, Block] | None:
    for feature, block in zip(space.features, space.layout.blocks, strict=True):
        encoder = feature.encoder
        if isinstance(encoder, FittedVector) and _is_image(encoder.config.shape):
            return encoder, block
    return None


def _is_image(shape: Sequence[int] | None) -> bool:
    return shape is not None and (len(shape) == 2 or (len(shape) == 3 and shape[2] == COLOURS))


def _range(encoder: FittedVector) -> tuple[float, float]:
    """The smallest and the largest value of any entry in the benign range."""
    scales = encoder.scales
    low = float((scales.low * scales.halves + scales.centres).min())
    high = float((scales.high * scales.halves + scales.centres).max())
    return low, high if high > low else low + 1.0


def _drawable(encoder: FittedVector, block: Block, values: F32) -> Bools:
    """Rows that hold an image, [n]: neither missing nor of another length. Single entries may be no numbers."""
    flags = encoder.flags
    start = block.start + len(encoder.scales.centres)
    columns = np.concatenate(
        [values[:, start : block.stop], values[:, block.novelty_start + OF_ENTRIES : block.novelty_stop]], axis=1
    )  # [n, states]
    states = (*flags.columns, *flags.novelty)[: columns.shape[1]]  # a model without novelty has no such columns
    absent = [index for index, state in enumerate(states) if state != BROKEN]
    drawable: Bools = np.all(columns[:, absent] <= 0, axis=1)
    return drawable
