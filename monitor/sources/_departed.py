"""Remembers epochs whose content has left its place, by truncation or deletion, for as long as a copy may turn up."""

from __future__ import annotations

import os

from monitor.core.records import Chunk
from monitor.sources._epochs import Closed
from monitor.sources._identity import copied_until, is_evident
from monitor.sources._tailed import TailedFile

CLOSED_SECONDS = 60.0
"""How long a copy may take to show up after its original was truncated or deleted."""

MAX_CLOSED = 256
"""Epochs remembered for that; of some thousand bytes each."""


class Departed:
    """The epochs for which a copy is looked for, and the files that went on with one."""

    def __init__(self) -> None:
        self._closed: dict[Closed, float] = {}  # with the time until which it is remembered
        self._copied_in_part: set[Closed] = set()
        self._takers: dict[TailedFile, float] = {}  # there may be more copies of what they went on with
        self._endings: list[Chunk] = []

    def close(self, closed: Closed, now: float) -> None:
        """A copy of this may turn up, or be there already."""
        if _is_known(closed):
            self._closed[closed] = now + CLOSED_SECONDS
        else:
            self._drop(closed)

    def _drop(self, closed: Closed) -> None:
        if not closed.ended:
            self._endings.append(closed.dropped())

    def told(self) -> list[Chunk]:
        """The chunks that say of which epochs nothing will follow, each once."""
        endings, self._endings = self._endings, []
        return endings

    def forget(self, now: float, *, waiting: bool) -> None:
        """Forget the epochs for which no copy has come in time; but not while one may be there.

        ``waiting``: there are files that could not be looked into yet.
        """
        kept = [(closed, until) for closed, until in self._closed.items() if waiting or until > now]
        before, self._closed = self._closed, dict(kept[-MAX_CLOSED:])
        self._copied_in_part &= self._closed.keys()
        for closed in [closed for closed in before if closed not in self._closed]:
            self._drop(closed)
        self._takers = {file: until for file, until in self._takers.items() if waiting or until > now}

    def wanted(self) -> list[Closed]:
        """The epochs for which no copy has come yet."""
        return list(self._closed)

    def found(self, closed: Closed, *, whole: bool = True) -> None:
        """Its copy has come; beside one that is not ``whole``, since it was made earlier, there may be another."""
        if whole:
            del self._closed[closed]
        else:
            self._copied_in_part.add(closed)

    def copied(self, closed: Closed) -> bool:
        """Whether a copy of what was to be known again has come."""
        return _is_known(closed) and (closed not in self._closed or closed in self._copied_in_part)

    def taken(self, file: TailedFile, now: float) -> None:
        """This goes on with one of them; whatever else is a copy of that has nothing that is unread."""
        self._takers[file] = now + CLOSED_SECONDS

    def takers(self) -> list[TailedFile]:
        """The files that went on with one."""
        return list(self._takers)

    def missed_at(self) -> list[str]:
        """The paths that these were read under, each once."""
        return list(dict.fromkeys(closed.evidence.origin.path for closed in self._closed))

    def fits(self, fd: int, home: str) -> bool:
        """Whether an open file holds what one of them had."""
        mtime_ns = os.fstat(fd).st_mtime_ns
        return any(
            closed.may_be(mtime_ns) and copied_until(fd, closed.evidence, home) is not None for closed in self._closed
        )


def _is_known(closed: Closed) -> bool:
    """Whether there is anything by which a copy would be known."""
    return is_evident(closed.evidence) or (closed.evidence.head_bytes > 0 and not closed.evidence.offset)
