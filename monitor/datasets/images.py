"""Grey images from IDX files (as MNIST is published, packed or not) or from CSV: the first byte says which."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.core.errors import NoInputError, UsageError
from monitor.datasets.blocks import ImageBlock
from monitor.datasets.csv_images import csv_images
from monitor.datasets.idx import idx_images
from monitor.ingest.reading import opened


def read_images(path: str, labels: str | None = None, first: int | None = None) -> Iterator[ImageBlock]:
    """The images of a file, at most the ``first`` ones; ``-`` is standard input. Beyond those nothing is read.

    Args:
        path: IDX images or CSV; which of them, the first byte says.
        labels: the IDX file of their labels. CSV has them in its column ``label``.
        first: how many images, > 0; None: all.

    Raises:
        DataError: a file is damaged, of another kind, or the labels are not those of the images.
        NoInputError, PermissionDeniedError: a file cannot be opened.
        UsageError: labels were given for CSV.
    """
    with opened(path) as stream:
        if not (head := stream.peek(1)[:1]):
            raise NoInputError(f"{path}: is empty")
        if head == b"\0":
            yield from _up_to(first, idx_images(path, stream, labels))
        elif labels is None:
            yield from _up_to(first, csv_images(path, stream))
        else:
            raise UsageError(f"{path} is not an IDX file, so its labels are its column `label`: leave --labels out")


def _up_to(count: int | None, blocks: Iterator[ImageBlock]) -> Iterator[ImageBlock]:
    left = count
    for block in blocks:
        yield block if left is None else block.first(left)
        if left is not None:
            left -= len(block)
            if left <= 0:
                return
