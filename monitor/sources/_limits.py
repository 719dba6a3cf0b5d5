"""Bounds what rotated files may hold: descriptors, and disk space that deleted files take while they are open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from monitor.sources._tailed import TailedFile


@dataclass(frozen=True, slots=True)
class RotatedLimits:
    """The most files, bytes of deleted ones, and seconds since its rotation, for which a rotated file is held open."""

    max_files: int
    max_pinned_bytes: int
    max_age_seconds: float

    def exceeded(self, files: Iterable[TailedFile], now: float) -> Iterator[tuple[TailedFile, str]]:
        """The files to give up, rotated longest ago first, each with the limit it breaks."""
        rotated = [file for file in files if file.active and file.leaving and not file.ended]
        rotated.sort(key=lambda file: file.left_at)
        surplus, pinned = len(rotated) - self.max_files, sum(map(pinned_bytes, rotated))
        for place, file in enumerate(rotated):
            held = pinned_bytes(file)
            if place < surplus:
                yield file, "max_rotated_files"
            elif pinned > self.max_pinned_bytes and held:
                yield file, "max_pinned_bytes"
            elif now - file.left_at > self.max_age_seconds:
                yield file, "max_rotated_age"
            else:
                continue
            pinned -= held


def pinned_bytes(file: TailedFile) -> int:
    """How much disk space a file takes only because it is open here."""
    with suppress(OSError):  # a stale handle
        status = os.fstat(file.fd) if file.active else None
        return status.st_size if status is not None and status.st_nlink == 0 else 0
    return 0
