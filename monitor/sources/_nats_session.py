"""A durable pull consumer over one connection after another: asks, hands out, acknowledges, keeps alive."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from monitor.core.accounting import Position
from monitor.core.errors import UnavailableError
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages, Origin
from monitor.sources._inbox import Inbox
from monitor.sources._nats_known import Known

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.api import ConsumerInfo

EXPIRES_SECONDS = 30
"""For how long a request for messages stands; then it is repeated."""
LOOK_SECONDS = 5.0
"""How often the broker is asked how far the consumer is."""
QUICK_LOOK_SECONDS = 0.2
"""The same where somebody waits for its end, or for that of a gap: until then not all that is known can be used."""
KEEP_ALIVE_TIMES = 3
"""Signs of life sent within the time after which a message is delivered again."""
REFUSED_SECONDS = 1.0
"""How soon a request is repeated that the broker refused for the moment."""
ACKNOWLEDGED, IN_PROGRESS, GIVEN_BACK = b"+ACK", b"+WPI", b"-NAK"
HEARTBEAT = "100"
ENDED = ("No Messages", "Request Timeout", "Batch Completed", "Message Size Exceeds MaxBytes")
"""What a broker says of a request that has brought all that it could."""
REFUSED = ("Exceeded MaxAckPending", "Exceeded MaxWaiting")


class Options(Protocol):
    """Of ``Config``, what is needed here."""

    @property
    def stream(self) -> str: ...
    @property
    def consumer(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def start_at(self) -> str: ...
    @property
    def ack_wait_seconds(self) -> float: ...
    @property
    def max_ack_pending(self) -> int: ...
    @property
    def queue_bytes(self) -> int: ...


class Handed(NamedTuple):
    """What is needed to acknowledge a batch: whose numbers these are."""

    known: Known
    numbers: tuple[int, ...]


class Session:
    """What outlives a connection. All but ``lose`` is called by the thread that has the loop.

    ``turn`` does what there is to do; ``pause`` is for how long there is nothing, unless ``stirred`` is set.
    """

    def __init__(
        self, config: Options, context: SourceContext, inbox: Inbox[Handed], sightings: deque[Position],
        stirred: asyncio.Event, *, once: bool,
    ) -> None:  # fmt: skip
        self._config = config
        self._context = context
        self._inbox = inbox
        self._sightings = sightings
        self._stirred = stirred
        self._once = once
        self._origin: Origin | None = None
        self._lost: str | None = None
        self._arrived: list[tuple[int, bytes]] = []

    def lose(self, why: str) -> None:
        """The connection is gone."""
        self._lost = why
        self._stirred.set()

    async def attach(self, client: Client) -> None:
        """Begin with a new connection.

        Raises:
            UnavailableError: the stream is not there, or the consumer is of another kind.
            nats.errors.Error, TimeoutError: the broker does not answer.
        """
        self._hand_out()
        self._lost = None
        self._client = client
        self._manager = client.jetstream()
        self._know(await self._stream())
        info = await self._consumer()
        self._ack_wait = info.config.ack_wait or self._config.ack_wait_seconds
        self._most = info.config.max_ack_pending or self._config.max_ack_pending
        delivered = info.delivered
        self._sightings += self._known.attached(
            delivered.consumer_seq if delivered else 0,
            delivered.stream_seq if delivered else 0,
            info.num_ack_pending or 0,
        )
        self._inbox_subject = client.new_inbox()
        await client.subscribe(self._inbox_subject, cb=self._on_message)
        self._wanted, self._stale = 0, 0.0
        self._next_request = self._next_look = self._next_sign = 0.0

    async def turn(self) -> bool:
        """Acknowledge, keep alive, hand out, ask for more; with ``once``, whether the consumer has no more.

        Raises:
            UnavailableError: the connection, or the consumer, is gone.
        """
        self._hand_out()
        if self._lost is not None:
            raise UnavailableError(self._lost)
        now = self._now()
        await self._acknowledge()
        if now >= self._next_sign:
            await self._tell(IN_PROGRESS, self._known.on_the_way)
            self._next_sign = now + self._ack_wait / KEEP_ALIVE_TIMES
        at_end = await self._look(now) if now >= self._next_look else False
        if now >= self._stale:
            self._wanted = 0
        if not self._wanted and now >= self._next_request and not self._inbox.full:
            await self._request()
        return at_end

    @property
    def pause(self) -> float:
        """Seconds."""
        waits = [self._next_look, self._next_sign]
        if not self._wanted and self._next_request:
            waits.append(self._next_request)
        return max(0.0, min(waits) - self._now())

    async def detach(self) -> None:
        """Give back what was not committed, so that somebody else gets it at once."""
        await self._acknowledge()
        await self._tell(GIVEN_BACK, self._known.on_the_way)
        await self._client.flush(2)

    # -- the consumer ------------------------------------------------------------------------------------------

    async def _stream(self) -> Any:
        from nats.js.errors import NotFoundError

        try:
            return await self._manager.stream_info(self._config.stream)
        except NotFoundError:
            raise UnavailableError(f"there is no stream {self._config.stream}") from None

    def _know(self, stream: Any) -> None:
        """A stream that was made anew counts from 1 again: it is another one."""
        name = f"nats:{self._config.stream}"
        origin = Origin(f"{name}/{stream.created.isoformat()}/{self._config.consumer}", 0, name)
        if origin != self._origin:
            self._origin, self._known = origin, Known(origin, self._context.resume)

    async def _consumer(self) -> ConsumerInfo:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
        from nats.js.errors import NotFoundError

        config = self._config
        try:
            info: ConsumerInfo = await self._manager.consumer_info(config.stream, config.consumer)
        except NotFoundError:
            policy = DeliverPolicy.NEW if config.start_at == "end" else DeliverPolicy.ALL
            wanted = ConsumerConfig(
                durable_name=config.consumer, ack_policy=AckPolicy.EXPLICIT, ack_wait=config.ack_wait_seconds,
                max_ack_pending=config.max_ack_pending, filter_subject=config.subject, deliver_policy=policy,
            )  # fmt: skip
            if self._known.floor:
                wanted.deliver_policy, wanted.opt_start_seq = DeliverPolicy.BY_START_SEQUENCE, self._known.floor
            info = await self._manager.add_consumer(config.stream, wanted)
        if info.config.deliver_subject or info.config.ack_policy != AckPolicy.EXPLICIT:
            raise UnavailableError(
                f"the consumer {config.consumer} of {config.stream} is no pull consumer with explicit acknowledgement; "
                "name another one, which is made"
            )
        return info

    async def _look(self, now: float) -> bool:
        """Ask how far the consumer is."""
        info = await self._manager.consumer_info(self._config.stream, self._config.consumer)
        pending, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
        self._context.events.lag_records(pending + unacknowledged)
        self._sightings += self._known.acknowledged(info.ack_floor.stream_seq if info.ack_floor else 0)
        self._next_look = now + (QUICK_LOOK_SECONDS if self._once or self._known.uncertain else LOOK_SECONDS)
        return self._once and not pending and not self._arrived and unacknowledged <= len(self._known.on_the_way)

    # -- messages ----------------------------------------------------------------------------------------------

    async def _request(self) -> None:
        room = min(self._context.max_records, self._most - len(self._known.on_the_way))
        if room <= 0:
            self._next_request = self._now() + REFUSED_SECONDS
            return
        wanted = {
            "batch": room,
            "expires": EXPIRES_SECONDS * 10**9,
            "max_bytes": max(self._config.queue_bytes, 2 * self._client.max_payload),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._config.stream}.{self._config.consumer}"
        await self._client.publish(subject, json.dumps(wanted).encode(), self._inbox_subject)
        self._wanted, self._stale = room, self._now() + EXPIRES_SECONDS + REFUSED_SECONDS

    async def _on_message(self, message: Msg) -> None:
        self._stirred.set()
        if not message.reply:
            self._on_status(message.headers or {})
            return
        self._wanted = max(0, self._wanted - 1)
        sequence = message.metadata.sequence
        number = sequence.stream
        self._sightings += self._known.delivered(number, sequence.consumer)
        if self._known.is_committed(number):  # and the broker did not hear of it
            await self._tell(ACKNOWLEDGED, [message.reply])
        elif self._known.take(number, message.reply):
            self._arrived.append((number, message.data))
            if len(self._arrived) >= self._context.max_records:
                self._hand_out()

    def _on_status(self, headers: dict[str, str]) -> None:
        """A request has ended without as many messages as were asked for."""
        description = headers.get("Description", "")
        if headers.get("Status") == HEARTBEAT:
            return
        self._wanted = 0
        if description in REFUSED:
            self._next_request = self._now() + REFUSED_SECONDS
        elif description not in ENDED:
            self.lose(description or "nobody answers for the stream")

    def _hand_out(self) -> None:
        if not self._arrived or self._origin is None:
            return
        numbers = tuple(number for number, _ in self._arrived)
        self._known.next_number = max(self._known.next_number, max(numbers) + 1)
        payloads = [payload for _, payload in self._arrived]
        self._arrived = []
        self._inbox.put(
            Messages(self._origin, payloads, numbers, self._known.next_number), Handed(self._known, numbers)
        )

    async def _acknowledge(self) -> None:
        for known, numbers in self._inbox.durable():
            replies = known.committed(numbers)
            if known is self._known:  # else the same number is another message's by now
                await self._tell(ACKNOWLEDGED, replies)

    async def _tell(self, what: bytes, replies: Iterable[str]) -> None:
        for reply in replies:
            await self._client.publish(reply, what)

    def _now(self) -> float:
        return self._context.clock.monotonic()
