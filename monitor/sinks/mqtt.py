"""Publishes each alert to an MQTT topic with QoS 1: it counts once the broker has it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated, Any
from uuid import uuid4

from pydantic import AfterValidator, Field

from monitor.brokers.mqtt import Connection, Connector, MqttOptions
from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import UnavailableError
from monitor.core.protocols import Sink
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format

EXAMPLE = """\
server: mqtt://127.0.0.1:1883
topic: alerts/aemonitor
"""

AT_ONCE = 20
"""Alerts published before the first is acknowledged: what a broker takes of any client."""


def _topic(text: str) -> str:
    if not text or any(each in "+#" or not each.isprintable() for each in text):
        raise ValueError("expected a topic such as alerts/aemonitor, without wildcards")
    return text


class Config(MqttOptions):
    """Options of the ``mqtt`` sink."""

    topic: Annotated[str, AfterValidator(_topic)] = Field(description="Where alerts are published.")
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; the broker need not be there before the first alert.

    Raises:
        UnavailableError: the extra `mqtt` is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Mqtt(config, SystemClock())


class Mqtt:
    """Alerts are rare: a connection is made for each call, so that none has to be kept alive in between."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._connector = Connector(config, clock)
        self._write = FORMATS[config.format].write

    def send(self, alerts: Sequence[bytes]) -> int:
        if not alerts:
            return 0
        try:
            return self._send(alerts[:AT_ONCE])
        except UnavailableError as error:
            raise UnavailableError(f"{self._config.server}: {error}") from error

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _send(self, alerts: Sequence[bytes]) -> int:
        connection = self._connector.connect(f"aemonitor-{uuid4().hex[:12]}")
        try:
            return self._publish(connection, alerts)
        finally:
            connection.close()

    def _publish(self, connection: Connection, alerts: Sequence[bytes]) -> int:
        """How many from the first on the broker has."""
        answers: dict[int, Any] = {}

        def answered(_client: Any, _data: Any, packet: int, code: Any, _properties: Any) -> None:
            answers[packet] = code

        connection.client.on_publish = answered
        packets = [connection.client.publish(self._config.topic, self._write(line), qos=1).mid for line in alerts]
        broken: UnavailableError | None = None
        try:
            connection.serve_until(lambda: len(answers) == len(packets), self._config.timeout_seconds)
        except UnavailableError as error:
            broken = error
        taken = list(takewhile(lambda packet: packet in answers and not answers[packet].is_failure, packets))
        if not taken and packets[0] in answers:
            raise UnavailableError(f"the broker does not take {self._config.topic}: {answers[packets[0]]}")
        if not taken and broken is not None:
            raise broken
        return len(taken)
