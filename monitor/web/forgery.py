"""No other site can make a browser say something here in its user's name."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.web.requests import user_of

LOGIN = "saying something of an alert takes a user: see basic_auth_users in the file that server.web_config names"


def demand_speaker(request: Request) -> None:
    """Refuse whoever did not log in, and whatever another site may have sent.

    Raises:
        HTTPException: 403 with the reason.
    """
    if user_of(request) is None:
        raise HTTPException(403, LOGIN)
    if reason := from_elsewhere(request):
        raise HTTPException(403, f"this may come from another site: {reason}")


def from_elsewhere(request: Request) -> str | None:
    """Why a request may come from a page of another site; None where it does not.

    Browsers say so: newer ones in ``Sec-Fetch-Site``, all of them in ``Origin`` with whatever changes something. Who
    says neither is no browser, and nobody can make it send a password.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return None if site == "same-origin" else f"Sec-Fetch-Site is {site}"
    if origin is None or urlsplit(origin).netloc == request.headers.get("host"):
        return None
    return f"Origin is {origin}"


class Tokens:
    """Signs forms: only who was shown the page knows its token. Others hold good after a restart of the program."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, user: str, alert_id: str) -> str:
        """That of the form by which a user speaks of an alert."""
        message = f"{len(user)}:{user}{alert_id}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def holds(self, token: str, user: str, alert_id: str) -> bool:
        """Whether it is."""
        return hmac.compare_digest(token.encode(), self.token(user, alert_id).encode())
