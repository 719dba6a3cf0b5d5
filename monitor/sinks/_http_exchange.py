"""A request and the status of its answer over urllib3, within a time however slowly the other side drips its bytes.

urllib3, since it is the smallest client there is that uses connections again and notices stale ones; it follows no
redirect and repeats nothing unless it is told to.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError
from urllib3.response import BaseHTTPResponse

from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError

MOST_ANSWER_BYTES = 64 * 1024
"""An answer is read to its end, so that the connection can be used again, unless it is longer."""


class Answer(NamedTuple):
    """The status, and what the header ``Retry-After`` says, if it is there."""

    status: int
    retry_after: str | None


class Exchange:
    """Posts to one URL. Owned by one thread; ``close`` may be called twice, and ``post`` after it."""

    def __init__(self, url: str, timeout_seconds: float, tls: ssl.SSLContext | None, proxy: str | None, clock: Clock):
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        options: dict[str, Any] = {} if tls is None else {"ssl_context": tls}
        self._manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever it says.

        Raises:
            UnavailableError: there is none; the message says why and leaves out where.
        """
        try:
            response = self._manager.urlopen(
                "POST",
                self._url,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=self._timeout_seconds,
                preload_content=False,
            )
        except HTTPError as error:
            # What these errors say of themselves has the whole URL in it, so they are not even chained.
            raise UnavailableError(_reason(error, self._timeout_seconds)) from None
        with suppress(HTTPError):  # the status says it all
            self._read_out(response)
        return Answer(response.status, response.headers.get("Retry-After"))

    def close(self) -> None:
        self._manager.clear()

    def _read_out(self, response: BaseHTTPResponse) -> None:
        end, left = self._clock.monotonic() + self._timeout_seconds, MOST_ANSWER_BYTES
        while left > 0 and self._clock.monotonic() < end:
            data = response.read1(left)
            if not data:
                response.release_conn()
                return
            left -= len(data)
        response.close()


class _PlainConnection(HTTPConnection):
    """A socket's own time limit starts anew with each byte; this one is for all that comes before the body."""

    def getresponse(self) -> Any:
        with _in_time(self.sock):
            return super().getresponse()


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls: Any = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls: Any = _TlsConnection


@contextmanager
def _in_time(connected: socket.socket) -> Generator[None, None, None]:
    """Shut the connection down, and raise TimeoutError, when what is inside takes longer than the socket's time limit.

    Whatever reads from the socket then comes to an end; the layer of TLS is left out, since it belongs to the reader.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(connected.gettimeout() or 0, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():  # what was read until then may even look like an answer
            raise TimeoutError


def _reason(error: HTTPError, timeout_seconds: float) -> str:
    if isinstance(error, Urllib3TimeoutError) and not isinstance(error, NewConnectionError):
        return f"did not answer within {timeout_seconds:g} seconds"
    cause = _first_cause(error)
    detail = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or type(cause).__name__
    if isinstance(error, SSLError):
        return f"TLS: {detail}; look at ca_file and at the name in the receiver's certificate"
    if isinstance(error, ProxyError):
        return f"the proxy does not lead there: {detail}"
    return f"cannot be reached: {detail}"


def _first_cause(error: BaseException) -> BaseException:
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error
