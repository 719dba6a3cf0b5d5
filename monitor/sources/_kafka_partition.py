"""A partition that this member of the group has: what is to come next, and what may be committed to the group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.core.records import Messages, Origin

NOWHERE = -1
"""A place that is not known."""


class Receipt(NamedTuple):
    """Up to which message of which partition something is durable, once it is."""

    key: tuple[str, int]
    origin: Origin
    next_number: int


@dataclass(slots=True)
class Partition:
    """Messages are gathered in it until they are handed on.

    Args:
        next_number: of the message that is wanted next; what comes before it came before.
        committed: as far as the group knows, or was asked to note, what is durable.
        durable: everything before it is in the ledger of this member, or of another that committed it.
        end: where it ended when its first messages came to this member.
    """

    topic: str
    number: int
    origin: Origin
    next_number: int
    committed: int
    durable: int = NOWHERE
    end: int = NOWHERE
    payloads: list[bytes] = field(default_factory=list[bytes])
    numbers: list[int] = field(default_factory=list[int])

    @property
    def key(self) -> tuple[str, int]:
        """By what it is known to the group."""
        return self.topic, self.number

    def gathered(self) -> tuple[Messages, Receipt]:
        """The messages that were added, at least one, and what is true once they are durable."""
        messages = Messages(self.origin, self.payloads, self.numbers, self.next_number)
        self.payloads, self.numbers = [], []
        return messages, Receipt(self.key, self.origin, self.next_number)
