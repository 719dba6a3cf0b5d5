"""Syslog over TCP and TLS, whose receivers confirm nothing: as much certainty as the kernel of the other side gives.

A message counts when that kernel has it. What the receiver had not yet read of it when it died nobody can know, so what
was sent last is sent again on the next connection.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from contextlib import suppress

from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError

BATCH_BYTES = 64 * 1024
"""So much is sent, and confirmed by the other kernel, at a time: it is also what is sent again after a break."""
IDLE_SECONDS = 60
"""A connection that is silent for so long is probed, so that firewalls keep it and a host that is gone is noticed."""
LONGEST_PAUSE_SECONDS = 0.05
VERDICT_SECONDS = 1.0
"""Most receivers say something at once after the handshake of TLS; one that does not costs so long a connection."""


class Stream:
    """A connection that is made when it is needed. Owned by one thread; ``close`` may be called twice."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, seconds: float, clock: Clock) -> None:
        self._address = (host, port)
        self._shown = f"{'tcp' if tls is None else 'tls'}://{host}:{port}"
        self._tls = tls
        self._seconds = seconds
        self._clock = clock
        self._connection: socket.socket | None = None
        self._last = b""

    def send(self, messages: Sequence[bytes]) -> int:
        """How many the kernel of the other side has, from the first on.

        Raises:
            UnavailableError: none, as far as is known.
        """
        part, payload = _batch(messages)
        try:
            connection = self._connected()
            connection.sendall(payload)
            self._wait_until_it_arrived(connection)
        except OSError as error:
            self._drop()
            raise UnavailableError(f"{self._shown}: {_reason(error, self._seconds)}") from error
        self._last = payload
        return part

    def close(self) -> None:
        connection = self._connection
        if isinstance(connection, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # says goodbye, and does not wait for the answer
                connection.setblocking(False)
                connection.unwrap()
        self._drop()

    def _connected(self) -> socket.socket:
        """A connection on which nothing is missing that may have been lost with the one before."""
        if self._connection is not None and not self._is_usable(self._connection):
            self._drop()
        if self._connection is None:
            self._connection = self._connect()
            self._connection.sendall(self._last)
        return self._connection

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._seconds)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
            return connection if self._tls is None else self._encrypted(connection, self._tls)
        except BaseException:
            connection.close()
            raise

    def _encrypted(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        encrypted = tls.wrap_socket(connection, server_hostname=self._address[0])
        try:
            # With TLS 1.3 a receiver says only now whether it takes our certificate.
            select.select([encrypted], [], [], min(self._seconds, VERDICT_SECONDS))
            self._is_open(encrypted)
        except BaseException:
            encrypted.close()
            raise
        return encrypted

    def _wait_until_it_arrived(self, connection: socket.socket) -> None:
        deadline, pause = self._clock.monotonic() + self._seconds, 0.001
        # Who ends the connection after it has all of it has it; who breaks it off may not.
        while self._is_open(connection) and _unconfirmed(connection):
            if self._clock.monotonic() > deadline:
                raise TimeoutError
            select.select([], [], [], pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        if _unconfirmed(connection):
            raise ConnectionResetError

    def _is_usable(self, connection: socket.socket) -> bool:
        try:
            return self._is_open(connection)
        except OSError:
            return False

    def _is_open(self, connection: socket.socket) -> bool:
        """Whether the other side has not ended it; OSError when it broke it off.

        Receivers say nothing; what one says all the same is not looked at.
        """
        connection.setblocking(False)
        try:
            going_on = connection.recv(BATCH_BYTES) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            going_on = True
        finally:
            connection.settimeout(self._seconds)
        if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
        return going_on

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _batch(messages: Sequence[bytes]) -> tuple[int, bytes]:
    """How many of the messages are sent at once, and these, each behind its length (RFC 6587, 3.4.1).

    >>> _batch([b"<14>1 - -", b"x"])
    (2, b'9 <14>1 - -1 x')
    """
    payload, count = b"", 0
    for message in messages:
        if count and len(payload) + len(message) > BATCH_BYTES:
            break
        payload += b"%d %b" % (len(message), message)
        count += 1
    return count, payload


def _unconfirmed(connection: socket.socket) -> int:
    """How many bytes the other kernel has not confirmed yet (SIOCOUTQ, tcp(7), which has the number of TIOCOUTQ)."""
    (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))
    return int(count)


def _reason(error: OSError, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"took nothing for {seconds:g} seconds"
    if isinstance(error, ssl.SSLError):
        detail = getattr(error, "verify_message", None) or error.reason
        return f"TLS: {detail}; look at ca_file, cert_file and at the name in the receiver's certificate"
    return f"cannot be reached: {error.strerror or 'the connection was broken'}"
