"""Processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from monitor.core.errors import UnavailableError
from monitor.engines.engine import TRIES, Item, Result, Window

LOST = (BrokenProcessPool, OSError)
"""What becomes of work when a worker dies: an OSError where it was just being handed over. One of the work's own comes
again when it is done alone."""


class Processes:
    """So many of them; None: one for each core that this process may use. See ``Engine``."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool = self._started()

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        window: Window[Item, Future[Result]] = Window(items, partial(self._begin, work), 2 * self.workers)
        for item, task in window:
            try:
                result = task.result()
            except LOST:
                result = self._alone(work, item)
                window.again(_lost)
            yield result

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _alone(self, work: Callable[[Item], Result], item: Item) -> Result:
        """With a worker all that was under way is lost, whatever it died of: whether of this item, is seen now."""
        for _ in range(TRIES):
            self._pool.shutdown(wait=True)
            self._pool = self._started()
            try:
                return self._pool.submit(work, item).result()
            except BrokenProcessPool:
                continue
        raise UnavailableError(
            f"a worker died {TRIES} times over {item}: it was killed, for want of memory perhaps; give fewer --workers"
        )

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
    return isinstance(task.exception(), LOST)
