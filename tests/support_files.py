"""Helpers for tests of files and state: file actions with their effect checked, alerts and positions made short."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.core.accounting import FileState, Position, tail_marker
from monitor.core.alerts import Alert, ModelRef, Score, SourceRef
from monitor.core.records import Chunk, Origin


@dataclass
class RecordedEvents:
    """Keeps what a source reports."""

    rotations: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    resets: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    failures: list[tuple[str, OSError]] = field(default_factory=list[tuple[str, OSError]])
    abandoned: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    opened: int = 0
    tracked: int = 0
    behind_bytes: int = 0

    def rotated(self, path: str, kind: str) -> None:
        self.rotations.append((path, kind))

    def identity_reset(self, path: str, reason: str) -> None:
        self.resets.append((path, reason))

    def file_failed(self, path: str, error: OSError) -> None:
        self.failures.append((path, error))

    def files(self, opened: int, tracked: int) -> None:
        self.opened, self.tracked = opened, tracked

    def bytes_abandoned(self, path: str, count: int, reason: str) -> None:
        self.abandoned.append((path, count, reason))

    def lag(self, behind_bytes: int) -> None:
        self.behind_bytes = behind_bytes


def write(path: Path, data: bytes | str) -> None:
    """Append, as a logger does."""
    with path.open("ab") as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


def rename(old: Path, new: Path) -> None:
    """Rotate by renaming; a rename that changed nothing is an error, so that no test can pass by it."""
    inode = old.stat().st_ino
    os.rename(old, new)  # noqa: PTH104 - the plain system call, which tests replace
    assert old != new
    assert not old.exists()
    assert new.stat().st_ino == inode


def truncate(path: Path) -> None:
    """Empty a file in place, as ``copytruncate`` does."""
    os.truncate(path, 0)


def replace_content(path: Path, data: bytes) -> None:
    """Truncate and write again, keeping the inode."""
    inode = path.stat().st_ino
    path.write_bytes(data)
    assert path.stat().st_ino == inode


def recreate(path: Path, data: bytes = b"") -> None:
    """Delete a file and make a new one of the name."""
    path.unlink()
    path.write_bytes(data)


@dataclass
class Lines:
    """A tiny framer: whole lines of every file in the order they were completed, and the places behind them."""

    complete: list[bytes] = field(default_factory=list[bytes])
    partial: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    places: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    tails: dict[tuple[str, int], bytes] = field(default_factory=dict[tuple[str, int], bytes])

    def push(self, chunks: Iterable[Chunk]) -> list[Position]:
        """Take chunks, checking that they are contiguous; the positions that are complete now."""
        return [position for chunk in chunks for position in self._push(chunk)]

    def _push(self, chunk: Chunk) -> list[Position]:
        origin, place = chunk.origin, (chunk.origin.file_id, chunk.origin.epoch)
        assert self.places.get(place, chunk.offset) == chunk.offset, "chunks of one origin must be contiguous"
        end = self.places[place] = chunk.offset + len(chunk.data)
        epoch, held = self.partial.get(origin.file_id, (origin.epoch, b""))
        data = (held if epoch == origin.epoch else b"") + chunk.data
        self.tails[place] = (self.tails.get(place, b"") + chunk.data)[-512:]
        *whole, rest = data.split(b"\n")
        if chunk.final and rest:
            whole, rest = [*whole, rest], b""
        self.partial[origin.file_id] = (origin.epoch, rest)
        self.complete += whole
        if not whole and not chunk.final:
            return []
        seen = self.tails[place]
        return [Position(origin, end - len(rest), seen[: len(seen) - len(rest)][-256:])]


def alert(number: int, stream: str = "web", *, alert_id: str | None = None, state: str = "firing") -> Alert:
    """An alert whose id is its number."""
    return Alert(
        id=alert_id or f"{number:032x}", fingerprint="f", state=state, severity="warning", stream=stream, key=None,
        time=None, detected_at="2023-11-14T22:13:20Z", source=SourceRef(path="/var/log/x", offset=number),
        score=Score(l1=2.0, value=2.0, threshold=1.0), fields=(), summary=f"alert {number}", raw="",
        model=ModelRef(version="1", sha256=""), host="h",
    )  # fmt: skip


def position(
    offset: int, *, file_id: str = "f", epoch: int = 0, path: str = "/var/log/x", tail: bytes = b"x"
) -> Position:
    """A place in a file."""
    return Position(Origin(file_id, epoch, path, 1, 2, b"head"), offset, tail)


def state_of(place: Position, committed_at: float = 0.0) -> FileState:
    """What the ledger would give back for a position."""
    tail = place.tail[-256:]
    return FileState(place.origin, place.offset, tail_marker(tail), tail_bytes=len(tail), committed_at=committed_at)


def numbered(first: int, count: int, text: str = "line") -> list[bytes]:
    """Lines without their delimiter, each unlike all others."""
    return [f"{text} {number:06d} {number * 2654435761 % 2**32:08x}".encode() for number in range(first, first + count)]


def joined(lines: Sequence[bytes]) -> bytes:
    """Lines as they stand in a file."""
    return b"".join(line + b"\n" for line in lines)
