"""Unpacks a compressed file step by step: from its start, to wherever it can be unpacked, by whatever packed it."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from monitor.core.accounting import TAIL_BYTES
from monitor.sources._siblings import packing

STEP_BYTES = 65_536
"""Unpacked at once: what is lost to reading when the bytes behind are damaged is at most this."""

SKIP_BYTES = 8_388_608
"""Most bytes unpacked and thrown away in one turn, about 30 ms of work."""

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What the libraries raise for content that is cut off or wrong; an error of the system has a number besides."""


class Stream(Protocol):
    """A binary stream that unpacks."""

    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class _Stepwise:
    """Gives what can be unpacked before it meets damage: one step of the library at a time."""

    def __init__(self, stream: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile) -> None:
        self.read = stream.read1
        self.close = stream.close


class _Zstandard:
    """The same for zstandard, whose library gives nothing of a step in which it meets damage: it is asked for less."""

    def __init__(self, raw: io.FileIO) -> None:
        import pyarrow as pa

        if not pa.Codec.is_available("zstd"):
            raise OSError(errno.ENOTSUP, "this build of pyarrow cannot unpack zstd; install pyarrow from PyPI")
        self._fd = raw.fileno()
        self._stream: Any = self._opened()
        self._offset = 0
        self._most = STEP_BYTES

    def _opened(self) -> Any:
        import pyarrow as pa

        os.lseek(self._fd, 0, os.SEEK_SET)
        return pa.CompressedInputStream(pa.PythonFile(io.FileIO(self._fd, closefd=False), "r"), "zstd")

    def read(self, size: int) -> bytes:
        while True:
            try:
                piece = bytes(self._stream.read(min(size, self._most)))
            except OSError as error:
                if error.errno is not None or self._most == 1:
                    raise
                self._again()
            else:
                self._offset += len(piece)
                return piece

    def _again(self) -> None:
        """Come back to where we were, to go on in smaller steps."""
        self._most //= 16
        self._stream = self._opened()
        for start in range(0, self._offset, STEP_BYTES):
            self._stream.read(min(STEP_BYTES, self._offset - start))

    def close(self) -> None:
        self._stream.close()


OPENERS: dict[str, Callable[[io.FileIO], Stream]] = {
    ".gz": lambda raw: _Stepwise(gzip.GzipFile(fileobj=raw)),
    ".bz2": lambda raw: _Stepwise(bz2.BZ2File(raw)),
    ".xz": lambda raw: _Stepwise(lzma.LZMAFile(raw)),  # noqa: SIM115 - closed with the file it unpacks
    ".zst": _Zstandard,
}
"""By the ending of the name. Members that stand one behind the other are one content."""


class Unpacked:
    """The content of an open compressed file, from its start to wherever it can be unpacked.

    ``offset`` counts unpacked bytes and ``tail`` are the <= 256 before it. ``ended``: there is no more; ``damage`` says
    why when the packing itself has not come to its end, be it cut off, wrong, or still being written.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self._open = OPENERS[packing(path)]
        self._stream: Stream | None = None
        self.rewind()

    def rewind(self) -> None:
        """Begin again."""
        self.close()
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.offset, self.tail, self.ended, self.damage = 0, b"", False, ""

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than ``size`` only at the end.

        Raises:
            OSError: the system cannot read the file now; read it from its start again.
        """
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and not self.ended:
            piece = self._step(min(wanted, STEP_BYTES))
            pieces.append(piece)
            wanted -= len(piece)
        data = b"".join(pieces)
        self.offset += len(data)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return data

    def _step(self, size: int) -> bytes:
        try:
            if self._stream is None:
                self._stream = self._open(io.FileIO(self.fd, closefd=False))
            piece = self._stream.read(size)
        except DAMAGE as error:
            if getattr(error, "errno", None) is not None:
                self.rewind()
                raise
            piece, self.damage = b"", str(error) or "damaged"
        self.ended = not piece
        return piece

    def skip_to(self, offset: int) -> bool:
        """Go on towards ``offset``, for a while; whether it is reached, or the end."""
        self.read(min(SKIP_BYTES, max(0, offset - self.offset)))
        return self.ended or self.offset >= offset

    def unread_bytes(self) -> int:
        """How much of the compressed file was not taken in."""
        return max(0, os.fstat(self.fd).st_size - os.lseek(self.fd, 0, os.SEEK_CUR))

    def close(self) -> None:
        """Let go of what unpacking needs, but not of the file; may be called twice."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
