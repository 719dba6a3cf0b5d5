"""Keeps the set of files being read in step with what the directories show: renamed, replaced, gone, come back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

from monitor.core.accounting import Position
from monitor.core.protocols import Boundary, SourceEvents
from monitor.sources._epochs import Closed
from monitor.sources._identity import Locator, difference, locator_of
from monitor.sources._links import older_part_of
from monitor.sources._opening import Opened, Opener
from monitor.sources._packed import PackedFile
from monitor.sources._scan import Directories, Found
from monitor.sources._tailed import TailedFile

MAX_FINISHED = 4096
"""Files read to their end that are remembered, so that one that comes back under another name is not read twice."""


LATE_SECONDS = 3600.0
"""How long after its end a rotated file is looked at for what a writer that kept it open may still write."""


class Tracker:
    """All files of one source, by locator and by id. ``lost`` is told what left its place while it was not open."""

    def __init__(
        self, opener: Opener, events: SourceEvents, directories: Directories, lost: Callable[[Closed], None],
        boundary: Boundary,
    ) -> None:  # fmt: skip
        self._boundary = boundary
        self._opener = opener
        self._lost = lost
        self._events = events
        self._directories = directories
        self._files: dict[Locator, TailedFile] = {}
        self._by_id: dict[str, TailedFile] = {}
        self._unordered: set[str] = set()
        self._dropped: list[str] = []

    def __iter__(self) -> Iterator[TailedFile]:
        return iter(self._files.values())

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, locator: Locator) -> bool:
        return locator in self._files

    def get(self, locator: Locator) -> TailedFile | None:
        """The file at a place, if it is known."""
        return self._files.get(locator)

    def __getitem__(self, locator: Locator) -> TailedFile:
        return self._files[locator]

    def add(self, file: TailedFile) -> None:
        """Read this file from now on."""
        file.boundary = self._boundary
        self._files[file.locator] = file
        self._by_id[file.file_id] = file
        self._unordered.add(file.home)

    def has(self, file_id: str) -> bool:
        """Whether a file is read under this id."""
        return file_id in self._by_id

    def rename(self, file: TailedFile, old_id: str) -> None:
        """The file goes by another id now."""
        if self._by_id.get(old_id) is file:
            del self._by_id[old_id]
        self._by_id[file.file_id] = file

    def drop(self, file: TailedFile) -> None:
        """Forget a file; nothing of it may be unread."""
        self._opener.close(file)
        del self._files[file.locator]
        self._by_id.pop(file.file_id, None)
        self._dropped.append(file.file_id)

    def dropped(self) -> list[str]:
        """The ids of files that were forgotten since the last call."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def commit(self, position: Position) -> None:
        """So much of a file is durable."""
        if (file := self._by_id.get(position.origin.file_id)) is not None:
            file.commit(position)

    def homes(self) -> set[str]:
        """The paths that files are or were live under."""
        return {file.home for file in self._files.values()}

    # -- names -------------------------------------------------------------------------------------------------

    def relink(self, named: dict[Locator, list[str]], found: Found, now: float, *, thorough: bool) -> None:
        """See which files are still where they were, which have moved on, and which closed ones have grown.

        ``thorough``: look also at those that have come to their end under a name that is not ours.
        """
        for file in list(self._files.values()):
            paths = named.get(file.locator, [])
            if paths:
                file.path, file.named_size = paths[0], found.files[paths[0]].st_size
            if file.home in paths:
                self._still_there(file, found.files[file.home])
            elif not file.leaving and _is_gone(file):
                self._events.rotated(file.home, _kind_of_rotation(file))
                file.leave(now)
                self._unordered.add(file.home)
            if not file.active:
                self._revive(file, paths, found, now)
            if thorough and file.ended and not file.active and not paths and now - file.quiet_since < LATE_SECONDS:
                self._see_late_writes(file, now)

    def _still_there(self, file: TailedFile, status: os.stat_result) -> None:
        if file.leaving:
            file.live_at(file.home)
        if file.active and not file.same_as(status):
            file.drained = False  # quiet files are looked at by the scan alone
            with suppress(OSError):  # reading will meet it, too
                file.glance()

    def _revive(self, file: TailedFile, paths: list[str], found: Found, now: float) -> None:
        """Open a closed file again when there may be more in it, or when it has still to be brought to its end."""
        if isinstance(file, PackedFile):  # read to its end, and nothing is ever appended to one
            return
        if file.leaving and not file.ended:
            path = paths[0] if paths else self._moved_to(file)
            if path is None:
                self._gone(file)
                return
        elif not paths or file.same_as(found.files[paths[0]]):
            return
        else:
            path = paths[0]
        self._opener.attempt(path, now, lambda opened: self.reopen(file, opened, now))

    def _gone(self, file: TailedFile) -> None:
        """It was deleted while it was closed: for lack of descriptors, all read, or for a handle that went stale."""
        self._events.file_failed(file.home, FileNotFoundError(errno.ENOENT, "gone while closed", file.home))
        if file.failing and file.known_size > file.read_offset:
            self._events.bytes_abandoned(file.home, file.known_size - file.read_offset, "error")
        self._lost(file.closed())
        self.drop(file)

    def _see_late_writes(self, file: TailedFile, now: float) -> None:
        """Go on with a finished file that has grown."""
        with suppress(OSError):
            path = None if isinstance(file, PackedFile) else self._moved_to(file)
            if path is not None and not file.same_as(os.stat(path)):  # noqa: PTH116 - paths are text here
                self._opener.attempt(path, now, lambda opened: self.reopen(file, opened, now, moved=True))

    def _moved_to(self, file: TailedFile) -> str | None:
        """Where a file is that its home no longer names: in the same directory, or we shall not find it.

        How large it is there is remembered of it.
        """
        is_older_part = older_part_of(file.home)
        with suppress(OSError):
            for path, entry in self._directories.beside(file.home):
                may_be = entry.inode == file.locator.inode or is_older_part(path)
                if may_be and locator_of(status := os.stat(path)) == file.locator:  # noqa: PTH116 - paths are text here
                    file.named_size = status.st_size
                    return path
        return None

    def whereabouts(self, file: TailedFile) -> str:
        """The path at which a file can be opened, as far as is known: it may have moved on since it was last seen."""
        path = file.path or file.home
        with suppress(OSError):
            if file.active or locator_of(os.stat(path)) == file.locator:  # noqa: PTH116 - paths are text here
                return path
        return self._moved_to(file) or path

    def reopen(self, file: TailedFile, opened: Opened, now: float, *, moved: bool = False) -> bool:
        """Go on with an open file; whether it was taken over. ``moved``: its path is none of ours."""
        if opened.locator != file.locator:  # moved on since the scan; the next one will see
            return False
        if (reason := difference(opened.fd, file.evidence())) is not None:  # another file: it is met as a new one
            self._events.identity_reset(opened.path, reason)
            self._lost(file.closed())
            self.drop(file)
            return False
        if file.ended and opened.status.st_size == file.read_offset:  # touched, not written
            file.seen(opened.status)
            return False
        file.reopen(opened.fd)
        if file.ended:
            file.go_on()
            file.quiet_since = now
            if not (moved or older_part_of(file.home)(opened.path)):
                file.live_at(opened.path)
        return True

    def known(self, opened: Opened, now: float) -> bool | None:
        """Whether an open file was taken over because it is a closed one of ours; None when it is none of ours."""
        file = self._files.get(opened.locator)
        if file is None:
            return None
        if file.active:
            return False
        taken = self.reopen(file, opened, now)
        return taken if opened.locator in self._files else None

    # -- order and end -----------------------------------------------------------------------------------------

    def reorder(self) -> None:
        """Let the older parts of a log be read before the newer ones."""
        logs: dict[str, list[TailedFile]] = {home: [] for home in self._unordered}
        for file in self._files.values():
            if file.active and file.home in logs:
                logs[file.home].append(file)
        for parts in logs.values():
            parts.sort(key=lambda file: (not file.leaving, file.mtime_ns, file.left_at))
            for older, newer in pairwise([None, *parts]):  # the first anew, too: else two might wait for each other
                if newer is not None:
                    newer.older = older
        self._unordered.clear()

    def close(self, file: TailedFile) -> None:
        """The file has been read to its end: close it, and remember it while it can be met again."""
        deleted = os.fstat(file.fd).st_nlink == 0
        self._opener.close(file)
        if deleted:
            self.drop(file)

    def forget_finished(self, named: dict[Locator, list[str]]) -> None:
        """Keep the memory of finished files that no path of ours names within bounds, the newest of them."""
        finished = [
            file for file in self._files.values() if file.ended and not file.active and file.locator not in named
        ]
        for file in finished[: max(0, len(finished) - MAX_FINISHED)]:
            self.drop(file)


def _is_gone(file: TailedFile) -> bool:
    """Whether another file, or none, has the file's path; False when it cannot be looked at."""
    try:
        return locator_of(os.stat(file.home)) != file.locator  # noqa: PTH116 - paths are text here
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _kind_of_rotation(file: TailedFile) -> str:
    if os.path.islink(file.home):  # noqa: PTH114 - paths are text here
        return "symlink"
    if file.active and os.fstat(file.fd).st_nlink == 0:
        return "recreate"
    return "rename"
