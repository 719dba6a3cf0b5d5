"""Images as text, one a line: CSV, ``label=pixels``, or JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.arrays import I64, U8
from monitor.core.errors import UsageError
from monitor.datasets.blocks import LABEL, ImageBlock

Form = Literal["csv", "lines", "jsonl"]

DIGITS = pa.array([str(value) for value in range(256)])
"""Every pixel's text: looking it up is several times faster than making it."""


def image_text(blocks: Iterator[ImageBlock], form: Form) -> Iterator[str]:
    r"""The text of some images, block by block; in CSV the header comes first.

    * ``csv``: ``label,pixel1,pixel2,...``; without labels there is no such column.
    * ``lines``: the label, an equals sign, the pixels between blanks.
    * ``jsonl``: ``{"label":5,"pixels":[0,0,...]}``, with all that is known of an image.

    >>> block = ImageBlock(np.array([[0, 255]], np.uint8), {"label": np.array([5])})
    >>> [*image_text(iter([block]), "csv"), *image_text(iter([block]), "lines"), *image_text(iter([block]), "jsonl")]
    ['label,pixel1,pixel2\n', '5,0,255\n', '5=0 255\n', '{"label":5,"pixels":[0,255]}\n']

    Raises:
        UsageError: ``lines`` of images without labels.
    """
    return {"csv": _csv, "lines": _lines, "jsonl": _jsonl}[form](blocks)


def _csv(blocks: Iterator[ImageBlock]) -> Iterator[str]:
    header = False
    for block in blocks:
        if not header:
            label = [LABEL] if LABEL in block.labels else []
            yield ",".join([*label, *(f"pixel{number + 1}" for number in range(block.pixels.shape[1]))]) + "\n"
            header = True
        label = [_texts(block.labels[LABEL]), ","] if LABEL in block.labels else []
        yield _joined(*label, _rows(block.pixels, ","))


def _lines(blocks: Iterator[ImageBlock]) -> Iterator[str]:
    for block in blocks:
        if LABEL not in block.labels:
            raise UsageError("`lines` begin with the label, which these images do not have; give --labels, or use csv")
        yield _joined(_texts(block.labels[LABEL]), "=", _rows(block.pixels, " "))


def _jsonl(blocks: Iterator[ImageBlock]) -> Iterator[str]:
    for block in blocks:
        labels = [part for name, values in block.labels.items() for part in (f'"{name}":', _texts(values), ",")]
        yield _joined("{", *labels, '"pixels":[', _rows(block.pixels, ","), "]}")


def _texts(labels: I64) -> Any:
    return pa.array(labels).cast(pa.string())


def _rows(pixels: U8, separator: str) -> Any:
    """The pixels of each image [n, pixels] as one text, [n]."""
    rows, width = pixels.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(width))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, DIGITS.take(pa.array(pixels.reshape(-1)))), separator)


def _joined(*parts: Any) -> str:
    """Texts and columns of texts [n] side by side, a line for each row."""
    lines = pc.binary_join_element_wise(*parts, "\n", "")  # the last argument stands between the parts
    return "".join(lines.to_pylist())
