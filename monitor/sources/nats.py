"""Pulls messages of a NATS JetStream stream through a durable consumer, acknowledging each once it is committed.

A message that is not acknowledged, because the daemon was killed, is delivered again after ``ack_wait_seconds``. Its
number in the stream is what the id of its alert is made of: every daemon and every receiver knows a repetition.
Daemons with the same consumer share its messages; what one does not finish another gets.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from monitor.brokers.nats import Connector, NatsOptions, hang_up, reason
from monitor.core.backoff import Backoff
from monitor.core.errors import AemonitorError
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.sources._nats_session import Handed, Session
from monitor.sources._receiving import AsyncReceiving

EXAMPLE = """\
servers: [nats://127.0.0.1:4222]
stream: LOGS
consumer: aemonitor        # made if it is not there
"""


def _name(text: str) -> str:
    if not text or any(each in ".*>/\\" or each.isspace() or not each.isprintable() for each in text):
        raise ValueError("a name has no dots, stars, slashes or spaces in it")
    return text


Name = Annotated[str, AfterValidator(_name)]


class Config(MessageOptions, NatsOptions):
    """Options of the ``nats`` source."""

    stream: Name = Field(description="The JetStream stream; it has to be there.")
    consumer: Name = Field(
        default="aemonitor",
        description="The durable pull consumer. One that is there is used as it is; otherwise it is made. Daemons that "
        "name the same one share its messages.",
    )
    subject: str | None = Field(
        default=None, description="Of which subjects, for a consumer that is made; without it, of all of the stream."
    )
    start_at: Literal["beginning", "end"] = Field(
        default="beginning",
        description="Where a consumer that is made begins, if nothing was ever committed of its messages.",
    )
    ack_wait_seconds: PositiveFloat = Field(
        default=30.0,
        ge=1,
        description="After how long without a sign of life a message is delivered again, for a consumer that is made. "
        "What takes longer here is kept alive.",
    )
    max_ack_pending: PositiveInt = Field(
        default=20_000, description="Most messages that are not acknowledged, for a consumer that is made."
    )

    @property
    def places(self) -> tuple[str, ...]:
        """What is read, for a person."""
        return (f"nats:{self.stream}",)


def build(config: Config, context: SourceContext, *, once: bool = False) -> Nats:
    """The source. With ``once`` it is exhausted when the consumer has no more.

    Raises:
        UnavailableError: the extra `nats` is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Nats(config, context, once=once)


class Nats(AsyncReceiving[Handed]):
    """One connection at a time, in a thread of its own."""

    def __init__(self, config: Config, context: SourceContext, *, once: bool) -> None:
        super().__init__(config, context, "nats")
        self._connector = Connector(config, f"aemonitor {context.stream}")
        self._session = Session(config, context, self._inbox, self._sightings, self._stirred, once=once)
        self._thread.start()

    async def _main(self) -> None:
        import nats.errors

        backoff = Backoff()
        while not self._closing and not self._caught_up:
            try:
                await self._connected(backoff)
            except (nats.errors.Error, OSError, TimeoutError, AemonitorError) as error:
                self._events.disconnected(self._connector.place, reason(error))
                await self._pause(backoff.seconds())

    async def _connected(self, backoff: Backoff) -> None:
        """One connection, from its beginning to its end."""
        client = await self._connector.connect(self._session.lose)
        try:
            await self._session.attach(client)
            self._events.connected(self._connector.place)
            backoff.reset()
            while not self._closing:
                self._caught_up = await self._session.turn() or self._caught_up
                await self._rest(self._session.pause)
            await self._session.detach()
        finally:
            await hang_up(client)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, or until closed; what is committed meanwhile is acknowledged then."""
        until = self._context.clock.monotonic() + seconds
        while not self._closing and (left := until - self._context.clock.monotonic()) > 0:
            await self._rest(left)
