"""Posts each alert to a URL, signed as Standard Webhooks are, so that the receiver knows who sent it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from pydantic import Field

from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import AemonitorError, DataError, UnavailableError
from monitor.core.protocols import Sink
from monitor.core.secrets import read_secret
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format, delivery_id
from monitor.sinks._http import Receiver
from monitor.sinks._http_options import HttpOptions, Url

EXAMPLE = """\
url: https://example.net/hook
secret_file: hook.secret      # made with: echo "whsec_$(head -c 32 /dev/urandom | base64)"
"""

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
"""Of 192 to 512 bits, says the specification."""


class Config(HttpOptions):
    """Options of the ``webhook`` sink."""

    url: Url = Field(description="Where alerts are posted to. It is never shown in logs, but for its host.")
    secret_file: str | None = Field(
        default=None,
        description="A file with the secret that requests are signed with (`whsec_` and base64); several lines while a "
        "secret is being replaced. Without it they are not signed.",
    )
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; unusable secrets and certificates are refused here, before the first alert.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Webhook(config, SystemClock())


class Webhook:
    """Posts one alert a request, in order; a repetition has the same ``webhook-id``.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The signature is made
    here, since it is one call of ``hmac``; the tests check it with the library of those who wrote the specification.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._secret_file = config.secret_file
        self._format = FORMATS[config.format]
        self._clock = clock
        self._keys()
        self._receiver = Receiver(config.url, config, clock)

    def send(self, alerts: Sequence[bytes]) -> int:
        for line in alerts[:1]:
            self._post(line)
        return min(1, len(alerts))

    def close(self) -> None:
        self._receiver.close()

    def _post(self, line: bytes) -> None:
        body = self._format.write(line)
        message_id, timestamp = delivery_id(msgspec.json.decode(line)), str(int(self._clock.now()))
        headers = {"Content-Type": self._format.media_type, "webhook-id": message_id, "webhook-timestamp": timestamp}
        if keys := self._current_keys():
            headers["webhook-signature"] = signatures(keys, message_id, timestamp, body)
        self._receiver.post(body, headers)

    def _current_keys(self) -> list[bytes]:
        try:
            return self._keys()
        except AemonitorError as error:
            raise UnavailableError(str(error)) from error  # it could be used before, so it may be again

    def _keys(self) -> list[bytes]:
        if self._secret_file is None:
            return []
        return [_key(text, self._secret_file) for text in read_secret(self._secret_file, "secret_file").split()]


def signatures(keys: Sequence[bytes], message_id: str, timestamp: str, body: bytes) -> str:
    """The value of ``webhook-signature``: one a key, so that a secret can be replaced without a gap."""
    content = f"{message_id}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return " ".join(f"v1,{signature}" for signature in made)


def _key(text: str, path: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise DataError(
            f"{path}: not a webhook secret: expected {PREFIX} and 24 to 64 bytes in base64, as made by: "
            f'echo "{PREFIX}$(head -c 32 /dev/urandom | base64)"'
        )
    return key
