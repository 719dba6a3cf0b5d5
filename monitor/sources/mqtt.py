"""Subscribes to MQTT topics with a session that the broker keeps, acknowledging each message once it is committed.

What was published with QoS 1 or 2 while the daemon was down is delivered when it is back, as far as the broker keeps
it. MQTT numbers no messages: they are counted here, per session, in the ledger. What was committed when the daemon was
killed, and not yet acknowledged, comes again, and nothing tells it from a new message: a fault may be told twice then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from monitor.brokers.mqtt import NEWEST, Connection, Connector, MqttOptions, Session
from monitor.core.backoff import Backoff
from monitor.core.errors import AemonitorError, UnavailableError
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages, Origin
from monitor.sources._receiving import Receiving
from monitor.sources._topics import TopicFields
from monitor.sources._wake import Wake

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

EXAMPLE = """\
server: mqtt://127.0.0.1:1883
client_id: aemonitor-plant       # one of its own for each daemon: the broker keeps its session by it
topics: [plant/+/temperature]
topic_levels: [_, site]          # adds the field `site`, the second level of the topic
"""

IDLE_SECONDS = 1.0


class Config(MessageOptions, MqttOptions):
    """Options of the ``mqtt`` source."""

    client_id: Annotated[str, StringConstraints(min_length=1, max_length=65_535)] = Field(
        description="By this the broker knows the session: one of its own for each daemon, and always the same. With "
        "other topics take another one, since the session goes on with those it had, too."
    )
    topics: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        min_length=1, description="What is subscribed to, with wildcards `+` and `#`; all with QoS 1."
    )
    topic_levels: list[str] = Field(
        default_factory=list[str],
        description="Names of fields for the levels of the topic, the first first, `_` for none. They are added to a "
        "payload that is a JSON object, whose own fields of these names they overrule; any other payload becomes the "
        "field `value` beside them. The parser is `json_lines` then.",
    )
    topic_field: str | None = Field(
        default=None, description="The name of a field for the whole topic, added likewise."
    )
    session_seconds: PositiveInt = Field(
        default=604_800,
        le=4_294_967_295,
        description="How long the broker keeps the session while the daemon is away; in 3.1.1 the broker decides.",
    )
    receive_maximum: PositiveInt = Field(
        default=1000,
        le=65_535,
        description="Most messages on the way that are not committed; in 3.1.1 the broker decides (mosquitto: 20).",
    )
    retained: bool = Field(
        default=False,
        description="Whether the message that a broker keeps of each topic for new subscribers is a record, too.",
    )
    quiet_seconds: NonNegativeInt = Field(
        default=2, description="With `--once`: how long nothing must come before that is taken for the end."
    )

    @property
    def places(self) -> Sequence[str]:
        """What is read, for a person."""
        return [f"mqtt:{topic}" for topic in self.topics]


def build(config: Config, context: SourceContext, *, once: bool = False) -> Mqtt:
    """The source. With ``once`` it is exhausted when nothing has come for ``quiet_seconds``.

    Raises:
        UnavailableError: the extra `mqtt` is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Mqtt(config, context, once=once)


class Packet(NamedTuple):
    """A message on the way: by ``packet`` the broker knows it until it is acknowledged, and then means another."""

    packet: int
    number: int


class Mqtt(Receiving[tuple[Packet, ...]]):
    """One connection at a time, driven by a thread of its own."""

    def __init__(self, config: Config, context: SourceContext, *, once: bool) -> None:
        super().__init__(config, context, "mqtt")
        self._config = config
        self._once = once
        self._wake = Wake()
        self._connector = Connector(config, context.clock)
        self._topics = TopicFields(config.topic_levels, config.topic_field)
        server = config.server.split("://")[1]
        self._origin = Origin(f"mqtt:{server}/{config.client_id}", 0, f"mqtt:{server}")
        places = {state.origin.file_id: state.offset for state in context.resume}
        self._next_number = places.get(self._origin.file_id, 0)
        self._on_the_way: dict[int, tuple[int, int]] = {}  # by packet: number, and hash of what it holds
        self._arrived: list[bytes] = []
        self._packets: list[Packet] = []  # of what arrived
        self._thread.start()

    def _stir(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """Acknowledge what is durable and leave the session to the broker."""
        if not self._closing:
            super().close()
            if not self._thread.is_alive():
                self._wake.close()

    # -- the receiving thread ----------------------------------------------------------------------------------

    def _receive(self) -> None:
        backoff = Backoff()
        while not self._closing:
            try:
                self._connected(backoff)
            except (OSError, AemonitorError) as error:
                self._events.disconnected(self._config.server, str(error))
                self._rest(backoff.seconds())

    def _rest(self, seconds: float) -> None:
        until = self._now() + seconds
        while not self._closing and self._now() < until:
            self._wake.wait(until - self._now())

    def _connected(self, backoff: Backoff) -> None:
        """One connection, from its beginning to its end."""
        config = self._config
        session = Session(config.session_seconds, config.receive_maximum, self._begin, self._on_message)
        connection = self._connector.connect(config.client_id, session)
        try:
            self._subscribe(connection)
            self._events.connected(config.server)
            backoff.reset()
            self._serve(connection)
        finally:
            self._hand_out()
            connection.close()

    def _begin(self, resumed: bool) -> None:
        if not resumed:
            self._on_the_way.clear()

    def _serve(self, connection: Connection) -> None:
        last = self._now()
        while not self._closing:
            connection.serve(IDLE_SECONDS, self._wake, reading=not self._inbox.full)
            self._wake.clear()
            last = self._now() if self._arrived else last
            self._hand_out()
            self._acknowledge(connection)
            if self._once and self._now() - last >= self._config.quiet_seconds:
                self._caught_up = True
        self._acknowledge(connection)

    def _subscribe(self, connection: Connection) -> None:
        """Also with a session that is there: the topics may be others. For that, nothing retained need come again."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        granted: list[Any] = []
        connection.client.on_subscribe = lambda _client, _data, _packet, codes, _properties: granted.extend(codes)
        for topic in self._config.topics:
            if self._config.version == NEWEST:
                connection.client.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=1))
            else:
                connection.client.subscribe(topic, 1)
        connection.serve_until(lambda: len(granted) >= len(self._config.topics), self._config.timeout_seconds)
        for topic, code in zip(self._config.topics, granted, strict=True):
            if code.is_failure:
                raise UnavailableError(f"the broker does not let us read {topic}: {code}")

    def _on_message(self, client: Client, message: MQTTMessage) -> None:
        if message.retain and not self._config.retained:
            client.ack(message.mid, message.qos)
            return
        content = hash((message.topic, message.payload))
        _, before = self._on_the_way.get(message.mid, (0, None))
        if message.qos and message.dup and content == before:
            return  # it is delivered again on a new connection; its batch acknowledges it
        if message.qos:  # a broker that died may have forgotten which packets are on the way, and mean another by it
            self._on_the_way[message.mid] = (self._next_number, content)
            self._packets.append(Packet(message.mid, self._next_number))
        self._next_number += 1
        self._arrived.append(self._topics.added(message.topic, bytes(message.payload)))

    def _hand_out(self) -> None:
        if self._arrived:
            numbers = range(self._next_number - len(self._arrived), self._next_number)
            self._inbox.put(Messages(self._origin, self._arrived, numbers, self._next_number), tuple(self._packets))
            self._arrived, self._packets = [], []

    def _acknowledge(self, connection: Connection) -> None:
        for packets in self._inbox.durable():
            for packet, number in packets:
                if self._on_the_way.get(packet, (None, None))[0] == number:
                    del self._on_the_way[packet]
                    connection.client.ack(packet, 1)

    def _now(self) -> float:
        return self._context.clock.monotonic()
