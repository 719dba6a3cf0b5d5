"""The places the ledger remembers that no open file has taken up yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from uuid import uuid4

from monitor.core.accounting import FileState, Position, tail_marker
from monitor.core.records import Origin
from monitor.sources._identity import (
    Locator,
    copied_until,
    difference,
    is_evident,
    is_unread,
    known_locator,
    locator_of,
)


class Memory:
    """States by file id. A state is taken once; what is left belongs to files that are gone or not readable now."""

    def __init__(self, states: Iterable[FileState]) -> None:
        self._states = {state.origin.file_id: state for state in states}
        self._places: dict[Locator, list[str]] = {}
        for file_id, state in self._states.items():
            self._places.setdefault(known_locator(state), []).insert(0, file_id)

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, state: FileState) -> bool:
        return state.origin.file_id in self._states

    def all(self) -> list[FileState]:
        """What is left, the most recently committed last."""
        return list(self._states.values())

    def homes(self) -> set[str]:
        """The paths that what is left was read under."""
        return {state.origin.path for state in self._states.values()}

    def at(self, locator: Locator) -> list[FileState]:
        """What is left of files that were at this place, most recently committed first."""
        return [self._states[file_id] for file_id in self._places.get(locator, ()) if file_id in self._states]

    def expect(self, locator: Locator, home: str) -> list[Position]:
        """Remember a file of which nothing could be read yet; what has to be committed for that, if anything."""
        if self._places.get(locator) and self.at(locator):
            return []
        origin = Origin(uuid4().hex, 0, home, *locator)
        self._states[origin.file_id] = FileState(origin, 0, tail_marker(b""), tail_bytes=0)
        self._places.setdefault(locator, []).insert(0, origin.file_id)
        return [Position(origin, 0, b"")]

    def expected(self, locator: Locator) -> FileState | None:
        """The file at this place, if it is one that was seen, and nothing of it was read yet."""
        return next((state for state in self.at(locator)[:1] if (state.origin.epoch, state.offset) == (0, 0)), None)

    def waiting(self) -> list[Locator]:
        """Where files are that were seen and could not be read yet, the one that was seen first first."""
        return [known_locator(state) for state in self._states.values() if is_unread(state)]

    def take(self, state: FileState) -> None:
        """The state has found its file."""
        del self._states[state.origin.file_id]

    def recognise(self, fd: int, locator: Locator) -> FileState | None:
        """The state of the open file, by its locator and its content; what was there last comes first."""
        return next((state for state in self.at(locator) if difference(fd, state) is None), None)

    def adoptable(self, fd: int) -> FileState | None:
        """The one state whose content is at the head of this file, though it was elsewhere; None when unclear.

        So a file is known again that was moved to another file system, or copied before the original was truncated.
        """
        fitting = [
            state
            for state in self._states.values()
            if is_evident(state) and difference(fd, state) is None and not _in_place(state)
        ]
        return fitting[0] if len(fitting) == 1 else None

    def repeated(self, fd: int, home: str) -> int | None:
        """The size of a file all of which was read elsewhere, in a file that is gone; None when it is no such copy."""
        for state in self._states.values():
            if is_evident(state) and (until := copied_until(fd, state, home)) is not None and not _in_place(state):
                return until
        return None

    def lost(self, home: str) -> list[FileState]:
        """What is left of files that were read under this path and are no longer where they were."""
        return [state for state in self._states.values() if state.origin.path == home and not _in_place(state)]

    def missing(self) -> list[str]:
        """The ids of files that are not where they were."""
        return [file_id for file_id, state in self._states.items() if not _in_place(state)]


def _in_place(state: FileState) -> bool:
    """Whether the file is still at its path with its content, or cannot be looked at, which is not the same as gone."""
    try:
        fd = os.open(state.origin.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        return locator_of(os.fstat(fd)) == known_locator(state) and difference(fd, state) is None
    except OSError:
        return True
    finally:
        os.close(fd)
