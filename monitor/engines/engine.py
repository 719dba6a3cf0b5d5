"""What an engine does, whichever it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = TypeVar("Task")

TRIES = 3
"""So often a piece of work may end the worker that does it, before that is taken for the work's own fault."""


class Engine(Protocol):
    """Does work in other processes, ``workers`` of them, until it is closed."""

    workers: int

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``work`` of every item, in the order of the items; few of them are under way at once.

        ``work`` and all results can be pickled, and the same item always has the same result: where a worker dies, it
        is worked out once more by another.

        Raises:
            UnavailableError: workers die of it again and again.
            AemonitorError: whatever ``work`` raises.
        """
        ...

    def close(self) -> None:
        """End what it started."""
        ...


class Window(Generic[Item, Task]):
    """Iterates over items, each with its task, in their order; ``size`` of them are under way at once."""

    def __init__(self, items: Iterable[Item], begin: Callable[[Item], Task], size: int) -> None:
        self._items = iter(items)
        self._begin = begin
        self._size = size
        self._tasks: deque[tuple[Item, Task]] = deque()

    def __iter__(self) -> Iterator[tuple[Item, Task]]:
        return self

    def __next__(self) -> tuple[Item, Task]:
        room = self._size - len(self._tasks)
        self._tasks.extend((item, self._begin(item)) for item in islice(self._items, room))
        if not self._tasks:
            raise StopIteration
        return self._tasks.popleft()

    def again(self, lost: Callable[[Task], bool]) -> None:
        """Begin once more what is lost."""
        self._tasks = deque((item, self._begin(item) if lost(task) else task) for item, task in self._tasks)
