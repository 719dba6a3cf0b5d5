"""Sends each alert to a syslog daemon as RFC 5424 says, over TCP, TLS, UDP or the socket of this host."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NoReturn, Protocol, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.core.clock import Clock, SystemClock
from monitor.core.delivery import RefusedError
from monitor.core.protocols import Sink
from monitor.core.tls import TlsOptions, tls_context
from monitor.sinks._datagrams import Datagrams
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format
from monitor.sinks._syslog_message import LEAST_BYTES, message
from monitor.sinks._syslog_stream import Stream

EXAMPLE = """\
address: tcp://127.0.0.1:601   # or tls://logs.example.net:6514, udp://127.0.0.1:514, unix:///dev/log
"""

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""By their numbers, RFC 5424, table 1."""
Facility = Literal[
    "user", "daemon", "auth", "syslog", "authpriv", "audit", "alert",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip
USUAL_BYTES = {"tcp": 8192, "tls": 8192, "unix": 8192, "udp": 2048}
"""What receivers should take at least, says RFC 5425, 4.3.1, and of UDP RFC 5426, 3.2."""


def _address(text: str) -> str:
    parts = urlsplit(text)
    network = parts.scheme in ("tcp", "tls", "udp") and parts.hostname and parts.port and not parts.path
    local = parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/")
    if not (network or local) or parts.username is not None or re.search(r"[\s\x00-\x1f\x7f?#]", text):
        raise ValueError("expected an address such as tls://logs.example.net:6514 or unix:///dev/log")
    return text


class Config(TlsOptions):
    """Options of the ``syslog`` sink."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="Where the daemon listens: `tcp://`, `tls://` or `udp://` with host and port, `unix://` a path."
    )
    facility: Facility = Field(default="daemon", description="The part of the system that messages are said to be of.")
    message: Literal["summary", "json"] = Field(
        default="summary",
        description="The text behind the structured data: the alert's sentence, or all of it as JSON. JSON that would "
        "be too long goes without the record, then without the fields.",
    )
    format: Format = Field(default="native", description=DESCRIPTION)
    message_bytes: int | None = Field(
        default=None,
        ge=LEAST_BYTES,
        le=65_000,
        description="A longer message is cut; 8192 unless said otherwise, over UDP 2048.",
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long the daemon may take nothing before it is tried again."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if not self.address.startswith("tls:") and (self.ca_file or self.cert_file):
            raise ValueError("`ca_file` and `cert_file` are for tls://; over the other transports nothing is encrypted")
        if self.format != "native" and self.message != "json":
            raise ValueError("`format` says how JSON looks; add `message: json`")
        return self


def build(config: Config) -> Sink:
    """The sink; unusable certificates are refused here, before the first alert.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Syslog(config, SystemClock())


class Transport(Protocol):
    """Sends messages in order and says how many got through, at least one, or raises UnavailableError."""

    def send(self, messages: Sequence[bytes]) -> int: ...
    def close(self) -> None: ...


class Syslog:
    """Messages in the order of the alerts; a repetition has the same ``id`` and ``state``."""

    def __init__(self, config: Config, clock: Clock) -> None:
        scheme = urlsplit(config.address).scheme
        self._facility = FACILITIES.index(config.facility)
        self._write = FORMATS[config.format].write if config.message == "json" else None
        self._limit = config.message_bytes or USUAL_BYTES[scheme]
        self._transport = _transport(config, clock)

    def send(self, alerts: Sequence[bytes]) -> int:
        if not alerts:
            return 0
        return self._transport.send([message(line, self._facility, self._write, self._limit) for line in alerts])

    def close(self) -> None:
        self._transport.close()


def _transport(config: Config, clock: Clock) -> Transport:
    parts = urlsplit(config.address)
    if parts.scheme in ("udp", "unix"):
        cure = "look whether a syslog daemon listens there, and at `address`"
        return Datagrams(lambda: _datagram_socket(config), config.address, cure, refuse)
    tls = tls_context(config) if parts.scheme == "tls" else None
    assert parts.hostname and parts.port  # noqa: PT018, S101 - `_address` saw to it
    return Stream(parts.hostname, parts.port, tls, config.timeout_seconds, clock)


def _datagram_socket(config: Config) -> socket.socket:
    """Connected, so that a port where nobody listens is heard of."""
    parts, family = urlsplit(config.address), socket.AF_UNIX
    where: Any = parts.path
    if parts.scheme == "udp":
        family, _, _, _, where = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)[0]
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(config.timeout_seconds)
    try:
        made.connect(where)
    except BaseException:
        made.close()
        raise
    return made


def refuse(_: socket.socket, said: bytes) -> NoReturn:
    """What the kernel does not take as a datagram will not be shorter the next time.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(f"a message of {len(said)} bytes is too long for a datagram here; lower `message_bytes`")
