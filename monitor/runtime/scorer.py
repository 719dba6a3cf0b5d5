"""One thread that scores what was read and commits it; model swaps happen here, between two batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from monitor.core.accounting import Counts, Memory, MemoryChange, Outcome
from monitor.core.arrays import F64
from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError
from monitor.core.records import RawBatch
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.runtime.helpers import Ahead
from monitor.runtime.thread_names import show_name
from monitor.telemetry import Telemetry
from monitor.web import Health

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 5.0

IDLE_SECONDS = 1.0
"""How often streams are asked for what time alone brings while others are busy."""


class Result(Protocol):
    """What a pipeline says of one batch."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def scores(self) -> F64: ...
    @property
    def l1(self) -> F64: ...
    @property
    def newest_time(self) -> float | None: ...
    @property
    def stage_seconds(self) -> Mapping[str, float]: ...
    @property
    def lost_device(self) -> str: ...


class BatchProcessor(Protocol):
    """A stream's data path with one model. What was ``prepared`` of a batch, ``process`` need not do again.

    ``idle`` gives what has come to be known while nothing was processed, None if there is no such thing; ``ending``
    says that nothing more will come.
    ``memories`` is what it remembers of keys after all that it processed, by name. ``take_over`` goes on with what
    another held, and says of each that it cannot use why not. ``join`` remembers beside that what changes say,
    and gives those that it took, and why not of the others, by name.
    """

    def process(self, raw: RawBatch, prepared: Any = None) -> Result: ...
    def idle(self, *, ending: bool = False) -> Result | None: ...
    def memories(self) -> Mapping[str, Memory]: ...
    def take_over(self, memories: Mapping[str, Memory]) -> Mapping[str, str]: ...
    def join(self, changes: Sequence[MemoryChange]) -> tuple[Sequence[MemoryChange], Mapping[str, str]]: ...


class Committer(Protocol):
    """Makes outcomes durable, all or none; UnavailableError asks to be called again with the same.

    ``memories`` is what a stream remembers of keys after the outcomes that were committed, by name.
    """

    def commit(self, outcomes: Sequence[Outcome]) -> None: ...
    def memories(self, stream: str) -> Mapping[str, Memory]: ...


class Scorer(threading.Thread):
    """Takes what is queued, runs it through its stream's pipeline and commits the outcomes in one transaction.

    ``committed`` is called after each commit, with what is now durable of each batch.
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
        committed: Callable[[Outcome], None],
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
        self._dropped: dict[str, set[str]] = {}  # by stream: memories that go with the next commit
        self._lock = threading.Lock()  # held while a batch is processed: a swap waits for its end
        self._ending = threading.Event()
        self._idle_due = 0.0  # monotonic seconds
        self.totals = Counts()  # of this run

    def swap(self, pipelines: Mapping[str, BatchProcessor]) -> None:
        """Use these pipelines from the next batch on; streams that are not named keep theirs.

        What is remembered of keys goes on: as the pipeline before has it, or as it was committed last.
        """
        with self._lock:
            for stream, pipeline in pipelines.items():
                before = self._pipelines.get(stream)
                self._hand_over(stream, before.memories() if before else self._ledger.memories(stream), pipeline)
                self._pipelines[stream] = pipeline

    def _hand_over(self, stream: str, memories: Mapping[str, Memory], pipeline: BatchProcessor) -> None:
        for name, reason in pipeline.take_over(memories).items():
            self._telemetry.stream(stream).memory_dropped(name, reason)
            self._dropped.setdefault(stream, set()).add(name)

    def remove(self, stream: str) -> None:
        """Forget a stream; nothing of it may be queued any more."""
        with self._lock:
            self._pipelines.pop(stream, None)
            self._dropped.pop(stream, None)  # still in the ledger: whoever comes next finds it there

    def stop(self) -> None:
        """Ask the thread to end after its current batch."""
        self._ending.set()
        self._queue.wake()

    def run(self) -> None:
        show_name()
        try:
            while not self._ending.is_set():
                self._health.beat("scorer")
                taken = self._queue.take(self._max_records, timeout_seconds=0.25)
                if taken:
                    self._batch(taken)
                if not taken or self._clock.monotonic() >= self._idle_due:
                    self._idle()
            self._idle(ending=True)
        except BaseException as error:
            self._failed(error)
            raise

    def _batch(self, taken: Sequence[Queued]) -> None:
        results: list[Result] = []
        with self._lock:
            outcomes = self._drops()
            for item in taken:
                if item.sightings:
                    joined = self._join(item.stream, item.memories)
                    outcomes.append(Outcome(item.stream, item.sightings, Counts(), memories=joined))
                if item.raw is not None:
                    results.append(self._process(item.stream, item.raw, item.ahead))
                    outcomes.append(results[-1].outcome)
        seconds = self._commit(outcomes)
        if seconds is None:
            return
        for result in results:
            self._report(result)
        self._telemetry.committed(seconds)
        self._queue.done(taken)

    def _process(self, stream: str, raw: RawBatch, ahead: Ahead | None) -> Result:
        pipeline = self._pipelines[stream]
        prepared = ahead.result(pipeline) if ahead else None
        if prepared is not None:
            self._telemetry.helped()
        return pipeline.process(raw, prepared)

    def _join(self, stream: str, memories: Sequence[MemoryChange]) -> Sequence[MemoryChange]:
        """Have a pipeline remember what another daemon did; what of it it took."""
        if not memories:
            return ()
        joined, refused = self._pipelines[stream].join(memories)
        for name, reason in refused.items():
            self._telemetry.stream(stream).memory_dropped(name, reason)
        return joined

    def _idle(self, *, ending: bool = False) -> None:
        self._idle_due = self._clock.monotonic() + IDLE_SECONDS
        with self._lock:
            found = [result for pipeline in self._pipelines.values() if (result := pipeline.idle(ending=ending))]
        if found and self._commit([result.outcome for result in found]) is not None:
            for result in found:
                self._report(result)

    def _drops(self) -> list[Outcome]:
        """What is to be committed before anything of the pipelines that did not take it over."""
        dropped, self._dropped = self._dropped, {}
        return [Outcome(stream, (), Counts(), dropped=sorted(names)) for stream, names in dropped.items()]

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
            l1=result.l1,
            dead_letters=len(outcome.dead_letters),
        )
        stream.suppressed(outcome.suppressed)
        stream.device_lost(result.lost_device)
        for alert in outcome.alerts:
            if alert.state != "suppressed":
                stream.alert(alert.summary, alert.severity, alert.id, alert.score.value)
        for change in outcome.limit_changes:
            stream.threshold_moved(change.old, change.new, change.reason)
        self.totals += outcome.counts
        self._committed(outcome)
