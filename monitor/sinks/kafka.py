"""Sends each alert to a topic of Kafka, and counts it when all brokers that have to keep it do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
from pydantic import Field

from monitor.brokers.kafka import EXTRA, LIBRARY, KafkaOptions, Topic, settings
from monitor.core.alerts import Alert
from monitor.core.delivery import RefusedError
from monitor.core.errors import AemonitorError, UnavailableError
from monitor.core.extras import require
from monitor.core.protocols import Sink

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

EXAMPLE = """
brokers: ["kafka-1.example.net:9092", "kafka-2.example.net:9092"]
topic: aemonitor-alerts
"""

RESERVED = ("enable.idempotence", "acks", "request.required.acks", "delivery.timeout.ms", "message.timeout.ms",
            "max.in.flight.requests.per.connection", "max.in.flight", "transactional.id", "linger.ms")  # fmt: skip

SPARE_SECONDS = 5.0
"""librdkafka says within `timeout_seconds` what became of a message; so much later it is no longer waited for."""

KEYS: Mapping[str, Callable[[Alert], str | None]] = {
    "id": lambda alert: alert.id,
    "fingerprint": lambda alert: alert.fingerprint,
    "stream": lambda alert: alert.stream,
    "key": lambda alert: alert.key,
}


class Config(KafkaOptions):
    """A topic to send to."""

    topic: Topic = Field(description="The topic alerts are sent to.")
    key: Literal["id", "fingerprint", "stream", "key"] = Field(
        default="id",
        description="The key of the message: the alert's `id` (a topic that is compacted keeps the last word on each), "
        "its `fingerprint`, its `stream` or its `key` (those of one device stay in order).",
    )
    timeout_seconds: float = Field(
        default=15.0, gt=0, le=300, description="How long brokers may take to keep an alert before it is sent again."
    )

    @classmethod
    def reserved(cls) -> tuple[str, ...]:
        return RESERVED


def build(config: Config) -> Sink:
    """The sink. Nothing is connected before the first alert.

    Raises:
        UnavailableError: the extra is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    require(EXTRA, LIBRARY)
    settings(config, {})
    return Kafka(config)


class Kafka:
    """Waits for the brokers with every batch: what they do not confirm is not counted, and sent again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._key = KEYS[config.key]
        self._producer: Producer | None = None
        self._reason = "no broker answers"

    def send(self, alerts: Sequence[bytes]) -> int:
        if not alerts:
            return 0
        producer = self._opened()
        answers: list[KafkaError | bool | None] = [None] * len(alerts)
        for row, alert in enumerate(alerts):
            if not self._hand_over(producer, alert, row, answers):
                break
        producer.flush(self._config.timeout_seconds + SPARE_SECONDS)
        taken = next((row for row, answer in enumerate(answers) if answer is not True), len(alerts))
        if not taken:
            self._renew()
            raise self._failure(answers[0])
        return taken

    def close(self) -> None:
        self._producer = None

    def _opened(self) -> Producer:
        """The producer, with the password as its file has it now."""
        if self._producer is None:
            from confluent_kafka import Producer

            milliseconds = int(self._config.timeout_seconds * 1000)
            own = {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "delivery.timeout.ms": milliseconds,
                "error_cb": self._note,
            }
            try:
                self._producer = Producer(settings(self._config, own))
            except AemonitorError as error:
                raise UnavailableError(str(error)) from error  # they could be used before, so they may be again
        return self._producer

    def _hand_over(self, producer: Producer, alert: bytes, row: int, answers: list[KafkaError | bool | None]) -> bool:
        """Have an alert sent; its answer comes later. False: it is not even tried, nor may those behind it be."""
        from confluent_kafka import KafkaException

        def answered(error: KafkaError | None, _message: Message) -> None:
            answers[row] = error or True

        key = self._key(msgspec.json.decode(alert, type=Alert))
        try:
            producer.produce(self._config.topic, alert, key, on_delivery=answered)
        except KafkaException as error:
            answers[row] = error.args[0]
        except BufferError:  # the queue is full: the rest comes with the next call
            return False
        return answers[row] is None

    def _note(self, error: KafkaError) -> None:
        from confluent_kafka import KafkaError

        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - which says less than what came before it
            self._reason = error.str()

    def _renew(self) -> None:
        """The next attempt is made by another producer: this one may have failed for good, or have an old password."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _failure(self, error: KafkaError | bool | None) -> UnavailableError:
        from confluent_kafka import KafkaError

        place = f"kafka {self._config.place}, topic {self._config.topic}"
        if not isinstance(error, KafkaError):
            return UnavailableError(f"{place}: no answer within {self._config.timeout_seconds:g} seconds")
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD):
            return RefusedError(f"{place}: {error.str()}")
        late = error.code() == KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - that is its public name
        return UnavailableError(f"{place}: {self._reason if late else error.str()}")
