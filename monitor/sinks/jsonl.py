"""Appends alerts to a file, one JSON object a line; follows log rotation; `-` is standard output."""

from __future__ import annotations

import errno
import fcntl
import os
import select
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG

import msgspec
from pydantic import Field

from monitor.core.durable import sync_directory
from monitor.core.errors import AemonitorError, CannotCreateError, PermissionDeniedError, UnavailableError
from monitor.core.protocols import Sink
from monitor.core.strict import StrictModel
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format

EXAMPLE = """\
path: alerts.jsonl   # an absolute path, so that it does not depend on where the program was started
"""

FILE_MODE = 0o640
STANDARD_OUTPUT = 1
BLOCK_BYTES = 64 * 1024
REPLAY_BYTES = 1 << 20
"""How far from the end a file is searched for alerts about to be sent again: more than a sender hands over at once."""
LONGEST_TORN_BYTES = 16 << 20
"""A partial last line longer than this is not ours; it is left alone and only ended."""


class Config(StrictModel):
    """Options of the ``jsonl`` sink."""

    path: str = Field(min_length=1, description="The file; it is created when missing. `-` is standard output.")
    sync: bool = Field(
        default=True,
        description="Flush to the disk before an alert counts as delivered; without it a power cut may cost alerts.",
    )
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; an unusable path is refused here, before the first alert.

    Raises:
        CannotCreateError: the directory does not exist, or the path is not a regular file.
        PermissionDeniedError: the file may not be written.
    """
    return StandardOutput(config) if config.path == "-" else JsonLinesFile(config)


class JsonLinesFile:
    """A file of alerts. Delivery is at least once, and exactly once over a crash of this program.

    The sender repeats what it does not know to be delivered, so after a crash the last lines of the file may come
    again: they are recognised when the file is opened and skipped. A line that a crash tore was not acknowledged
    either, so it is cut off and written anew. What remains: an alert comes twice when the file was rotated between
    a crash and the restart; its ``id`` tells.

    This program is the file's only writer (a lock sees to it): that is what makes cutting safe.
    """

    def __init__(self, config: Config) -> None:
        self._path = Path(config.path)
        self._sync = config.sync
        self._write = FORMATS[config.format].write
        self._fd: int | None = None
        self._written: list[bytes] = []  # lines at the file's end that the sender may send again, oldest first
        self._opened_now = False  # nothing has been sent since the file was opened
        os.close(_open(self._path))

    def send(self, alerts: Sequence[bytes]) -> int:
        if not alerts:
            return 0
        try:
            fd = self._current()
            lines = self._not_yet_written([self._write(alert) for alert in alerts])
            _append(fd, lines, sync=self._sync)
            if os.fstat(fd).st_nlink == 0:
                # Deleted while we wrote, as a rotation that compresses does; whether it saw the lines is unknown.
                self.close()
                _append(self._current(), lines, sync=self._sync)
        except OSError as error:
            self.close()  # opened again, the file shows what of this got in
            raise UnavailableError(f"{self._path}: cannot write: {error.strerror}") from error
        except (CannotCreateError, PermissionDeniedError) as error:
            raise UnavailableError(str(error)) from error  # it was usable before, so it may be again
        return len(alerts)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)  # this also gives up the lock
            self._fd = None

    def _current(self) -> int:
        """The descriptor of the file that stands at the path now; after a rotation that is another one."""
        if self._fd is not None and not _stands_at(self._path, self._fd):
            self.close()
        if self._fd is None:
            self._fd = _locked(self._path, _open(self._path))
            self._written = _repaired_tail(self._fd)
            self._opened_now = True
            if self._sync:
                sync_directory(self._path.parent)
        return self._fd

    def _not_yet_written(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Leave out the leading lines that the file already ends with."""
        if self._opened_now:
            self._written = _repeated(self._written, lines)
            self._opened_now = False
        same = 0
        while same < min(len(self._written), len(lines)) and self._written[same] == lines[same]:
            same += 1
        # The rest is waited for in the next call: after a restart the sender may cut its batches elsewhere.
        self._written = self._written[same:] if same == len(lines) else []
        return lines[same:]


class StandardOutput:
    """Alerts on standard output, written as a whole before ``send`` returns."""

    def __init__(self, config: Config) -> None:
        self._write = FORMATS[config.format].write

    def send(self, alerts: Sequence[bytes]) -> int:
        payload = memoryview(b"".join(self._write(alert) + b"\n" for alert in alerts))
        try:
            while payload:
                payload = payload[_write_some(payload) :]
        except OSError as error:
            raise UnavailableError(f"standard output: cannot write: {error.strerror}") from error
        return len(alerts)

    def close(self) -> None:
        """Standard output is not ours to close."""


def _write_some(payload: memoryview) -> int:
    try:
        return os.write(STANDARD_OUTPUT, payload)
    except BlockingIOError:  # whoever shares the other end may have made it non-blocking
        select.select([], [STANDARD_OUTPUT], [])
        return 0


def _open(path: Path) -> int:
    """Open for appending, creating it if missing. Non-blocking, so that a pipe without a reader does not stop us."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, FILE_MODE)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _refusal(path, error) from error
    if not S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise CannotCreateError(f"{path}: is not a regular file; alerts go to a file, or to standard output with `-`")
    return fd


def _refusal(path: Path, error: OSError | ValueError) -> AemonitorError:
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    if number == errno.ENOENT and not path.parent.is_dir():
        return CannotCreateError(f"{path}: the directory {path.parent} does not exist; create it or change `path`")
    if number in (errno.EACCES, errno.EPERM):
        return PermissionDeniedError(f"{path}: may not be written; change its owner or mode, or change `path`")
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EROFS):
        return UnavailableError(f"{path}: cannot open: {error}")
    return CannotCreateError(f"{path}: cannot open: {error}")


def _locked(path: Path, fd: int) -> int:
    """The descriptor with the file's lock on it; closed when another one has the lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno != errno.EWOULDBLOCK:
            raise
        raise UnavailableError(f"{path}: another process writes alerts to it; give each its own file") from error
    return fd


def _stands_at(path: Path, fd: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))


def _append(fd: int, lines: Sequence[bytes], *, sync: bool) -> None:
    """Write all lines durably or, when that fails, none, so that a retry repeats nothing.

    Without a line it still syncs: what a killed predecessor wrote may not be on the disk yet.
    """
    payload = b"".join(line + b"\n" for line in lines)
    written = 0
    try:
        while written < len(payload):
            written += os.write(fd, payload[written:])
        if sync:
            os.fdatasync(fd)
    except OSError:
        # From the end as it is now: the file may have been truncated by a rotation meanwhile.
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - written))
        raise


def _repaired_tail(fd: int) -> list[bytes]:
    """End the file with a whole line, and return its last lines, oldest first.

    A partial last line is what a crash or a power cut left of an alert that was never acknowledged. Cut off, it is
    written again by the sender; left there, the next alert would be glued to it and both would be unreadable. But a
    whole JSON object that lacks only its newline is kept, and what does not look like ours is never destroyed.
    """
    size = os.fstat(fd).st_size
    start = _line_start(fd, size)
    torn = os.pread(fd, size - start, start) if size - start <= LONGEST_TORN_BYTES else b"?"
    content = torn.rstrip(b"\0")  # a power cut may leave zeros where data was to be
    if torn and (not content or (content.startswith(b"{") and not _is_json(torn))):
        os.ftruncate(fd, start)
        size = start
    elif torn:
        os.write(fd, b"\n")
        size += 1
    first = max(0, size - REPLAY_BYTES)
    # Where the window begins inside a line, that end of a line is not a JSON object, so it equals no alert.
    return os.pread(fd, size - first, first).split(b"\n")[:-1]


def _line_start(fd: int, end: int) -> int:
    """Where the line begins that ends at ``end``, searching backwards by blocks."""
    while end > 0:
        begin = max(0, end - BLOCK_BYTES)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _repeated(written: list[bytes], lines: Sequence[bytes]) -> list[bytes]:
    """The end of ``written`` from the first line on, if everything from there agrees with ``lines``.

    Whole lines are compared, not ids: an alert and the later message that it is over have the same id.
    """
    for start, line in enumerate(written):
        if line == lines[0] and all(map(bytes.__eq__, written[start:], lines)):
            return written[start:]
    return []
