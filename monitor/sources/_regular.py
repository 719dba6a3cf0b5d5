"""Opens plain files and nothing else: what a glob matches may be a pipe that waits for a writer for ever."""

from __future__ import annotations

import errno
import os
import stat


class NotRegularError(OSError):
    """What a glob matches is not a plain file; it is left alone."""


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Open a plain file for reading, never waiting for the other end of a pipe.

    Raises:
        NotRegularError: it is something else.
        OSError: it cannot be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotRegularError(errno.EINVAL, "not a plain file, so it is not read", path)
    return fd, status
