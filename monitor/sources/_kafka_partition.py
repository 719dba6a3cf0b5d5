"""A partition that this member of the group has: what is to come next, and what may be committed to the group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

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
        foreign: the group is further than this member ever was: another one read it meanwhile.
    """

    topic: str
    number: int
    origin: Origin
    next_number: int
    committed: int
    durable: int = NOWHERE
    end: int = NOWHERE
    foreign: bool = False
    payloads: list[bytes] = field(default_factory=list[bytes])
    numbers: list[int] = field(default_factory=list[int])

    @property
    def key(self) -> tuple[str, int]:
        """By what it is known to the group."""
        return self.topic, self.number

    def receive(self, numbers: Sequence[int], payloads: Sequence[bytes | None]) -> None:
        """Add messages, in their order, but those that were fetched before its place was set.

        One without a payload says no more than that what has its key is deleted.
        """
        if numbers[0] >= self.next_number and None not in payloads:
            self.numbers += numbers
            self.payloads += cast("Sequence[bytes]", payloads)
            self.next_number = numbers[-1] + 1
            return
        for number, payload in zip(numbers, payloads, strict=True):
            if number < self.next_number:
                continue
            self.next_number = number + 1
            if payload is not None:
                self.numbers.append(number)
                self.payloads.append(payload)

    def gathered(self) -> tuple[Messages, Receipt]:
        """The messages that were added, at least one, and what is true once they are durable."""
        messages = Messages(self.origin, self.payloads, self.numbers, self.next_number)
        self.payloads, self.numbers = [], []
        return messages, Receipt(self.key, self.origin, self.next_number)
