"""All open connections, bounded in number: whoever holds most of them makes room, so that nobody keeps others out."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

MOST_CONNECTIONS = 160
"""A scraper or two and some browsers need a dozen; the file descriptors belong to the logs that are read."""


class Guest(Protocol):
    """An open connection."""

    @property
    def address(self) -> str:
        """Who it belongs to."""
        ...

    @property
    def idle(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    @property
    def since(self) -> float:
        """When it was opened or last finished something, in seconds of the loop's clock."""
        ...

    def expel(self) -> None:
        """Cut it off at once, without waiting for the other side."""
        ...


class Crowd:
    """The guests that are here. For one event loop."""

    def __init__(self) -> None:
        self._guests: set[Guest] = set()

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Guest) -> bool:
        """Take a guest in; whether another one had to make room for it.

        That is one of the address that has most connections: the one that has been idle for longest, or where all of
        them are busy the oldest. An address that opens many takes them from itself.
        """
        self._guests.add(guest)
        if len(self._guests) <= MOST_CONNECTIONS:
            return False
        greedy, _ = Counter(one.address for one in self._guests).most_common(1)[0]
        others = [one for one in self._guests if one.address == greedy and one is not guest]
        leaving = min(others, key=lambda one: (not one.idle, one.since), default=guest)
        self._guests.discard(leaving)  # at once: the loop tells that it is lost only in its next turn
        leaving.expel()
        return True

    def leave(self, guest: Guest) -> None:
        """The guest has gone; may be called twice."""
        self._guests.discard(guest)

    def disperse(self) -> None:
        """Cut off everyone who is idle."""
        for guest in [one for one in self._guests if one.idle]:
            guest.expel()
