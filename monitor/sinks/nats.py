"""Publishes each alert to a NATS subject; it counts once a JetStream stream has it, which drops repetitions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from pydantic import AfterValidator, Field

from monitor.brokers.nats import Connector, NatsOptions, hang_up, reason
from monitor.core.delivery import RefusedError
from monitor.core.errors import UnavailableError
from monitor.core.protocols import Sink
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format, delivery_id

if TYPE_CHECKING:
    from nats.aio.client import Client

EXAMPLE = """\
servers: [nats://127.0.0.1:4222]
subject: alerts.aemonitor     # of a JetStream stream
"""


def _subject(text: str) -> str:
    tokens = text.split(".")
    if any(not token or token in ("*", ">") or not token.isprintable() or " " in token for token in tokens):
        raise ValueError("expected a subject such as alerts.aemonitor: words with dots between, no wildcards")
    return text


class Config(NatsOptions):
    """Options of the ``nats`` sink."""

    subject: Annotated[str, AfterValidator(_subject)] = Field(description="Where alerts are published.")
    jetstream: bool = Field(
        default=True,
        description="Whether an alert counts only once a stream has it. Without, it counts once the server has it, and "
        "reaches who listens at that moment.",
    )
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; the server need not be there before the first alert.

    Raises:
        UnavailableError: the extra `nats` is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Nats(config)


class Nats:
    """Alerts are rare: a connection is made for each call, so that none has to be kept alive in between."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connector = Connector(config, "aemonitor alerts")
        self._write = FORMATS[config.format].write

    def send(self, alerts: Sequence[bytes]) -> int:
        import nats.errors

        try:
            return asyncio.run(self._send(alerts)) if alerts else 0
        except nats.errors.MaxPayloadError as error:
            raise RefusedError(f"{self._connector.place}: an alert is longer than the server takes") from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise UnavailableError(f"{self._connector.place}: {self._told(error)}") from error

    def close(self) -> None:
        """Nothing is open between two calls."""

    async def _send(self, alerts: Sequence[bytes]) -> int:
        client = await self._connector.connect(lambda _: None)
        try:
            return await (self._store(client, alerts) if self._config.jetstream else self._publish(client, alerts))
        finally:
            await hang_up(client)

    async def _store(self, client: Client, alerts: Sequence[bytes]) -> int:
        """How many from the first on the stream has; the order is that of the calls."""
        stream = client.jetstream(timeout=self._config.timeout_seconds)
        published = [stream.publish(self._config.subject, self._write(line), headers=_id(line)) for line in alerts]
        answers = await asyncio.gather(*published, return_exceptions=True)
        failures = [number for number, answer in enumerate(answers) if isinstance(answer, BaseException)]
        first = failures[0] if failures else len(alerts)
        if first == 0 and isinstance(error := answers[0], BaseException):
            raise error
        return first

    async def _publish(self, client: Client, alerts: Sequence[bytes]) -> int:
        for line in alerts:
            await client.publish(self._config.subject, self._write(line))
        await client.flush(max(1, int(self._config.timeout_seconds)))
        return len(alerts)

    def _told(self, error: BaseException) -> str:
        from nats.js.errors import NoStreamResponseError

        if isinstance(error, NoStreamResponseError):
            return f"no stream takes {self._config.subject}; make one, or set `jetstream: false`"
        return reason(error)


def _id(line: bytes) -> dict[str, str]:
    """By this header a stream knows within its ``duplicate_window`` what it has already."""
    return {"Nats-Msg-Id": delivery_id(msgspec.json.decode(line))}
