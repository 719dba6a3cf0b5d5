"""Draws records that are images on a terminal: two pixels a character, one above the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from monitor.core.arrays import F64, U8
from monitor.reporting.evaluation import Picture
from monitor.reporting.shrinking import averaged

HALF_BLOCK = "▀"
"""Its ink is the upper pixel, the paper behind it the lower one."""

SHADES = " ░▒▓█"
"""Without colours a character is as bright as its two pixels are together."""

GAP = 2
"""Columns between images."""

MOST_WIDTH = 64
"""Columns of one image at most: larger ones fill the window and show no more."""

TITLES = ("input", "reconstruction", "difference")


def draw(picture: Picture, width: int, *, colours: bool) -> Text:
    """Input, reconstruction and absolute difference beside each other, in at most ``width`` columns.

    Images that are wider are averaged down, all by the same factor. A missing pixel (NaN) is black.

    Args:
        picture: grey [h, w] or colour [h, w, 3].
        width: columns of the terminal.
        colours: whether it can show 256 colours or more; otherwise shades of block characters are drawn.
    """
    room = max(1, min(MOST_WIDTH, (width - 2 * GAP) // 3))
    images = [_shrunk(image, -(-image.shape[1] // room)) for image in _three(picture)]
    across = images[0].shape[1]
    lines = [_titles(across)] if across >= len(TITLES[1]) else []
    rows = [_characters(image) if colours else _shades(image) for image in images]
    lines += [Text(" " * GAP).join(parts) for parts in zip(*rows, strict=True)]
    return Text("\n").join(lines)


def _three(picture: Picture) -> list[F64]:
    """The images as brightness 0 to 1, always [h, w, 3]."""
    span = (picture.high - picture.low) or 1.0
    image, guess = np.nan_to_num(picture.image), np.nan_to_num(picture.reconstruction)
    bright = [(image - picture.low) / span, (guess - picture.low) / span, np.abs(image - guess) / span]
    return [np.clip(_coloured(one), 0.0, 1.0) for one in bright]


def _coloured(image: F64) -> F64:
    return image if image.ndim == 3 else np.repeat(image[:, :, np.newaxis], 3, axis=2)


def _shrunk(image: F64, factor: int) -> F64:
    """Blocks of ``factor`` by ``factor`` pixels as one; and a black row below if the number of rows is odd."""
    small = averaged(image, factor, factor)
    return np.pad(small, ((0, len(small) % 2), (0, 0), (0, 0)))


def _titles(across: int) -> Text:
    return Text((" " * GAP).join(title.ljust(across) for title in TITLES).rstrip(), style="dim")


def _characters(image: F64) -> list[Text]:
    pixels: U8 = np.rint(image * 255).astype(np.uint8)  # [h, w, 3]
    return [_line(upper, lower) for upper, lower in zip(pixels[::2], pixels[1::2], strict=True)]


def _line(upper: U8, lower: U8) -> Text:
    line = Text()
    for ink, paper in zip(upper.tolist(), lower.tolist(), strict=True):
        line.append(HALF_BLOCK, Style(color=_colour(ink), bgcolor=_colour(paper)))
    return line


def _colour(rgb: Sequence[int]) -> Color:
    red, green, blue = rgb
    return Color.from_rgb(red, green, blue)


def _shades(image: F64) -> list[Text]:
    grey = image.mean(axis=2)
    levels = np.rint((grey[::2] + grey[1::2]) / 2 * (len(SHADES) - 1)).astype(int)
    return [Text("".join(SHADES[level] for level in row)) for row in levels.tolist()]
