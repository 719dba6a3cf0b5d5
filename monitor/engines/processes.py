"""Processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from types import TracebackType
from typing import Any, Self

from monitor.core.errors import UnavailableError
from monitor.engines.engine import TRIES, Item, Result, Window


class Processes:
    """So many of them; None: one for each core that this process may use. See ``Engine``."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool = self._started()

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        window: Window[Item, Future[Result]] = Window(items, partial(self._begin, work), 2 * self.workers)
        deaths = 0
        while (task := window.oldest()) is not None:
            try:
                result = task.result()
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == TRIES:
                    raise UnavailableError(
                        f"a worker died {TRIES} times over {window.tasks[0][0]}: it was killed, for want of memory "
                        "perhaps; give fewer --workers"
                    ) from error
                self._pool.shutdown(wait=True)
                self._pool = self._started()
                window.again(_lost)
                continue
            deaths = 0
            window.tasks.popleft()
            yield result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of this process's threads
        return ProcessPoolExecutor(self.workers, context, initializer=_leave_interrupts)

    def _begin(self, work: Callable[[Item], Result], item: Item) -> Future[Result]:
        try:
            return self._pool.submit(work, item)
        except BrokenProcessPool as error:
            broken = Future[Result]()
            broken.set_exception(error)
            return broken


def _leave_interrupts() -> None:
    """Ctrl-C is for the command, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _lost(task: Future[Any]) -> bool:
    return isinstance(task.exception(), BrokenProcessPool)
