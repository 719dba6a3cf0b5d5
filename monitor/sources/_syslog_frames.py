"""Cuts what comes over a connection into syslog messages as RFC 6587 has it: behind a length, or up to a line feed."""

from __future__ import annotations

from collections.abc import Iterator

DIGITS = b"0123456789"
LONGEST_LENGTH = 10
"""Digits of a length that is believed."""


class Frames:
    """Of one connection. Which way a message is framed is seen by its first byte, for each anew.

    A message longer than ``limit`` bytes is cut there and what follows of it is passed over.

    >>> list(Frames(100).push(b"5 <1>a" + b"bc <2>d\\n<3>e"))
    [b'<1>ab', b'c <2>d']
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = b""
        self._passing = 0  # bytes of a counted message that are passed over
        self._to_line_end = False  # the rest of a line is passed over

    def push(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with this.

        Raises:
            ValueError: what looks like a length is none.
        """
        self._data += data
        while (message := self._next()) is not None:
            if message:
                yield message

    def end(self) -> bytes:
        """What is left when the connection has ended: a line without its end, if it is one."""
        rest, self._data = self._data, b""
        counted = rest[:1] in (each.to_bytes() for each in DIGITS[1:])
        return b"" if counted or self._passing or self._to_line_end else rest[: self._limit]

    def _next(self) -> bytes | None:
        """The next message, empty for what is none; None when more is needed."""
        if self._passing:
            passed = min(self._passing, len(self._data))
            self._data, self._passing = self._data[passed:], self._passing - passed
            return b"" if passed and not self._passing else None
        if self._to_line_end:
            return self._line(keep=False)
        if not self._data:
            return None
        return self._counted() if self._data[0] in DIGITS[1:] else self._line(keep=True)

    def _counted(self) -> bytes | None:
        length, space, rest = self._data.partition(b" ")
        if len(length) > LONGEST_LENGTH or not length.isdigit():
            raise ValueError("a message begins with a digit, and no length follows")
        if not space:
            return None
        size = int(length)
        kept = min(size, self._limit)
        if len(rest) < kept:
            return None
        self._data, self._passing = rest[kept:], size - kept
        return rest[:kept]

    def _line(self, *, keep: bool) -> bytes | None:
        line, end, rest = self._data.partition(b"\n")
        if not end and len(line) <= self._limit:
            if not keep:
                self._data = b""
            return None
        self._data, self._to_line_end = rest, not end
        return line[: self._limit].rstrip(b"\r\0") if keep else b""
