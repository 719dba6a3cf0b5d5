"""Helpers for tests of files and state: file actions with their effect checked, short ways to alerts and memories."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from monitor.core.accounting import Counts, FileState, MemoryChange, Outcome, Position
from monitor.core.alerts import Alert, ModelRef, Score, SourceRef
from monitor.core.clock import ManualClock
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk, Origin
from monitor.ledger import Ledger
from monitor.sources import file_tail


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
    oldest_seconds: float = 0.0
    pinned_bytes: int = 0
    adoptions: list[str] = field(default_factory=list[str])
    ignored: list[str] = field(default_factory=list[str])
    watch_mode: str = ""
    behind_records: int = 0
    connections: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Places, each with why it was lost; empty when it was reached."""
    lost: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    reports: int = 0

    def rotated(self, path: str, kind: str) -> None:
        self.rotations.append((path, kind))

    def identity_reset(self, path: str, reason: str) -> None:
        self.resets.append((path, reason))

    def file_failed(self, path: str, error: OSError) -> None:
        self.failures.append((path, error))

    def files(self, opened: int, tracked: int) -> None:
        self.opened, self.tracked = opened, tracked
        self.reports += 1

    def bytes_abandoned(self, path: str, count: int, reason: str) -> None:
        self.abandoned.append((path, count, reason))

    def lag(self, behind_bytes: int) -> None:
        self.behind_bytes = behind_bytes

    def unread(self, oldest_seconds: float, pinned_bytes: int) -> None:
        self.oldest_seconds, self.pinned_bytes = oldest_seconds, pinned_bytes

    def adopted(self, path: str) -> None:
        self.adoptions.append(path)

    def copy_ignored(self, path: str) -> None:
        self.ignored.append(path)

    def connected(self, place: str) -> None:
        self.connections.append((place, ""))

    def disconnected(self, place: str, reason: str) -> None:
        self.connections.append((place, reason))

    def records_lost(self, place: str, count: int) -> None:
        self.lost.append((place, count))

    def lag_records(self, behind: int) -> None:
        self.behind_records = behind

    def scanned(self, seconds: float, watch_mode: str) -> None:
        self.watch_mode = watch_mode


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


def rotated(log: Path, number: int = 1) -> Path:
    """What a log is called after so many rotations."""
    return log.with_name(f"{log.name}.{number}")


def truncate(path: Path) -> None:
    """Empty a file in place, as ``copytruncate`` does."""
    os.truncate(path, 0)
    assert path.stat().st_size == 0


def copy(old: Path, new: Path) -> None:
    """Make a copy, as ``cp`` and ``copytruncate`` do."""
    shutil.copyfile(old, new)
    assert new.read_bytes() == old.read_bytes()
    assert new.stat().st_ino != old.stat().st_ino


def copytruncate(log: Path, new: Path, between: bytes = b"") -> None:
    """Rotate by copying; ``between`` is written after the copy was made and before the log is emptied."""
    copy(log, new)
    write(log, between)
    truncate(log)


def replace_content(path: Path, data: bytes) -> None:
    """Truncate and write again, keeping the inode."""
    inode, before = path.stat().st_ino, path.read_bytes()
    truncate(path)
    path.write_bytes(data)
    assert path.stat().st_ino == inode
    assert path.read_bytes() != before


def recreate(path: Path, data: bytes = b"") -> None:
    """Delete a file and make a new one of the name."""
    with path.open("rb") as old:
        os.unlink(path)  # noqa: PTH108 - the plain system call, which tests replace
        assert os.fstat(old.fileno()).st_nlink == 0
    path.write_bytes(data)


def compress(path: Path, ending: str = ".gz") -> Path:
    """What ``gzip`` and its like do: pack a file under a new name, keep its time stamp, delete the original."""
    status, packed = path.stat(), path.with_name(path.name + ending)
    packed.write_bytes(pack(path.read_bytes(), ending))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.unlink(path)  # noqa: PTH108 - the plain system call, which tests replace
    assert not path.exists()
    return packed


def pack(data: bytes, ending: str) -> bytes:
    """Bytes as they stand in a compressed file of that ending."""
    return bytes(PACKERS[ending](data))


PACKERS: dict[str, Callable[[bytes], Any]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


class Broken:
    """Replaces a function of ``os``: raises for the paths or descriptors that are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int, only: Callable[[object], bool]) -> None:
        real = getattr(os, name)
        self.calls = 0

        def call(target: object, *arguments: object, **options: object) -> object:
            if only(target):
                self.calls += 1
                raise OSError(number, os.strerror(number), str(target))
            return real(target, *arguments, **options)

        self._real, self._name, self._patch = real, name, monkeypatch
        monkeypatch.setattr(os, name, call)

    def mend(self) -> None:
        self._patch.setattr(os, self._name, self._real)


@dataclass
class Lines:
    """A tiny framer: whole lines of all files in the order they were completed, and the places behind them."""

    complete: list[bytes] = field(default_factory=list[bytes])
    positions: list[Position] = field(default_factory=list[Position])
    _held: dict[tuple[str, int], tuple[int, bytes, bytes]] = field(
        default_factory=dict[tuple[str, int], tuple[int, bytes, bytes]]
    )

    def push(self, chunk: Chunk) -> None:
        """Take the next bytes of an epoch; they must follow those before."""
        origin, place = chunk.origin, (chunk.origin.file_id, chunk.origin.epoch)
        expected, partial, seen = self._held.get(place, (chunk.offset, b"", b""))
        assert chunk.offset == expected, f"{origin.path}: chunk at {chunk.offset}, expected {expected}"
        end, seen = chunk.offset + len(chunk.data), (seen + chunk.data)[-65536:]
        *whole, partial = (partial + chunk.data).split(b"\n")
        if chunk.final and partial:
            whole, partial = [*whole, partial], b""
        self._held[place] = (-1 if chunk.final else end, partial, seen)
        self.complete += whole
        if whole:
            self.positions.append(Position(origin, end - len(partial), seen[: len(seen) - len(partial)][-256:]))


class Follower:
    """Drives a file source by hand as the daemon does: read, frame, commit; restarted, it resumes what was committed.

    ``lines`` are the committed records. A crash loses what was read and not committed.
    """

    def __init__(
        self, *include: Path | str, once: bool = False, clock: ManualClock | None = None, **options: Any
    ) -> None:
        self.config = file_tail.Config(include=[str(path) for path in include], watch="poll", **options)
        self.clock = clock or ManualClock(time.time())
        # The files' stamps are real, unless the test that gave the clock sets them by it.
        self.now = clock.now if clock else time.time
        self.events = RecordedEvents()
        self.lines: list[bytes] = []
        self.states: dict[str, FileState] = {}
        self.once = once
        self.start()

    def start(self) -> None:
        """Open the source with what is committed."""
        context = SourceContext("web", list(self.states.values()), self.clock, self.events, wake=lambda: None)
        self.framed = Lines()
        self.source = file_tail.build(self.config, context, once=self.once)

    def crash(self) -> None:
        """Stop without a commit and start again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop without a commit; from now on the program is down."""
        self.source.close()

    def read(self, *, scan: bool = True) -> None:
        """Read until there is nothing more; by default after the time for a scan has come."""
        if scan:
            self.clock.advance(self.config.scan_seconds)
        while chunks := self.source.read(1 << 20):
            for chunk in chunks:
                self.framed.push(chunk)

    def commit(self) -> None:
        """Make what was read durable."""
        for place in [*self.source.sightings(), *self.framed.positions]:
            before = self.states.get(place.origin.file_id)
            key = (place.origin.epoch, place.offset)
            assert before is None or key >= (before.origin.epoch, before.offset), "progress moved back"
            self.states.pop(place.origin.file_id, None)
            self.states[place.origin.file_id] = FileState.behind(place, self.now(), before)
            self.source.committed(place)
        self.lines += self.framed.complete
        self.framed.positions, self.framed.complete = [], []

    def step(self) -> None:
        """Read and commit."""
        self.read()
        self.commit()

    def settle(self) -> None:
        """Let rotated files come to their end."""
        self.step()
        self.clock.advance(self.config.rotate_grace_seconds)
        self.step()
        self.step()


def followed(log: Path, *parts: Sequence[bytes], include: str = "{}", **options: Any) -> Follower:
    """A follower that has committed these lines of a log, part by part; ``include`` is its pattern around the path."""
    tail = Follower(include.format(log), **options)
    for part in parts:
        write(log, joined(part))
        tail.step()
    return tail


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


def numbered(first: int, count: int, text: str = "line") -> list[bytes]:
    """Lines without their delimiter, each unlike all others."""
    return [f"{text} {number:06d} {number * 2654435761 % 2**32:08x}".encode() for number in range(first, first + count)]


def make_older(path: Path, seconds: float) -> None:
    """Set a file's time stamp back, as if it had been written so long ago."""
    stamp = path.stat().st_mtime_ns - round(seconds * 1e9)
    os.utime(path, ns=(stamp, stamp))


def joined(lines: Sequence[bytes]) -> bytes:
    """Lines as they stand in a file."""
    return b"".join(line + b"\n" for line in lines)


def remember(
    updated: dict[str | None, list[float]], *forgotten: str | None, name: str = "gap", stream: str = "web"
) -> Outcome:
    """A batch that did nothing but remember and forget keys."""
    return Outcome(stream, (), Counts(), memories=[MemoryChange(name, f"{name} of a kind", updated, forgotten)])


def remembered(ledger: Ledger, name: str = "gap", stream: str = "web") -> list[tuple[str | None, list[float]]]:
    """The keys and their numbers, the key seen last standing last."""
    state: Any = ledger.memories(stream)[name].state()
    assert state["version"] == 1
    return list(zip(state["keys"], state["values"], strict=True))
