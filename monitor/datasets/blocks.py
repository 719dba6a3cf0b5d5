"""What image files are read into, and how they are opened: one block of images after the other, whatever the file."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from monitor.core.arrays import I64, U8
from monitor.core.errors import DataError, NoInputError, PermissionDeniedError

STDIN = "-"
LABEL = "label"
"""The name that every converter gives to the label of an image."""

MOST_PIXELS = 65_536
"""Pixels of one image: what the encoder of vectors takes, and what bounds the memory of a block."""


Readable: TypeAlias = io.BufferedReader | gzip.GzipFile
"""A binary stream that can be looked into before it is read."""


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


@contextmanager
def opened(path: str) -> Generator[Readable, None, None]:
    """A file for reading, unpacked if it begins as gzip files do. What fails to be read is said in our own words.

    Raises:
        NoInputError, PermissionDeniedError: it cannot be opened.
        DataError: it cannot be read to its end.
    """
    with ExitStack() as closing:
        try:
            plain = _stdin() if path == STDIN else closing.enter_context(Path(path).open("rb"))
            packed = plain.peek(2)[:2] == b"\x1f\x8b"
            yield closing.enter_context(gzip.GzipFile(fileobj=plain)) if packed else plain
        except FileNotFoundError:
            raise NoInputError(f"{path}: there is no such file") from None
        except IsADirectoryError:
            raise NoInputError(f"{path}: is a directory; name a file") from None
        except PermissionError:
            raise PermissionDeniedError(f"{path}: this user may not read it") from None
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read to its end: {error}") from error


def _stdin() -> io.BufferedReader:
    """The process's own; left open."""
    return cast("io.BufferedReader", sys.stdin.buffer)
