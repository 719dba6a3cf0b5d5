"""What image files are read into: one block of images after the other, whatever the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.core.arrays import I64, U8

LABEL = "label"
"""The name that every converter gives to the label of an image."""

MOST_PIXELS = 65_536
"""Pixels of one image: what the encoder of vectors takes, and what bounds the memory of a block."""


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """Some images in their order: ``pixels`` [n, height * width], and integers that go with each image, [n], by name.

    The usual name is ``label``; there is none when the file has none.
    """

    pixels: U8
    labels: Mapping[str, I64]

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> ImageBlock:
        """At most the first ``count`` images."""
        return ImageBlock(self.pixels[:count], {name: labels[:count] for name, labels in self.labels.items()})
