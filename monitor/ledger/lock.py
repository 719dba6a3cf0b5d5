"""One daemon a state directory: a lock the operating system drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from monitor.core.errors import TryLaterError


class DirectoryLock:
    """Holds ``<directory>/lock``. The file stays behind when the lock is given up; it names the last holder's pid.

    Raises:
        TryLaterError: another process (or another ledger of this one) holds it.
        OSError: the lock file cannot be opened or written.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise TryLaterError(
                f"{directory} is in use by process {holder}; stop it first, or give this one a state_dir of its own"
            ) from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Give the lock up; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
