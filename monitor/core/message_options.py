"""The options of sources that are handed whole messages, by a broker say: nothing has to be cut out of bytes."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, PositiveInt

from monitor.core.strict import StrictModel

CUTTING = ("delimiter", "multiline", "force_flush_after_seconds")
"""What in ``input`` says how bytes are cut into records. Each message is one as it stands."""


class MessageOptions(StrictModel):
    """The base of such a source's ``Config``; by it the program knows that its records are messages."""

    queue_bytes: PositiveInt = Field(
        default=8 << 20,
        description="Received ahead at most about so much; beyond it the messages stay with the broker.",
    )

    @property
    def places(self) -> Sequence[str]:
        """What is read, for a person: topics, subjects, addresses."""
        return ()

    def read_back(self, sink: StrictModel) -> str | None:
        """What of that which a sink with these options writes would be read here as records; None: nothing."""
        del sink
        return None
