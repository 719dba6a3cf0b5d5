"""Listens for syslog over UDP, TCP and TLS; each message is one record, as it stands.

Syslog acknowledges nothing, so what had come and was not committed is lost with the daemon. Who cannot afford that has
a relay (rsyslog, syslog-ng) write a file for `file_tail`. TCP and TLS make the sender wait while the monitor is slow;
over UDP the kernel drops what does not fit, which is counted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from typing import Annotated, Self
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from monitor.core.backoff import Backoff
from monitor.core.errors import DataError
from monitor.core.message_options import MessageOptions
from monitor.core.opening import reading
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages, Origin
from monitor.sources._receiving import AsyncReceiving
from monitor.sources._syslog_frames import Frames
from monitor.sources._udp import Udp

EXAMPLE = """\
listen: ["udp://0.0.0.0:514", "tcp://0.0.0.0:601"]
allow: [192.0.2.0/24]       # who may send
"""

BLOCK_BYTES = 65_536
LOOK_SECONDS = 0.25
"""How often everybody looks whether it is over."""
HANDSHAKE_SECONDS = 10.0


def _place(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("udp", "tcp", "tls") or not parts.hostname or parts.port is None or parts.path:
        raise ValueError("expected a place such as udp://0.0.0.0:514, tcp://[::]:601 or tls://0.0.0.0:6514")
    ipaddress.ip_address(parts.hostname)
    return text


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class Config(MessageOptions):
    """Options of the ``syslog_net`` source."""

    listen: list[Annotated[str, AfterValidator(_place)]] = Field(
        min_length=1,
        description="Where to listen: `udp://`, `tcp://` or `tls://` with an address of this host and a port.",
    )
    allow: list[Annotated[str, AfterValidator(_network)]] = Field(
        default=["127.0.0.0/8", "::1/128"],
        description="Networks that may send; datagrams and connections of others are dropped.",
    )
    cert_file: str | None = Field(
        default=None, description="The certificate (PEM) for `tls://`; may hold its key as well."
    )
    key_file: str | None = Field(default=None, description="The key of this certificate, where it stands by itself.")
    client_ca_file: str | None = Field(
        default=None, description="Certificates (PEM) of those who vouch for senders; then only these may connect."
    )
    message_bytes: PositiveInt = Field(
        default=65_536, le=1 << 24, description="A longer message is cut there, and the rest of it passed over."
    )
    max_connections: PositiveInt = Field(default=1000, description="Further connections are closed at once.")
    idle_seconds: PositiveFloat = Field(
        default=3600.0, description="A connection that is silent for so long is closed."
    )
    receive_buffer_bytes: PositiveInt = Field(
        default=8 << 20,
        description="What the kernel keeps of datagrams that are not read yet, as far as `net.core.rmem_max` lets it.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        encrypted = any(place.startswith("tls:") for place in self.listen)
        if encrypted != (self.cert_file is not None):
            raise ValueError("`tls://` and `cert_file` go together")
        if self.cert_file is None and (self.key_file or self.client_ca_file):
            raise ValueError("`key_file` and `client_ca_file` need `cert_file`")
        return self

    @property
    def places(self) -> Sequence[str]:
        """What is read, for a person."""
        return self.listen


def build(config: Config, context: SourceContext, *, once: bool = False) -> SyslogNet:
    """The source. Nothing is ever there that could be read ``once``: then it is exhausted from the beginning.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return SyslogNet(config, context, once=once)


class SyslogNet(AsyncReceiving[None]):
    """All listeners in one thread with one event loop."""

    def __init__(self, config: Config, context: SourceContext, *, once: bool) -> None:
        super().__init__(config, context, "syslog_net")
        self._config = config
        self._caught_up = once
        self._tls = _server_context(config)
        self._networks = [ipaddress.ip_network(network) for network in config.allow]
        self._origin = Origin(f"syslog_net:{uuid4().hex}", 0, "syslog")
        earlier = [state.origin.file_id for state in context.resume]
        self._earlier = [file_id for file_id in earlier if file_id.startswith("syslog_net:")]
        self._next_number = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._thread.start()

    def forgettable(self) -> list[str]:
        """Ids of earlier runs, of which nothing will ever come again; told once."""
        earlier, self._earlier = self._earlier, []
        return earlier

    # -- the receiving thread ----------------------------------------------------------------------------------

    async def _main(self) -> None:
        if not self._caught_up:
            await asyncio.gather(*(self._listen(place) for place in self._config.listen), self._make_room())

    async def _make_room(self) -> None:
        """Let everybody read again as soon as there is room; what was durable nobody wants to hear of."""
        while not self._closing:
            self._inbox.durable()
            if not self._inbox.full:
                self._room.set()
            await self._rest(LOOK_SECONDS)
        self._room.set()
        for task in self._connections:
            task.cancel()

    async def _listen(self, place: str) -> None:
        backoff = Backoff()
        while not self._closing:
            try:
                await (self._datagrams(place) if place.startswith("udp:") else self._streams(place, backoff))
            except OSError as error:
                self._events.disconnected(place, error.strerror or str(error))
                until = self._context.clock.monotonic() + backoff.seconds()
                while not self._closing and self._context.clock.monotonic() < until:
                    await asyncio.sleep(LOOK_SECONDS)

    async def _datagrams(self, place: str) -> None:
        with Udp(place, self._config.receive_buffer_bytes) as udp:
            self._events.connected(place)
            while not self._closing:
                await self._wait_for_room()
                found = await udp.receive(self._context.max_records, LOOK_SECONDS)
                allowed = [data for data, peer in found if self._may_send(peer)]
                self._put([data.rstrip(b"\r\n\0")[: self._config.message_bytes] for data in allowed])
                if lost := udp.newly_lost():
                    self._events.records_lost(place, lost)

    async def _streams(self, place: str, backoff: Backoff) -> None:
        parts = urlsplit(place)
        tls = {"ssl": self._tls, "ssl_handshake_timeout": HANDSHAKE_SECONDS} if parts.scheme == "tls" else {}
        server = await asyncio.start_server(self._on_connection, parts.hostname, parts.port, **tls)  # type: ignore[arg-type]
        async with server:
            self._events.connected(place)
            backoff.reset()
            while not self._closing:
                await asyncio.sleep(LOOK_SECONDS)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is one
        try:
            crowded = len(self._connections) >= self._config.max_connections
            if not crowded and self._may_send(writer.get_extra_info("peername")[0]):
                self._connections.add(task)
                await self._read(reader)
        except (OSError, ValueError, TimeoutError, asyncio.CancelledError):
            pass  # it ends here, whatever it was; what came whole before is handed out
        finally:
            self._connections.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = Frames(self._config.message_bytes)
        while data := await asyncio.wait_for(reader.read(BLOCK_BYTES), self._config.idle_seconds):
            self._put(list(frames.push(data)))
            await self._wait_for_room()
        self._put([frames.end()])

    async def _wait_for_room(self) -> None:
        if self._inbox.full:
            self._room.clear()
            await self._room.wait()

    def _may_send(self, address: str) -> bool:
        peer = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._networks)

    def _put(self, payloads: Sequence[bytes]) -> None:
        whole = [payload for payload in payloads if payload]
        if whole:
            first, self._next_number = self._next_number, self._next_number + len(whole)
            numbers = range(first, self._next_number)
            self._inbox.put(Messages(self._origin, whole, numbers, self._next_number), None)


def _server_context(config: Config) -> ssl.SSLContext | None:
    if config.cert_file is None:
        return None
    for path in (config.cert_file, config.key_file, config.client_ca_file):
        if path is not None:
            with reading(path), open(path, "rb"):  # noqa: PTH123 - only whether it can be opened
                pass
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=config.client_ca_file)
        context.load_cert_chain(config.cert_file, config.key_file, password="")
        if config.client_ca_file is not None:
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{config.cert_file}: cannot be used for TLS: {reason}") from error
    return context
