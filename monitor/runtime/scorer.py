"""One thread that scores what was read and commits it; model swaps happen here, between two batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from monitor.core.accounting import Counts, Outcome, Position
from monitor.core.arrays import F64
from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError
from monitor.core.records import RawBatch
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.telemetry import Telemetry
from monitor.web import Health

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 5.0


class Result(Protocol):
    """What a pipeline says of one batch."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def scores(self) -> F64: ...
    @property
    def newest_time(self) -> float | None: ...
    @property
    def stage_seconds(self) -> Mapping[str, float]: ...


class BatchProcessor(Protocol):
    """A stream's data path with one model."""

    def process(self, raw: RawBatch) -> Result: ...


class Committer(Protocol):
    """Makes outcomes durable, all or none; UnavailableError asks to be called again with the same."""

    def commit(self, outcomes: Sequence[Outcome]) -> None: ...


class Scorer(threading.Thread):
    """Takes what is queued, runs it through its stream's pipeline and commits the outcomes in one transaction.

    ``committed`` is called after each commit, with the positions that are now durable.
    """

    def __init__(
        self,
        queue: ByteQueue,
        ledger: Committer,
        telemetry: Telemetry,
        health: Health,
        clock: Clock,
        *,
        max_records: int,
        failed: Callable[[BaseException], None],
        committed: Callable[[str, Sequence[Position]], None],
    ) -> None:
        super().__init__(name="scorer", daemon=True)
        self._queue = queue
        self._ledger = ledger
        self._telemetry = telemetry
        self._clock = clock
        self._max_records = max_records
        self._health = health
        self._failed = failed
        self._committed = committed
        self._pipelines: dict[str, BatchProcessor] = {}
        self._lock = threading.Lock()  # held while a batch is processed: a swap waits for its end
        self._ending = threading.Event()
        self.totals = Counts()  # of this run

    def swap(self, pipelines: Mapping[str, BatchProcessor]) -> None:
        """Use these pipelines from the next batch on; streams that are not named keep theirs."""
        with self._lock:
            self._pipelines.update(pipelines)

    def remove(self, stream: str) -> None:
        """Forget a stream; nothing of it may be queued any more."""
        with self._lock:
            self._pipelines.pop(stream, None)

    def stop(self) -> None:
        """Ask the thread to end after its current batch."""
        self._ending.set()

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                self._health.beat("scorer")
                taken = self._queue.take(self._max_records, timeout_seconds=0.25)
                if taken:
                    self._batch(taken)
        except BaseException as error:
            self._failed(error)
            raise

    def _batch(self, taken: Sequence[Queued]) -> None:
        seen = [Outcome(item.stream, item.sightings, Counts()) for item in taken if item.sightings]
        with self._lock:
            results = [self._pipelines[item.stream].process(item.raw) for item in taken if item.raw is not None]
        seconds = self._commit([*seen, *(result.outcome for result in results)])
        if seconds is None:
            return
        for result in results:
            self._report(result)
        self._telemetry.committed(seconds)
        self._queue.done(len(taken))

    def _commit(self, outcomes: Sequence[Outcome]) -> float | None:
        """Commit, again and again while the state directory cannot be written; None when told to stop meanwhile.

        Nothing new is read into memory beyond the queue's limit in the meantime, and nothing is lost: what is not
        committed is read again after a restart.
        """
        delay = FIRST_RETRY_SECONDS
        while True:
            begun = self._clock.monotonic()
            try:
                self._ledger.commit(outcomes)
            except UnavailableError as error:
                self._telemetry.commit_failed(error)
                self._health.not_ready("ledger", str(error))
                self._health.beat("scorer")
                if self._ending.wait(delay):
                    return None
                delay = min(2 * delay, LONGEST_RETRY_SECONDS)
            else:
                self._health.ready("ledger")
                return self._clock.monotonic() - begun

    def _report(self, result: Result) -> None:
        outcome = result.outcome
        stream = self._telemetry.stream(outcome.stream)
        stream.batch(
            outcome.counts,
            result.scores,
            result.stage_seconds,
            result.newest_time,
            dead_letters=len(outcome.dead_letters),
        )
        for alert in outcome.alerts:
            stream.alert(alert.summary, alert.severity)
        self.totals += outcome.counts
        self._committed(outcome.stream, outcome.positions)
