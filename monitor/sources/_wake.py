"""Wakes a thread that waits for something to read."""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Wake:
    """A pipe with the ends of both threads; ``set`` may be called from any, all else is the waiting thread's."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """What becomes readable."""
        return self._reader

    def set(self) -> None:
        """Wake whoever waits, now or the next time."""
        with suppress(BlockingIOError):  # it is set as it is
            os.write(self._writer, b"x")

    def clear(self) -> None:
        """Sleep well."""
        with suppress(BlockingIOError):
            os.read(self._reader, 65_536)

    def wait(self, seconds: float) -> None:
        """Until set, or so long."""
        select.select([self._reader], [], [], max(0.0, seconds))
        self.clear()

    def close(self) -> None:
        """Once nobody else has it."""
        os.close(self._reader)
        os.close(self._writer)
