"""IDX files, the form MNIST is published in: a header with every size, then bytes. All of the header is checked.

The header is big-endian: two zero bytes, a code of the number type, the number of dimensions, and each dimension's
size in four bytes. See http://yann.lecun.com/exdb/mnist, "The IDX file format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from monitor.core.arrays import I64
from monitor.core.errors import DataError
from monitor.datasets.blocks import LABEL, MOST_PIXELS, ImageBlock
from monitor.ingest.reading import Readable, opened

BLOCK_BYTES = 1 << 20
"""About so many pixels are read at a time."""

UNSIGNED_BYTE = 0x08
TYPES = {0x08: "unsigned bytes", 0x09: "signed bytes", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
KINDS = {3: "images", 1: "labels"}


def idx_images(path: str, stream: Readable, labels: str | None) -> Iterator[ImageBlock]:
    """The images that ``stream`` holds from its beginning.

    Args:
        path: what the images are called.
        stream: unsigned bytes in three dimensions.
        labels: the file of their labels: one dimension, as many; None: none are known.

    Raises:
        DataError: a file is cut short, longer than it says, or holds something else; or the counts differ.
    """
    count, height, width = _header(path, stream, dimensions=3)
    pixels = height * width
    if not 0 < pixels <= MOST_PIXELS:
        raise DataError(f"{path}: images of {height:,} x {width:,} pixels; there must be 1 to {MOST_PIXELS:,}")
    if not count:
        raise DataError(f"{path}: holds no image")
    known = None if labels is None else _labels(labels, path, count)
    step = max(1, BLOCK_BYTES // pixels)
    for start in range(0, count, step):
        rows = min(step, count - start)
        data = _exactly(stream, rows * pixels)
        if len(data) < rows * pixels:
            raise DataError(
                f"{path}: cut short: its header promises {count:,} images of {height} x {width}, "
                f"it ends after {start + len(data) // pixels:,}"
            )
        block = np.frombuffer(data, dtype=np.uint8).reshape(rows, pixels)
        yield ImageBlock(block, {} if known is None else {LABEL: known[start : start + rows]})
    _expect_end(path, stream, f"{count:,} images of {height} x {width}")


def _labels(path: str, images: str, count: int) -> I64:
    """The labels of ``count`` images, [count]."""
    with opened(path) as stream:
        (labels,) = _header(path, stream, dimensions=1)
        if labels != count:
            raise DataError(
                f"{path} has {labels:,} labels but {images} has {count:,} images; they do not belong together"
            )
        data = _exactly(stream, count)
        if len(data) < count:
            raise DataError(f"{path}: cut short: its header promises {count:,} labels, it ends after {len(data):,}")
        _expect_end(path, stream, f"{count:,} labels")
    return np.frombuffer(data, dtype=np.uint8).astype(np.int64)


def _header(path: str, stream: Readable, *, dimensions: int) -> tuple[int, ...]:
    """The size of each dimension."""
    magic = _exactly(stream, 4)
    if len(magic) < 4:
        raise DataError(f"{path}: cut short within its header")
    if magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise DataError(f"{path}: is not an IDX file: it begins with {magic.hex(' ')}, not with 00 00 08")
    code, found = magic[2], magic[3]
    if code != UNSIGNED_BYTE:
        raise DataError(f"{path}: holds {TYPES[code]}; {KINDS[dimensions]} are unsigned bytes (code 08)")
    if found != dimensions:
        other = f", as {KINDS[found]} have" if found in KINDS else ""
        raise DataError(
            f"{path}: has {found} dimension{'s' * (found != 1)}{other}; {KINDS[dimensions]} have {dimensions}"
        )
    sizes = _exactly(stream, 4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path}: cut short within its header")
    return struct.unpack(f">{dimensions}I", sizes)


def _exactly(stream: Readable, size: int) -> bytes:
    """``size`` bytes, or all that are left: a pipe may give fewer at a time. Memory grows with what is there only."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(min(size, BLOCK_BYTES))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _expect_end(path: str, stream: Readable, promised: str) -> None:
    if stream.read(1):
        raise DataError(f"{path}: goes on after the {promised} that its header promises; it is damaged")
