"""Processes that prepare batches ahead of the scorer, so that it uses more than one core.

They are a hint and no more. The scorer takes every batch in its turn, uses what was prepared of it for the very
pipeline that it has, and does all else itself: order, accounting and results are those of one process, whatever becomes
of a helper. Helpers leave the oldest batches to the scorer and take those behind: so both have something to do, and
nobody waits for the other.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import deque
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


@dataclass(slots=True, eq=False)
class Ahead:
    """A batch that may be prepared for one pipeline; ``future`` is there once a helper has it."""

    pipeline: object
    work: Work
    raw: RawBatch
    claim: Callable[[Ahead], None]
    future: Future[Any] | None = None

    def result(self, pipeline: object) -> Any:
        """What was prepared, if it was for this pipeline; None if it was not, or something went wrong.

        What is wrong with the batch itself the scorer finds as well.
        """
        self.claim(self)
        if self.future is None:
            return None
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
        self._waiting: deque[Ahead] = deque()  # which neither a helper nor the scorer has, the oldest first
        self._executor: Executor | None = None
        self._broken: Executor | None = None
        self._death = threading.Lock()  # nothing else is waited for while it is held
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
            before, _ = self._pipelines.get(stream, (None, None))
            self._waiting = deque(ahead for ahead in self._waiting if ahead.pipeline is not before)
            self._pipelines[stream] = (pipeline, work)

    def begin(self, stream: str, raw: RawBatch) -> Ahead | None:
        """Have a batch prepared, if a helper comes to it before the scorer; None where that would not help."""
        if not self._count or len(raw) < LEAST_RECORDS:
            return None
        with self._lock:
            if self._executor is not None and self._executor is self._broken:
                self._executor, self._ready = None, False
                self._due = self._clock.monotonic() + RESTART_SECONDS
            if self._executor is None and self._clock.monotonic() >= self._due:
                self._begin()
            if self._executor is None or stream not in self._pipelines:
                return None
            ahead = Ahead(*self._pipelines[stream], raw, self._claim)
            self._waiting.append(ahead)
            self._share()
            return ahead

    def _share(self) -> None:
        """Give helpers what they can begin soon, and leave the scorer as much that is older."""
        most = self._count + 1
        while self._executor and self._ready and self._unfinished < most < len(self._waiting):
            ahead = self._waiting[most]
            del self._waiting[most]
            ahead.future = self._submit(self._executor, ahead.work, ahead.raw)

    def _claim(self, ahead: Ahead) -> None:
        """The scorer has come to this batch: no helper begins with it any more."""
        with self._lock:
            if ahead in self._waiting:
                self._waiting.remove(ahead)

    def stop(self) -> None:
        """End them; what they have not prepared is done without them."""
        with self._lock:
            executor, self._executor, self._count = self._executor, None, 0
            self._pipelines.clear()
            self._waiting.clear()
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
        except BrokenExecutor as error:  # it died while it had nothing to do
            self._died(executor)
            future = Future[Any]()
            future.set_exception(error)
            return future
        self._unfinished += 1
        future.add_done_callback(partial(self._done, executor))
        return future

    def _done(self, executor: Executor, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._died(executor)
            return
        with self._lock:
            if executor is self._executor:
                self._unfinished -= 1
                self._ready = True
                self._share()

    def _died(self, executor: Executor) -> None:
        """Told by a thread of the executor, which from Python 3.12 on holds a lock that giving it work needs.

        So this may not wait for who gives work, nor shut the executor down, which is all but shut down anyway.
        """
        with self._death:
            if executor is self._broken or executor is not self._executor:  # told, or ended on purpose
                return
            self._broken = executor
        self._ended()
