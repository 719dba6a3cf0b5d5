"""Opens files within the limit of descriptors, again and again while it fails, and says each failure once a try."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from monitor.core.errors import UnavailableError
from monitor.core.protocols import SourceEvents
from monitor.sources._identity import Locator, locator_of
from monitor.sources._regular import NotRegularError, open_regular
from monitor.sources._retries import Retries
from monitor.sources._siblings import is_compressed
from monitor.sources._tailed import TailedFile

SPARE_DESCRIPTORS = 64
"""Left for everything else the process does: the ledger, HTTP, sinks."""


MOST_OPEN = 1000
"""Files held open at once where the configuration says nothing and the system permits it."""


def affordable(max_open_files: int | None) -> int:
    """How many files may be open at once; without a wish as many as the process's limit permits.

    Raises:
        UnavailableError: the limit does not permit what is wished for.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    permitted = max(1, soft - SPARE_DESCRIPTORS)
    if max_open_files is None:
        return min(MOST_OPEN, permitted)
    if max_open_files > permitted:
        raise UnavailableError(
            f"max_open_files: {max_open_files} takes {max_open_files + SPARE_DESCRIPTORS} descriptors, but the process "
            f"is limited to {soft} (at most {hard} could be set): raise the limit (LimitNOFILE= of the service, "
            f"`ulimit -n`), or set max_open_files to {permitted} or leave it out"
        )
    return max_open_files


class Opened(NamedTuple):
    """A file just opened under a path."""

    fd: int
    path: str
    status: os.stat_result

    @property
    def locator(self) -> Locator:
        """Where the file that was opened really is, whatever the path named before."""
        return locator_of(self.status)


class Opener:
    """Gives out descriptors. When all are in use, idle files give theirs up (see ``room``)."""

    def __init__(self, events: SourceEvents, max_open_files: int | None) -> None:
        self._events = events
        self._limit = affordable(max_open_files)
        self._parkable: list[TailedFile] = []
        self._refused: set[tuple[str, Locator]] = set()
        self.retries = Retries()
        self.opened = 0
        self.short = False
        """Whether a file could not be opened because all descriptors are in use."""

    def begin_scan(self, files: Iterable[TailedFile]) -> None:
        """Count what is open, and see which files could be closed for a while without anything unread in them."""
        active = [file for file in files if file.active]
        self.opened, self.short = len(active), False
        idle = [file for file in active if file.drained and not file.leaving and not file.ended]
        self._parkable = sorted(idle, key=lambda file: -file.quiet_since)

    def plain(self, path: str, status: os.stat_result) -> bool:
        """Whether this is a file of records by its kind and name; if not, that is said once."""
        if stat.S_ISREG(status.st_mode) and not is_compressed(path):
            return True
        if (path, locator_of(status)) not in self._refused:
            self._refused.add((path, locator_of(status)))
            kind = "compressed" if stat.S_ISREG(status.st_mode) else "not a plain file"
            self._events.file_failed(path, NotRegularError(errno.EINVAL, f"{kind}, so it is not read", path))
        return False

    def attempt(self, path: str, now: float, take: Callable[[Opened], bool]) -> bool | None:
        """Open a file and let ``take`` say whether it is kept open; None when it is gone or has to be tried later."""
        opened = self._open(path, now)
        if opened is None:
            return None
        taken = False
        try:
            taken = take(opened)
        except OSError as error:  # it can be opened but not read
            self._failed(path, error, now)
            return None
        finally:
            if not taken:
                os.close(opened.fd)
                self.opened -= 1
        self.retries.succeeded(path)
        return taken

    def _open(self, path: str, now: float) -> Opened | None:
        if not self.retries.may(path, now) or not self.room():
            return None
        try:
            fd, status = open_regular(path)
        except (FileNotFoundError, NotADirectoryError):  # it went between the scan and now
            return None
        except OSError as error:
            self._failed(path, error, now)
            return None
        self.opened += 1
        return Opened(fd, path, status)

    def room(self) -> bool:
        """Whether one more file may be opened; if need be the one that has been quiet longest is closed for a while."""
        if self.opened < self._limit:
            return True
        while self._parkable:
            file = self._parkable.pop()
            with suppress(OSError):  # it cannot even be looked at: not the one to close
                if file.active and not file.leaving and file.at_end():
                    self.close(file)
                    return True
        self.short = True
        return False

    def give_back(self, opened: Opened) -> None:
        """Close what ``attempt`` was told to keep, and nobody reads."""
        os.close(opened.fd)
        self.opened -= 1

    def close(self, file: TailedFile) -> None:
        """Close a file, keeping what it is known by."""
        if file.active:
            file.close()
            self.opened -= 1

    def not_seen(self, path: str, error: OSError, now: float) -> None:
        """A path could not be looked at, as has perhaps been said before."""
        if self.retries.may(path, now):
            self._failed(path, error, now)

    def _failed(self, path: str, error: OSError, now: float) -> None:
        self.retries.failed(path, now)
        self._events.file_failed(path, error)
