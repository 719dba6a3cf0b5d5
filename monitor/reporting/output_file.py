"""A file that is there whole or not at all: written beside its place and put there when everything is in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from monitor.core.errors import CannotCreateError


@contextmanager
def created(path: Path) -> Iterator[IO[bytes]]:
    """Write the file inside the context; it replaces an older one when the context ends without an error.

    A symbolic link stays one. What is no regular file, such as /dev/null or a named pipe, is written as it is.

    Raises:
        CannotCreateError: the file cannot be made or written.
    """
    place = Path(os.path.realpath(path))
    try:
        if place.exists() and not (place.is_file() or place.is_dir()):
            with place.open("wb") as file:
                yield file
            return
        with _replaced(place) as file:
            yield file
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _replaced(place: Path) -> Iterator[IO[bytes]]:
    if place.is_dir():
        raise IsADirectoryError(None, "is a directory; name a file in it", str(place))
    partial = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)
    finally:
        with suppress(OSError):
            partial.unlink()
