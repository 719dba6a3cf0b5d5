"""A file that is there whole or not at all: written beside its place and put there when everything is in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from monitor.core.durable import sync_directory
from monitor.core.errors import CannotCreateError, PermissionDeniedError


@contextmanager
def created(path: Path, *, replace: bool = True) -> Iterator[IO[bytes]]:
    """Write the file inside the context; it takes its place when the context ends without an error.

    An older file is replaced, and the new one has its rights; without ``replace`` it is kept, also when another process
    makes it in the meantime. A symbolic link stays one. What is no regular file, such as /dev/null or a named pipe, is
    written as it is.

    Raises:
        CannotCreateError: the file cannot be made or written, or is there and not to be replaced.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # Opened by the name given: where /dev/fd/3 leads to may have no other.
            with path.open("wb") as file:
                yield file
            return
        with _put(path, replace=replace) as file:
            yield file
    except FileExistsError:
        raise CannotCreateError(f"{path} exists; give another name with -o, or --force to replace it") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _put(path: Path, *, replace: bool) -> Iterator[IO[bytes]]:
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise IsADirectoryError(None, "is a directory; name a file in it", str(place))
    if not replace and (place.exists() or path.is_symlink()):
        raise FileExistsError
    partial = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            with suppress(FileNotFoundError):  # before anything is in it: who might not read the old one reads nothing
                os.fchmod(file.fileno(), place.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not replace:
            _claim(partial, place)
        partial.replace(place)
        with suppress(PermissionError):  # a directory that may be written but not read cannot be synced
            sync_directory(place.parent)
    finally:
        with suppress(OSError):
            partial.unlink()


def _claim(partial: Path, place: Path) -> None:
    """Take a name that nobody has; FileExistsError when somebody was quicker."""
    try:
        os.link(partial, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: for a moment there is an empty file
        place.open("xb").close()


def check_place(path: Path) -> None:
    """Refuse an output that cannot be made, before the work whose results go there; what can fail later still may.

    Raises:
        CannotCreateError: its directory does not exist, or it is one itself.
        PermissionDeniedError: this user may not write there.
    """
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise CannotCreateError(f"{path}: cannot be written: is a directory; name a file in it")
    if not place.parent.is_dir():
        raise CannotCreateError(f"{path}: cannot be written: there is no directory {place.parent}")
    if place.exists() and not place.is_file():  # a device or a pipe is written as it is
        if not os.access(place, os.W_OK):
            raise PermissionDeniedError(f"{path}: this user may not write it")
    elif not os.access(place.parent, os.W_OK | os.X_OK):
        raise PermissionDeniedError(f"{path}: this user may not write in {place.parent}")


def make_directory(path: Path) -> None:
    """Make sure that a directory is there, with those above it; done before the work whose results go there.

    Raises:
        PermissionDeniedError: this user may not make it.
        CannotCreateError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError:
        raise PermissionDeniedError(f"{path}: this user may not make the directory") from None
    except FileExistsError:
        raise CannotCreateError(f"{path}: is not a directory; give another name") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: the directory cannot be made: {error.strerror or error}") from error


@contextmanager
def directory_for_results(path: Path) -> Iterator[None]:
    """``make_directory``, for the work inside the context: when it fails, directories made for nothing are gone again.

    Raises:
        PermissionDeniedError, CannotCreateError: it cannot be made.
    """
    absent = [place for place in (path, *path.parents) if not place.exists()]
    make_directory(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something is in it: that is somebody's, and so is what is above
            for place in absent:
                place.rmdir()
        raise
