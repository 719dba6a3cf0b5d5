"""A UDP socket that says how many datagrams the kernel dropped because nobody had read the ones before."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

SO_RXQ_OVFL = getattr(socket, "SO_RXQ_OVFL", 40)
"""With it, each datagram brings the number of those dropped before it (socket(7))."""
LONGEST = 65_535


class Udp:
    """Used as a context, by one event loop."""

    def __init__(self, place: str, buffer_bytes: int) -> None:
        parts = urlsplit(place)
        where = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(where[0], socket.SOCK_DGRAM)
        self._lost = self._told = 0
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            self._socket.bind(where[4])
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Udp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    async def receive(self, most: int, seconds: float) -> list[tuple[bytes, str]]:
        """Datagrams with the addresses that they come from; none after so long."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._socket, readable.set)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(readable.wait(), seconds)
        finally:
            loop.remove_reader(self._socket)
        return self._read(most)

    def newly_lost(self) -> int:
        """How many were dropped since the last call, as far as datagrams that came later tell."""
        lost, self._told = self._lost - self._told, self._lost
        return lost

    def _read(self, most: int) -> list[tuple[bytes, str]]:
        found: list[tuple[bytes, str]] = []
        with suppress(BlockingIOError):
            while len(found) < most:
                data, told, _, peer = self._socket.recvmsg(LONGEST, socket.CMSG_SPACE(4))
                for level, kind, value in told:
                    if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                        (self._lost,) = struct.unpack("I", value[:4])
                found.append((data, peer[0]))
        return found
