"""Files of a bundle: read whole and only if they are what they seem, written so that they survive a power cut."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from monitor.core.errors import BundleError


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """The content of a regular file, never followed through a symbolic link and never blocking on a pipe.

    Raises:
        BundleError: it is missing, unreadable, not a regular file or larger than the limit.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BundleError(f"{path}: {_refusal(error)}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: not a regular file")
        if status.st_size > limit_bytes:
            raise BundleError(f"{path}: {status.st_size:,} bytes, more than the {limit_bytes:,} it may have")
        try:
            return file.read(limit_bytes)
        except OSError as error:
            raise BundleError(f"{path}: {_refusal(error)}") from error


def write_synced(path: Path, data: bytes) -> None:
    """Create a new file and return when its content is on the disk. OSError as it comes; an existing file is one."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _refusal(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a symbolic link; a bundle holds plain files only"
    if error.errno == errno.ENOENT:
        return "missing"
    return error.strerror or str(error)
