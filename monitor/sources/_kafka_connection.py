"""Whether brokers can be reached: librdkafka tries on by itself, and here it is told when that fails, and when not."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException

from monitor.core.protocols import SourceEvents

ANSWER_SECONDS = 10.0
"""How long brokers may take to answer what they are asked about topics, groups and transactions."""

PROBE_SECONDS = 5.0
"""How long brokers may take to answer who they are, when there is a doubt."""


class Connection:
    """Tells of each change once. Used by the member's thread alone."""

    def __init__(self, events: SourceEvents, place: str) -> None:
        self._events = events
        self._place = place
        self._connected: bool | None = None
        self._doubtful = True
        self._reason = "no broker answers"

    def doubt(self, error: KafkaError) -> None:
        """Something failed, which may mean nothing; asked for an answer, brokers show whether it does."""
        self._doubtful = True
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - which says less than what came before it
            self._reason = error.str()

    def check(self, consumer: Consumer, topics: Sequence[str]) -> None:
        """Ask where there is a doubt; may take ``PROBE_SECONDS``."""
        if not self._doubtful:
            return
        try:
            if topics[0].startswith("^"):
                consumer.list_topics(timeout=PROBE_SECONDS)
            else:
                consumer.list_topics(topics[0], timeout=PROBE_SECONDS)
        except KafkaException:
            self.down(self._reason)
        else:
            self.up()

    def up(self) -> None:
        """A broker answered."""
        self._doubtful = False
        if not self._connected:
            self._connected = True
            self._events.connected(self._place)

    def down(self, reason: str) -> None:
        """Nothing can be read."""
        if self._connected is not False:
            self._connected = False
            self._events.disconnected(self._place, reason)

    def lost(self, error: Exception) -> None:
        """The membership ended, and another one is tried."""
        cause = error.args[0] if error.args else error
        self.down(cause.str() if isinstance(cause, KafkaError) else str(cause))
        self._doubtful = True
