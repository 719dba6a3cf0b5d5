"""What an engine does, whichever it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = TypeVar("Task")

TRIES = 3
"""So often a piece of work may end the worker that does it, before that is taken for the work's own fault."""


class Engine(Protocol):
    """Does work in other processes, ``workers`` of them. Used as a context: what it started ends with it."""

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

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Window(Generic[Item, Task]):
    """The items that are under way, each with its task, in their order."""

    def __init__(self, items: Iterable[Item], begin: Callable[[Item], Task], size: int) -> None:
        self._items = iter(items)
        self._begin = begin
        self._size = size
        self.tasks: deque[tuple[Item, Task]] = deque()

    def oldest(self) -> Task | None:
        """The task whose result comes next, with so many begun behind it as there is room for; None at the end."""
        while len(self.tasks) < self._size:
            item: Any = next(self._items, self)
            if item is self:
                break
            self.tasks.append((item, self._begin(item)))
        return self.tasks[0][1] if self.tasks else None

    def again(self, lost: Callable[[Task], bool]) -> None:
        """Begin once more what is lost."""
        self.tasks = deque((item, self._begin(item) if lost(task) else task) for item, task in self.tasks)
