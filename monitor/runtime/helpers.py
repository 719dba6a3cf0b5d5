"""Processes that prepare batches ahead of the scorer, so that it uses more than one core.

They are a hint and no more. The scorer takes every batch in its turn, uses what was prepared of it for the very
pipeline that it has, and does all else itself: order, accounting and results are those of one process, whatever becomes
of a helper.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from monitor.core.clock import Clock
from monitor.core.records import RawBatch

LEAST_RECORDS = 512
"""Fewer are sooner prepared than sent."""

PATIENCE_SECONDS = 10.0
"""A batch takes milliseconds; a helper that needs so long will not answer."""

RESTART_SECONDS = 5.0
"""Helpers that died are replaced after so long: if there is no memory for them, the daemon has it meanwhile."""

Work = Callable[[RawBatch], Any]
"""Prepares a batch; can be sent to another process."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A batch that is being prepared for one pipeline."""

    pipeline: object
    future: Future[Any]

    def result(self, pipeline: object) -> Any:
        """What was prepared, if it was for this pipeline; None if it was not, or something went wrong.

        What is wrong with the batch itself the scorer finds as well.
        """
        if pipeline is not self.pipeline:
            self.future.cancel()
            return None
        with suppress(Exception, CancelledError):
            return self.future.result(PATIENCE_SECONDS)
        return None


class Helpers:
    """The helping processes; there are none, and nothing is prepared, until ``renew``. ``ended`` hears if they die."""

    def __init__(self, clock: Clock, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._ended = ended
        self._lock = threading.RLock()  # what is done at once is told at once
        self._pipelines: dict[str, tuple[object, Work]] = {}
        self._executor: Executor | None = None
        self._count = 0
        self._unfinished = 0
        self._ready = False
        self._due = 0.0  # monotonic seconds: when to start them

    def renew(self, count: int, start: Callable[[], Executor]) -> None:
        """End those there are; from now on there are so many, made by ``start`` when there is something to do."""
        with self._lock:
            self.stop()
            self._count, self._start, self._due = count, start, self._clock.monotonic()

    def adopt(self, stream: str, pipeline: object, work: Work) -> None:
        """From now on batches of the stream are prepared for this pipeline."""
        with self._lock:
            self._pipelines[stream] = (pipeline, work)

    def begin(self, stream: str, raw: RawBatch) -> Ahead | None:
        """Have a batch prepared; None where that would not help: the scorer does it alone, and beside them."""
        if not self._count or len(raw) < LEAST_RECORDS:
            return None
        with self._lock:
            if self._executor is None and self._clock.monotonic() >= self._due:
                self._begin()
            executor = self._executor
            busy = not self._ready or self._unfinished > self._count
            if executor is None or busy or stream not in self._pipelines:
                return None
            pipeline, work = self._pipelines[stream]
            return Ahead(pipeline, self._submit(executor, work, raw))

    def stop(self) -> None:
        """End them; what they have not prepared is done without them."""
        with self._lock:
            executor, self._executor, self._count = self._executor, None, 0
            self._pipelines.clear()
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)
                for process in multiprocessing.active_children():
                    process.terminate()

    def _begin(self) -> None:
        self._ready, self._unfinished, self._executor = False, 0, self._start()
        self._submit(self._executor, int)  # nobody waits for processes that are not there yet

    def _submit(self, executor: Executor, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        try:
            future = executor.submit(work, *arguments)
        except BrokenExecutor as error:
            future = Future[Any]()
            future.set_exception(error)
        self._unfinished += 1
        future.add_done_callback(partial(self._done, executor))
        return future

    def _done(self, executor: Executor, future: Future[Any]) -> None:
        with self._lock:
            if executor is not self._executor:
                return
            self._unfinished -= 1
            self._ready = True
            if future.cancelled() or not isinstance(future.exception(), BrokenExecutor):
                return
            self._executor, self._ready = None, False
            self._due = self._clock.monotonic() + RESTART_SECONDS
        executor.shutdown(wait=False)
        self._ended()
