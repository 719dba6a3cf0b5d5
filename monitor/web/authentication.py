"""Who asks: the user of a password, the holder of a client certificate, or anyone where the configuration allows it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from math import ceil

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
)
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from monitor.telemetry import Telemetry
from monitor.web.pace import client_address
from monitor.web.passwords import Passwords, TooManyAttemptsError
from monitor.web.web_file import WebSettings

CHALLENGE = 'Basic realm="aemonitor", charset="UTF-8"'
CERTIFICATE_USER = "certificate_user"
"""Where ``request.state`` has the name in the client's certificate, which the handshake has verified."""


class RefusedError(AuthenticationError):
    """No user: asks for a password, or for patience."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__("a user name and its password are needed")
        self.seconds = seconds


class Users(AuthenticationBackend):
    """Takes users from the settings in force at each request; where there are none, everyone may ask, unnamed."""

    def __init__(self, settings: Callable[[], WebSettings], passwords: Passwords, telemetry: Telemetry) -> None:
        self._settings = settings
        self._passwords = passwords
        self._telemetry = telemetry

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        users = self._settings().users
        name: str | None = getattr(conn.state, CERTIFICATE_USER, None)
        if users:
            name, password = _credentials(conn.headers.get("authorization", ""))
            address = client_address(conn.client.host if conn.client else "")
            try:
                if not await self._passwords.right(users, name, password, address):
                    self._telemetry.web.refused("password")
                    raise RefusedError
            except TooManyAttemptsError as error:
                self._telemetry.web.refused("attempts")
                raise RefusedError(error.seconds) from None
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


def refusal(_: HTTPConnection, error: AuthenticationError) -> Response:
    """401 and what to show, or 429 and how long to wait."""
    if isinstance(error, RefusedError) and error.seconds:
        headers = {"Retry-After": str(ceil(error.seconds))}
        return PlainTextResponse("too many passwords were tried; wait\n", status_code=429, headers=headers)
    return PlainTextResponse(f"{error}\n", status_code=401, headers={"WWW-Authenticate": CHALLENGE})


def _credentials(header: str) -> tuple[str, bytes]:
    """Name and password of an ``Authorization`` header.

    Raises:
        RefusedError: it has none.
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise RefusedError
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        if not colon:
            raise RefusedError
        return name.decode(), password
    except (binascii.Error, ValueError):
        raise RefusedError from None
