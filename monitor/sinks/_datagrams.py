"""Messages as datagrams, one each: what is wrong with the socket is told, and the next attempt has a new one."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence

from monitor.core.errors import UnavailableError

TooLong = Callable[[socket.socket, bytes], None]

TOO_LONG = (errno.EMSGSIZE, errno.ENOBUFS)


class Datagrams:
    """Owned by one thread; ``close`` may be called twice, and ``send`` after it.

    Args:
        connect: a new socket that is connected and has a time limit, or OSError.
        shown: where it leads, for messages.
        cure: what to look at when nothing is there.
        too_long: what to do with a message that the kernel does not take as a datagram.
    """

    def __init__(self, connect: Callable[[], socket.socket], shown: str, cure: str, too_long: TooLong) -> None:
        self._connect = connect
        self._shown = shown
        self._cure = cure
        self._too_long = too_long
        self._socket: socket.socket | None = None

    def send(self, messages: Sequence[bytes]) -> int:
        """How many the kernel took, from the first on.

        Raises:
            UnavailableError: not even the first one.
        """
        for count, message in enumerate(messages):
            try:
                self._send(message)
            except UnavailableError:
                if count:
                    return count
                raise
        return len(messages)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: bytes) -> None:
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._hand_over(self._socket, message)
        except TimeoutError as error:
            self.close()
            raise UnavailableError(f"{self._shown}: takes nothing at the moment; its queue is full") from error
        except OSError as error:
            self.close()
            raise UnavailableError(f"{self._shown}: cannot be reached: {error.strerror}; {self._cure}") from error

    def _hand_over(self, connected: socket.socket, message: bytes) -> None:
        try:
            connected.send(message)
        except OSError as error:
            if error.errno not in TOO_LONG:
                raise
            self._too_long(connected, message)
        # On this host, and often in this network, a port where nobody listens is known by now.
        if number := connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
