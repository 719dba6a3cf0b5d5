"""Which messages of a consumer are on the way or committed, so that none is scored twice or taken for scored.

The ledger's progress is one number. That everything below it is committed holds as long as each message was delivered
here and in turn. It does not hold once one went elsewhere: to another daemon of the same consumer, or to a connection
or a life of this one that ended. Such a gap is noticed by the consumer's own count of deliveries, noted in the ledger
before anything behind it is committed, and closed when all that lay before it is acknowledged, by whomever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.core.accounting import FileState, Position
from monitor.core.records import Origin


class Known:
    """What is known of the messages of one origin.

    The note of a gap is the place of an origin of its own: its epoch is the first number that is not certain, and its
    offset is odd while that is so.

    Args:
        origin: of the messages.
        resume: what the ledger has of the stream.
    """

    def __init__(self, origin: Origin, resume: Sequence[FileState]) -> None:
        states = {state.origin.file_id: state for state in resume}
        self._note = Origin(f"{origin.file_id}#gap", 0, f"{origin.path}, a gap")
        progress, note = states.get(origin.file_id), states.get(self._note.file_id)
        self.next_number = progress.offset if progress else 0
        self._noted = (note.origin.epoch, note.offset) if note else (0, 0)
        self._gap_ends = self.next_number if self.uncertain else 0
        self._floor = self._noted[0] if self.uncertain else self.next_number  # all below is committed
        self._committed: set[int] = set()
        self._on_the_way: dict[int, str] = {}
        self._next_delivery: int | None = None

    @property
    def floor(self) -> int:
        """Everything below is committed, here or elsewhere."""
        return self._floor

    @property
    def on_the_way(self) -> Sequence[str]:
        """Where to acknowledge what was delivered and is not committed."""
        return list(self._on_the_way.values())

    def attached(self, deliveries: int, last_delivered: int, unacknowledged: int) -> list[Position]:
        """A connection begins, after so many deliveries, the newest of that message; what to note in the ledger."""
        expected, self._next_delivery = self._next_delivery, deliveries + 1
        if expected is None:
            missed = unacknowledged > 0 and last_delivered >= self.next_number
        else:
            missed = expected < self._next_delivery  # what the broker forgot that it delivered, it delivers again
        return self._gap(last_delivered + 1) if missed else []

    def delivered(self, number: int, delivery: int) -> list[Position]:
        """The next delivery here; what to note in the ledger before it is committed."""
        expected, self._next_delivery = self._next_delivery, delivery + 1
        return self._gap(max(number, self.next_number)) if expected is None or expected < delivery else []

    def take(self, number: int, reply: str) -> bool:
        """Whether it is to be scored; ``reply`` is where it is acknowledged. Otherwise it is on the way already."""
        new = number not in self._on_the_way
        self._on_the_way[number] = reply
        return new

    def is_committed(self, number: int) -> bool:
        """Whether this message is certain to be committed."""
        return number < self._floor or number in self._committed

    def committed(self, numbers: Iterable[int]) -> list[str]:
        """These are durable now; where to acknowledge them."""
        numbers = list(numbers)
        self._committed.update(numbers)
        return [self._on_the_way.pop(number) for number in numbers]

    def acknowledged(self, floor: int) -> list[Position]:
        """The broker has heard of everything up to ``floor``; what to note in the ledger."""
        if floor >= self._floor:
            self._floor = floor + 1
            self._committed = {number for number in self._committed if number > floor}
        if self.uncertain and floor + 1 >= self._gap_ends:
            return self._noting(self._noted[0], self._noted[1] + 1)
        return []

    @property
    def uncertain(self) -> bool:
        """Whether there is a gap."""
        return self._noted[1] % 2 == 1

    def _gap(self, ends: int) -> list[Position]:
        self._gap_ends = max(self._gap_ends, ends)
        if self.uncertain:
            return []
        begins = max(self.next_number, self._noted[0])
        return self._noting(begins, self._noted[1] + 1 if begins == self._noted[0] else 1)

    def _noting(self, epoch: int, offset: int) -> list[Position]:
        self._noted = (epoch, offset)
        note = Origin(self._note.file_id, epoch, self._note.path)
        return [Position(note, offset, b"")]
