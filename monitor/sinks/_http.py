"""One request that ends in time: what became of it is an answer of the vocabulary of ``monitor.core.delivery``.

Nothing of a URL but its host, of a header or of an answer ever stands in a message: each may hold a secret.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import monitor
from monitor.core.clock import Clock
from monitor.core.delivery import GoneError, RefusedError, RetryLaterError
from monitor.core.errors import AemonitorError, UnavailableError
from monitor.core.tls import tls_context
from monitor.sinks._http_options import HttpOptions

if TYPE_CHECKING:
    from monitor.sinks._http_exchange import Exchange

LONGEST_WAIT_SECONDS = 3_600.0
"""A receiver that asks for a longer pause is asked again after this one: it may have meant milliseconds."""

CREDENTIALS = (401, 403, 407)
ADDRESS = (404, 405)
LATER = (408, 425, 429)
"""Answers of the 4xx that say nothing of the alert itself; with all others it is refused for what it is."""


class Receiver:
    """One address that alerts are posted to. Owned by one thread; ``close`` may be called twice, and used again."""

    def __init__(self, url: str, options: HttpOptions, clock: Clock) -> None:
        """Find out what cannot work: unreadable secrets and certificates.

        Raises:
            NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
        """
        self._url = url
        self._options = options
        self._clock = clock
        self.shown = _shown(url)
        """The address as it may be shown to anybody."""
        self._tls = tls_context(options) if urlsplit(url).scheme == "https" else None
        options.secrets()

    @cached_property
    def _exchange(self) -> Exchange:
        """Made for the first alert: whoever only checks a configuration needs no HTTP client."""
        from monitor.sinks._http_exchange import Exchange

        # What this library logs of a request has the whole URL in it.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        return Exchange(self._url, self._options.timeout_seconds, self._tls, self._options.proxy, self._clock)

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when the receiver took it (2xx).

        Raises:
            RetryLaterError, RefusedError, GoneError: it said so.
            UnavailableError: it could not be reached, or would not have this from us, as things stand.
        """
        given = {**self._base_headers(), **headers}
        try:
            status, retry_after = self._exchange.post(body, given)
        except UnavailableError as error:
            raise UnavailableError(f"{self.shown}: {error}") from None
        if not 200 <= status < 300:
            raise refusal(self.shown, status, self._seconds(retry_after))

    def close(self) -> None:
        if "_exchange" in self.__dict__:
            self._exchange.close()

    def _base_headers(self) -> dict[str, str]:
        try:
            secrets = self._options.secrets()
        except AemonitorError as error:
            raise UnavailableError(str(error)) from error  # it could be read before, so it may be again
        return {"User-Agent": f"aemonitor/{monitor.__version__}", **self._options.headers, **secrets}

    def _seconds(self, retry_after: str | None) -> float | None:
        return None if retry_after is None else wait_seconds(retry_after, self._clock.now())


def refusal(shown: str, status: int, wait: float | None) -> UnavailableError:
    """What a status other than 2xx means to the sender, with the cure where there is one.

    >>> refusal("https://a", 410, None)
    GoneError('https://a: wants no more alerts (HTTP 410)')
    """
    if status == 410:
        return GoneError(f"{shown}: wants no more alerts (HTTP 410)")
    text = f"{shown}: answered HTTP {status}{_cure(status)}"
    if wait is not None:
        return RetryLaterError(f"{text}, to be asked again in {wait:g} seconds", wait)
    known = (*CREDENTIALS, *ADDRESS, *LATER)
    return RefusedError(text) if 400 <= status < 500 and status not in known else UnavailableError(text)


def _cure(status: int) -> str:
    if 300 <= status < 400:
        return ": redirects are not followed; configure the address they lead to"
    if status in CREDENTIALS:
        return ": it does not take these credentials; look at token_file, password_file, headers and cert_file"
    return ": there is nothing that takes alerts; look at the path of the url" if status in ADDRESS else ""


def wait_seconds(retry_after: str, now: float) -> float | None:
    """What ``Retry-After`` asks for, a number of seconds or a date (RFC 9110, 10.2.3), capped; None for nonsense.

    >>> wait_seconds("120", 0), wait_seconds("Thu, 01 Jan 1970 00:00:10 GMT", 4), wait_seconds("soon", 0)
    (120.0, 6.0, None)
    """
    if re.fullmatch("[0-9]{1,9}", retry_after.strip()):
        return min(float(retry_after), LONGEST_WAIT_SECONDS)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    when = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return min(max(0.0, when - now), LONGEST_WAIT_SECONDS)


def _shown(url: str) -> str:
    """The URL without its path and query, which may be a secret.

    >>> _shown("https://example.net:8443/T000/B000?key=x")
    'https://example.net:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
