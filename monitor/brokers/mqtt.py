"""How an MQTT broker is reached, and a connection to it that one thread drives: no thread of a library beside it."""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError
from monitor.core.extras import require
from monitor.core.secrets import read_secret
from monitor.core.tls import TlsOptions, tls_context

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

NEWEST = 5
PORTS = {"mqtt": 1883, "mqtts": 8883}
GOODBYE_SECONDS = 2.0
MISC_SECONDS = 1.0
"""How often the library looks whether it has to send a sign of life."""


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in PORTS or not parts.hostname or parts.path or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("expected an address such as mqtt://mqtt.example.net:1883, or mqtts:// where it is encrypted")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address with a password in it ends up in logs; use `username` and `password_file`")
    _ = parts.port  # ValueError: it is not a number
    return text


class MqttOptions(TlsOptions):
    """Where the broker is, and what proves to it who we are. Secrets are read from files, for each connection."""

    server: Annotated[str, AfterValidator(_server)] = Field(
        default="mqtt://127.0.0.1:1883",
        description="The broker: `mqtt://HOST:PORT` (by default 1883), or `mqtts://` where it is encrypted (8883).",
    )
    version: Literal[5, "3.1.1"] = Field(default=5, description="The version of the protocol: `5` or `3.1.1`.")
    username: str | None = Field(default=None, description="Who we are, where the broker wants to know.")
    password_file: str | None = Field(default=None, description="A file with this user's password.")
    keepalive_seconds: PositiveInt = Field(
        default=30, le=65_535, description="A broker that is silent for so long is asked, and after as long given up."
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="How long the broker may take to answer.")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("`password_file` needs `username`")
        if not self.server.startswith("mqtts:") and (self.ca_file or self.cert_file):
            raise ValueError("`ca_file` and `cert_file` are for mqtts://; over mqtt:// nothing is encrypted")
        return self


@dataclass(frozen=True, slots=True)
class Session:
    """What a broker keeps for us, and for how long. ``begin`` is told whether it goes on with an earlier one."""

    seconds: int
    receive_maximum: int
    begin: Callable[[bool], None]
    on_message: Callable[[Client, MQTTMessage], None]


class Connector:
    """Makes connections.

    Raises:
        UnavailableError: the libraries of the extra `mqtt` are not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """

    def __init__(self, options: MqttOptions, clock: Clock) -> None:
        require("mqtt", "paho.mqtt")
        self.options = options
        self._clock = clock
        self._tls = tls_context(options) if options.server.startswith("mqtts:") else None
        self._password()

    def connect(self, client_id: str, session: Session | None = None) -> Connection:
        """A connection, once the broker has taken it; with a ``session`` it goes on with what is kept for us.

        Raises:
            UnavailableError: it cannot be reached, or does not want us.
            AemonitorError: see the class.
        """
        options, parts = self.options, urlsplit(self.options.server)
        client = self._client(client_id, session)
        connection = Connection(client, self._clock, session)
        try:
            client.connect(
                parts.hostname or "",
                parts.port or PORTS[parts.scheme],
                options.keepalive_seconds,
                **_beginning(session) if options.version == NEWEST else {},
            )
        except OSError as error:
            raise UnavailableError(getattr(error, "verify_message", None) or error.strerror or str(error)) from error
        try:
            connection.serve_until(lambda: connection.reached, options.timeout_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def _client(self, client_id: str, session: Session | None) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        newest = self.options.version == NEWEST
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
            clean_session=None if newest else session is None,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self.options.timeout_seconds
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self.options.username is not None:
            client.username_pw_set(self.options.username, self._password())
        return client

    def _password(self) -> str | None:
        path = self.options.password_file
        return read_secret(path, "password_file") if path is not None else None


def _beginning(session: Session | None) -> dict[str, Any]:
    """What is said in the beginning, in version 5."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    if session is not None:
        properties.SessionExpiryInterval = session.seconds
        properties.ReceiveMaximum = session.receive_maximum
    return {"clean_start": session is None, "properties": properties}


class Connection:
    """Owned by one thread. ``reached``: the broker has taken it."""

    def __init__(self, client: Client, clock: Clock, session: Session | None) -> None:
        self.client = client
        self.reached = False
        self._clock = clock
        self._session = session
        self._lost: str | None = None
        self._misc_due = 0.0
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        if session is not None:
            client.on_message = lambda client, _data, message: session.on_message(client, message)

    def serve(self, seconds: float, *wake: Any, reading: bool = True) -> None:
        """Do what there is to do on the wire, waiting for it so long, or until one of ``wake`` can be read.

        Raises:
            UnavailableError: the connection is broken.
        """
        connected = self.client.socket()
        if connected is not None:
            readers = [*wake, connected] if reading else [*wake]
            readable, writable, _ = select.select(
                readers, [connected] if self.client.want_write() else [], [], min(seconds, MISC_SECONDS)
            )
            if connected in readable:
                self._read(connected)
            if writable:
                self.client.loop_write()
            if (now := self._clock.monotonic()) >= self._misc_due:
                self.client.loop_misc()
                self._misc_due = now + MISC_SECONDS
        if self._lost is not None or self.client.socket() is None:
            raise UnavailableError(self._lost or "the connection was closed")

    def serve_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Go on until it is so.

        Raises:
            UnavailableError: the connection is broken, or it takes longer.
        """
        until = self._clock.monotonic() + seconds
        while not condition():
            if (left := until - self._clock.monotonic()) <= 0:
                raise UnavailableError("no answer in time")
            self.serve(left)

    def close(self) -> None:
        """Say goodbye. What is not acknowledged stays with the broker, if it keeps a session."""
        connected = self.client.socket()
        if connected is None:
            return
        with socket.socket(fileno=os.dup(connected.fileno())) as raw:
            self.client.disconnect()
            connected.close()
            self._let_it_read(raw)

    def _let_it_read(self, raw: socket.socket) -> None:
        """Wait until the broker has hung up: with anything unread here the kernel would have it drop our last words."""
        until = self._clock.monotonic() + GOODBYE_SECONDS
        with suppress(OSError):
            while (left := until - self._clock.monotonic()) > 0:
                raw.settimeout(left)
                if not raw.recv(65_536):
                    return

    def _read(self, connected: Any) -> None:
        """One packet a call of the library; what TLS has decrypted already makes the socket readable no more."""
        self.client.loop_read()
        while self.client.socket() is connected and getattr(connected, "pending", lambda: 0)():
            self.client.loop_read()

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._lost = str(code)
            return
        self.reached = True
        if self._session is not None:
            self._session.begin(bool(flags.session_present))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._lost = self._lost or str(code)
