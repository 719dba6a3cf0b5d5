"""How a NATS server is reached: where it is, whom to trust, and what proves who we are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from monitor.core.extras import require
from monitor.core.opening import reading
from monitor.core.secrets import read_secret
from monitor.core.tls import TlsOptions, tls_context

if TYPE_CHECKING:
    import ssl

    from nats.aio.client import Client

PING_SECONDS = 10
"""A server that is silent for two of these is given up."""

CLOSE_SECONDS = 1.0
FAR = "expected an address such as nats://nats.example.net:4222, or tls:// where it must be encrypted"


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("nats", "tls") or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(FAR)
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address with a password in it ends up in logs; use `username` and `password_file`")
    _ = parts.port  # ValueError: it is not a number
    return text


class NatsOptions(TlsOptions):
    """Where the servers are, and what proves to them who we are. Secrets are read from files, for each connection."""

    servers: list[Annotated[str, AfterValidator(_server)]] = Field(
        default=["nats://127.0.0.1:4222"],
        min_length=1,
        description="Servers of one cluster (`nats://HOST:PORT`, or `tls://` where it must be encrypted); the next one "
        "is tried when one cannot be reached.",
    )
    username: str | None = Field(default=None, description="Who we are, where that is proved by a password.")
    password_file: str | None = Field(default=None, description="A file with this user's password.")
    token_file: str | None = Field(default=None, description="A file with a token, where that proves who we are.")
    credentials_file: str | None = Field(default=None, description="A file of credentials (`.creds`: JWT and key).")
    nkey_file: str | None = Field(default=None, description="A file with the seed of an NKey.")
    timeout_seconds: PositiveFloat = Field(default=5.0, le=60, description="How long the server may take to answer.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password_file` go together")
        proofs = [self.username, self.token_file, self.credentials_file, self.nkey_file]
        if sum(proof is not None for proof in proofs) > 1:
            raise ValueError("a user, a token, credentials and an NKey all prove who we are; choose one")
        return self


class Connector:
    """Makes connections, each to the server after the one that was tried last.

    Raises:
        UnavailableError: the libraries of the extra `nats` are not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """

    def __init__(self, options: NatsOptions, name: str) -> None:
        require("nats", "nats", "nkeys")
        self._options = options
        self._name = name
        self._tls = _tls(options)
        self._tried = -1
        self._proof()

    @property
    def place(self) -> str:
        """The server that was tried last, for a person."""
        return self._options.servers[self._tried % len(self._options.servers)]

    async def connect(self, lost: Callable[[str], None]) -> Client:
        """A connection; ``lost`` is called once it is broken, by whatever. There is no other attempt but this one.

        Raises:
            nats.errors.Error, OSError, TimeoutError: it cannot be reached, or does not know us.
            AemonitorError: see the class.
        """
        from nats.aio.client import Client

        client, reached, seen = Client(), False, list[str]()
        self._tried += 1

        async def failed(error: Exception) -> None:
            if not reached:
                raise error  # else the library would try the same server again, for minutes
            seen.append(reason(error))

        async def closed() -> None:
            lost(seen[-1] if seen else "the connection was closed")

        seconds = self._options.timeout_seconds
        attempt = client.connect(
            self.place, name=self._name, allow_reconnect=False, connect_timeout=max(1, int(seconds)), error_cb=failed,
            ping_interval=PING_SECONDS, max_outstanding_pings=2, closed_cb=closed, tls=self._tls, **self._proof(),
        )  # fmt: skip
        try:
            await asyncio.wait_for(attempt, seconds)
        except BaseException:
            await hang_up(client)
            raise
        reached = True
        return client

    def _proof(self) -> dict[str, Any]:
        """What proves who we are, as the files stand now."""
        options = self._options
        if options.username is not None and options.password_file is not None:
            return {"user": options.username, "password": read_secret(options.password_file, "password_file")}
        if options.token_file is not None:
            return {"token": read_secret(options.token_file, "token_file")}
        if options.nkey_file is not None:
            return {"nkeys_seed_str": read_secret(options.nkey_file, "nkey_file")}
        if options.credentials_file is not None:
            with reading(options.credentials_file, "file (credentials_file)"), open(options.credentials_file, "rb"):  # noqa: PTH123 - only whether it can be opened
                return {"user_credentials": options.credentials_file}
        return {}


async def hang_up(client: Client) -> None:
    """Close a connection, whatever state it is in; that of a handshake that failed would be waited for for ever."""
    with suppress(Exception):
        await asyncio.wait_for(client.close(), CLOSE_SECONDS)


def reason(error: BaseException) -> str:
    """What went wrong, for a person; no library of ours puts a secret there.

    >>> reason(ConnectionRefusedError(111, "Connection refused")), reason(TimeoutError())
    ('Connection refused', 'no answer in time')
    """
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or getattr(error, "description", None) or str(error)
    return str(text).removeprefix("nats: ").strip("'") or type(error).__name__


def _tls(options: NatsOptions) -> ssl.SSLContext | None:
    """None where nothing asks for it: then a server that demands it is met with what the system trusts."""
    if options.ca_file is None and not any(server.startswith("tls:") for server in options.servers):
        return None
    return tls_context(options)
