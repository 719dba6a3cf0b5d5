"""Encoded records that are images, as pictures: what each one is and what the network made of it, in original units.

``pictures(space, scorer, values, places)`` turns encoded rows [n, total] into ``Picture`` objects, in the same order;
those without an image are left out, and ``pictures_by_row`` tells which. ``image_feature(space)`` names the feature
that is drawn, None if there is none. An image is a ``vector`` feature with ``shape: [height, width]`` or
``[height, width, 3]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.arrays import F32
from monitor.core.features import Block
from monitor.encoders.vector import FittedVector
from monitor.ingest.features import FeatureSpace
from monitor.reporting.evaluation import Picture
from monitor.scoring.l1 import L1Scorer

COLOURS = 3
"""Channels of a colour image, the last entry of its shape."""


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
    return list(pictures_by_row(space, scorer, values, places).values())


def pictures_by_row(space: FeatureSpace, scorer: L1Scorer, values: F32, places: Sequence[Place]) -> dict[int, Picture]:
    """The same by row number, rising."""
    found = _found(space)
    if found is None or not len(values):
        return {}
    encoder, block = found
    columns, novelty = values[:, block.start : block.stop], values[:, block.novelty_start : block.novelty_stop]
    images = encoder.entries(columns)
    reconstructions = encoder.entries(scorer.reconstruct(values)[:, block.start : block.stop])
    shape, (low, high) = encoder.config.shape or [], _range(encoder)
    absent = encoder.absent(columns, novelty)
    return {
        row: Picture(
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
        if not absent[row]
    }


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
