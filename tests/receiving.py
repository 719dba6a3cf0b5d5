"""Real receivers of alerts on the loopback that answer as they are told: HTTP, HTTPS, and sockets that misbehave."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


@dataclass(frozen=True)
class Answer:
    """What a receiver says; the last one it was told to say it says for ever."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    """What a receiver got, its header names in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: Any

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class _Server(ThreadingHTTPServer):
    """Remembers its connections, since one that is kept alive would outlive it."""

    daemon_threads = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address


class Receiving:
    """A server that keeps every request and gives the next of its answers."""

    def __init__(self, *answers: Answer, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers) or [Answer()]
        self.requests: list[Request] = []
        self._turn = threading.Condition()
        self._server = _Server(port, self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def wait_for(self, count: int, seconds: float = 30.0) -> Sequence[Request]:
        """The requests, once there are so many."""
        with self._turn:
            assert self._turn.wait_for(lambda: len(self.requests) >= count, seconds), len(self.requests)
            return list(self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self._server.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _take(self, request: Request) -> Answer:
        with self._turn:
            answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
            self.requests.append(request)
            self._turn.notify_all()
            return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiving = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiving._take(Request(self.path, headers, body, self.client_address))
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
                """Tests need no access log."""

        return Handler


@contextmanager
def receiving(*answers: Answer, port: int = 0, tls: ssl.SSLContext | None = None) -> Generator[Receiving, None, None]:
    server = Receiving(*answers, port=port, tls=tls)
    try:
        yield server
    finally:
        server.close()


Misbehaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def misbehaving(behave: Misbehaviour) -> Generator[str, None, None]:
    """The URL of a server that takes one request a connection and then does something with the connection."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(65_536)
                with suppress(OSError):
                    behave(peer, done)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def hang(peer: socket.socket, done: threading.Event) -> None:
    """Never answer."""
    done.wait()


def drip(peer: socket.socket, done: threading.Event) -> None:
    """Send header lines for ever, each well within any time limit of a socket."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while not done.wait(0.05):
        peer.sendall(b"X: y\r\n")


def drip_body(peer: socket.socket, done: threading.Event) -> None:
    """Accept, and then send an answer without end."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not done.wait(0.05):
        peer.sendall(b"1\r\nx\r\n")


def reset(peer: socket.socket, done: threading.Event) -> None:
    """Break off in the middle of the status line."""
    peer.sendall(b"HTTP/1.1 2")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def nonsense(peer: socket.socket, done: threading.Event) -> None:
    """Speak another protocol."""
    peer.sendall(b"220 mail.example.net ESMTP\r\n")
