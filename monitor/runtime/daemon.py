"""The long-running program: starts the threads, watches models and configuration, stops without losing a record.

Threads: reader (owns the sources), scorer (scores and commits), one sender a sink, HTTP. The main thread only
supervises. Order of stopping: reader, queue, scorer, senders, ledger; what was not committed is read again next time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from monitor.core.accounting import Counts, Outcome
from monitor.core.clock import Clock
from monitor.core.errors import AemonitorError, BundleError, ConfigError, TryLaterError, UnavailableError
from monitor.core.protocols import SourceContext
from monitor.ledger import Ledger
from monitor.model.calibration import method_of
from monitor.runtime.byte_queue import ByteQueue
from monitor.runtime.flow import Flow, PausingLedger
from monitor.runtime.helpers import Helpers
from monitor.runtime.memory import drop_what_was_replaced
from monitor.runtime.plan import ModelPipeline, Plan, SinkPlan, StreamPlan
from monitor.runtime.reader import Reader, StreamInput
from monitor.runtime.scorer import Scorer
from monitor.runtime.sender import Sender
from monitor.runtime.service_manager import ServiceManager
from monitor.runtime.serving import Serving
from monitor.runtime.signals import Signals
from monitor.runtime.throughput import Throughput
from monitor.telemetry import Telemetry
from monitor.web import STARTING

TICK_SECONDS = 0.25
MODEL_POLL_SECONDS = 1.0
CONFIG_POLL_SECONDS = 2.0
SHUTDOWN_SECONDS = 20.0
"""The batch that is being scored, and then the alerts that wait to be delivered, get so long each; mostly a moment."""
STOP_SECONDS = 4.0
"""How long a thread that was told to end may take, and how long commits may fail before a reload is refused."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: what it did, and whether everything that was read has been committed."""

    counts: Counts
    complete: bool


class Daemon:
    """One run of the monitor over a ledger.

    ``replan`` reads the configuration again and gives a new plan (raising ConfigError to keep the old one);
    ``config_changed`` says whether the file's content differs from what the last plan was made of.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        telemetry: Telemetry,
        clock: Clock,
        *,
        replan: Callable[[], Plan],
        config_changed: Callable[[], bool],
        manager: ServiceManager,
        serving: Serving,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._telemetry = telemetry
        self._health = health = serving.health
        self._clock = clock
        self._replan = replan
        self._config_changed = config_changed
        self._manager = manager
        self._serving = serving
        self._throughput = Throughput(clock)
        self._inputs: dict[str, StreamInput] = {}
        self._tried: dict[str, str] = {}  # the version last tried of each stream, taken up or refused
        self._refused: dict[str, AemonitorError] = {}
        self._senders: dict[str, tuple[object, Sender]] = {}
        self._broken: list[BaseException] = []
        self._signals = Signals()
        self._queue = ByteQueue(plan.queue_bytes)
        self._flow = Flow(self._queue, clock, health, turn_bytes=plan.turn_bytes, keep_one_in=plan.keep_one_in)
        self._helpers = Helpers(clock, telemetry.helpers_ended)
        self._helpers.renew(plan.helpers, plan.start_helpers)
        self._reader = Reader(
            self._queue,
            self._flow,
            ahead=self._helpers.begin,
            forget=self._forget,
            beat=lambda: health.beat("reader"),
            failed=self._thread_failed,
            gather_seconds=plan.gather_seconds,
        )
        self._scorer = Scorer(
            self._queue,
            PausingLedger(ledger, self._flow),
            telemetry,
            health,
            clock,
            max_records=plan.max_batch_records,
            failed=self._thread_failed,
            committed=self._on_committed,
        )

    def run(self) -> Ended:
        """Run until told to stop, or with ``plan.once`` until everything there is has been read.

        Raises:
            TryLaterError: no stream has a model to score with.
        """
        try:
            self._serving.prepare(self._plan.server)  # first of all: a wrong or busy address is known at once
            with self._signals:
                self._begin()
                self._serving.change_over()
                self._telemetry.started(self._serving.url)
                self._supervise()
                return self._finish()
        finally:
            self._halt()
            self._serving.stop()
            self._ledger.close()

    # -- start and supervision ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        for stream in self._plan.streams.values():
            self._manager.starting(f"loading the model of stream {stream.name}")
            self._adopt(stream, self._load(stream))
        if self._refused and (self._plan.once or not self._inputs):
            raise self._no_model()
        self._ledger.register(list(self._plan.sinks))
        self._start_senders(self._new_senders(self._plan))
        self._health.not_ready(STARTING, "it is starting: the files that are there are being looked at")
        self._scorer.start()
        self._reader.start()
        self._reader.replace(list(self._inputs.values()))

    def _no_model(self) -> AemonitorError:
        """Why there is nothing to score with: damage is told from what only has to be trained yet."""
        reasons = "; ".join(f"stream {name}: {error}" for name, error in self._refused.items())
        damaged = any(isinstance(error, BundleError) for error in self._refused.values())
        return (BundleError if damaged else TryLaterError)(f"nothing to score with: {reasons}")

    def _supervise(self) -> None:
        next_models = next_config = self._clock.monotonic()
        while not self._ended():
            self._signals.any.wait(TICK_SECONDS)
            self._signals.any.clear()
            now = self._clock.monotonic()
            if self._signals.reload.is_set() or (now >= next_config and self._config_changed()):
                self._signals.reload.clear()
                self._reload()
            if now >= next_config:
                self._serving.refresh()
                next_config = now + CONFIG_POLL_SECONDS
            if now >= next_models:
                self._take_up_models()
                next_models = now + MODEL_POLL_SECONDS
            self._observe()
            if self._reader.noted:
                self._manager.ready()

    def _ended(self) -> bool:
        if self._broken or self._signals.stop.is_set():
            return True
        return self._reader.exhausted

    def _observe(self) -> None:
        self._health.beat("supervisor")
        if self._reader.noted:
            self._health.ready(STARTING)
        self._telemetry.queue(*self._queue.size())
        if line := self._throughput.line(self._scorer.totals, self._health.missing()):
            self._manager.status(line)
        with suppress(UnavailableError):  # told by the scorer, which commits and tries again
            for name, sink in self._plan.sinks.items():
                self._telemetry.outbox(name, *self._ledger.outbox_state(name, sink.streams))

    # -- models ------------------------------------------------------------------------------------------------

    def _load(self, stream: StreamPlan) -> ModelPipeline | None:
        """The stream's pipeline with its newest model; None, with the reason shown to everyone, when it is refused."""
        version = _published(stream) or "none"
        self._tried[stream.name] = version
        try:
            pipeline = stream.load()
        except (BundleError, TryLaterError, ConfigError) as error:  # of the configuration: a calendar it names
            self._refused[stream.name] = error
            self._telemetry.stream(stream.name).model_refused(version, error)
            if stream.name not in self._inputs:
                self._health.not_ready(f"model:{stream.name}", f"stream {stream.name} has no usable model: {error}")
            return None
        self._refused.pop(stream.name, None)
        return pipeline

    def _adopt(self, stream: StreamPlan, pipeline: ModelPipeline | None) -> None:
        """Score with this pipeline from the next batch on; the first one of a stream opens its source."""
        if pipeline is None:
            return
        self._scorer.swap({stream.name: pipeline})
        self._helpers.adopt(stream.name, pipeline, stream.elsewhere(pipeline.bundle.version))
        self._tell_model(stream.name, pipeline)
        self._health.ready(f"model:{stream.name}")
        if stream.name not in self._inputs:
            self._inputs[stream.name] = self._open(stream)

    def _tell_model(self, stream: str, pipeline: ModelPipeline) -> None:
        bundle, contents = pipeline.bundle, pipeline.bundle.contents
        self._telemetry.stream(stream).model(
            version=bundle.version,
            sha256=bundle.sha256,
            method=method_of(contents.score),
            created=datetime.fromisoformat(bundle.created).timestamp(),
            threshold=pipeline.threshold,
            low=contents.calibration.low,
            high=contents.calibration.high,
            limit=pipeline.promise,
        )
        totals = dict.fromkeys(pipeline.suppressing, 0) | self._ledger.suppressed(stream)
        self._telemetry.stream(stream).suppression(totals)
        self._telemetry.stream(stream).watch_drift(pipeline.drifted)
        self._telemetry.stream(stream).watch_episodes(pipeline.open_episodes)

    def _take_up_models(self) -> None:
        """Swap in what has been published since; a refused version is tried once and the old model goes on."""
        for stream in self._plan.streams.values():
            if _published(stream) in (None, self._tried.get(stream.name)):
                continue
            opened = len(self._inputs)
            self._adopt(stream, self._load(stream))
            if len(self._inputs) > opened:
                self._reader.replace(list(self._inputs.values()))
            drop_what_was_replaced()

    def _open(self, stream: StreamPlan) -> StreamInput:
        telemetry = self._telemetry.stream(stream.name)
        telemetry.restored(self._ledger.counts(stream.name))
        context = SourceContext(
            stream=stream.name,
            resume=self._ledger.resume(stream.name),
            clock=self._clock,
            events=telemetry,
            wake=self._reader.wake,
            begin=self._ledger.begin(stream.name),
            max_records=self._plan.max_batch_records,
        )
        return StreamInput(stream.name, stream.open_source(context), stream.new_framer, telemetry)

    def _on_committed(self, outcome: Outcome) -> None:
        """Called by the scorer: tells the reader what is durable, and the senders that there may be alerts."""
        self._inputs[outcome.stream].committed.append(outcome)
        for _, sender in list(self._senders.values()):
            sender.wake()

    def _forget(self, stream: str, file_ids: Sequence[str]) -> None:
        """Called by the reader: these files are gone for good."""
        with suppress(UnavailableError):  # they are found missing again after the next start
            self._ledger.forget(stream, file_ids)

    # -- reload ------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        """Build the new configuration completely, then change over between two batches; on failure keep the old."""
        self._manager.reloading()
        try:
            plan = self._replan()
            pipelines = {name: stream.load() for name, stream in plan.streams.items()}
            self._serving.prepare(plan.server)
            if plan.sinks.keys() != self._plan.sinks.keys():
                self._ledger.register(list(plan.sinks))
            senders = self._new_senders(plan)
            self._settle(self._reopened(plan))
        except AemonitorError as error:
            self._serving.discard()
            self._telemetry.config_reloaded(ok=False, reason=str(error))
            return
        self._change_over(plan, pipelines, senders)
        self._serving.change_over()
        del pipelines
        drop_what_was_replaced()
        self._telemetry.config_reloaded(ok=True, reason="")

    def _reopened(self, plan: Plan) -> list[str]:
        """Streams whose source is closed by this plan, for good or to be opened with other options."""
        return [name for name in self._inputs if not self._same_reading(name, plan)]

    def _same_reading(self, name: str, plan: Plan) -> bool:
        return name in plan.streams and plan.streams[name].reading == self._plan.streams[name].reading

    def _settle(self, streams: Sequence[str]) -> None:
        """Pause the reader and let what is being scored of these streams be committed; what waits is read again.

        Raises:
            TryLaterError: that takes too long, the disk is full, say; the reader goes on.
        """
        self._reader.pause()
        begun = self._clock.monotonic()
        while not self._queue.withdraw(streams, TICK_SECONDS):
            self._observe()
            patience = STOP_SECONDS if self._flow.held else SHUTDOWN_SECONDS
            if self._broken or self._clock.monotonic() - begun > patience:
                self._reader.replace(list(self._inputs.values()))
                raise TryLaterError(
                    f"what was read could not be committed within {patience:g} seconds; reload again (SIGHUP) later"
                )

    def _change_over(self, plan: Plan, pipelines: dict[str, ModelPipeline], senders: dict[str, Sender]) -> None:
        """Take the plan up; the reader is paused and nothing waits to be scored of streams that are opened anew."""
        for name in self._reopened(plan):
            self._inputs.pop(name).finish()
            self._scorer.remove(name)
            if name not in plan.streams:
                self._telemetry.forget_stream(name)
        self._plan = plan
        self._helpers.renew(plan.helpers, plan.start_helpers)
        self._flow.keep_one_in = plan.keep_one_in
        self._reader.gather_seconds = plan.gather_seconds
        for name, stream in plan.streams.items():
            self._adopt(stream, pipelines[name])
        self._start_senders(senders)
        self._reader.replace(list(self._inputs.values()))

    def _new_senders(self, plan: Plan) -> dict[str, Sender]:
        """One for each sink that is new or has other options; none of them is started.

        Raises:
            AemonitorError: a sink cannot be used; what a sink opens for good it opens with its first alert.
        """
        return {
            name: Sender(sink, self._ledger, self._telemetry, self._thread_failed, self._running(name))
            for name, sink in plan.sinks.items()
            if name not in self._senders or self._senders[name][0] != _signature(sink)
        }

    def _running(self, name: str) -> Sender | None:
        return self._senders[name][1] if name in self._senders else None

    def _start_senders(self, senders: dict[str, Sender]) -> None:
        """Start these; stop what the plan no longer has or has with other options."""
        for name in [n for n, (options, _) in self._senders.items() if options != _signature(self._plan.sinks.get(n))]:
            self._senders.pop(name)[1].stop()
        for name, sender in senders.items():
            self._senders[name] = (_signature(self._plan.sinks[name]), sender)
            self._telemetry.sink(name)
            sender.start()

    # -- stop --------------------------------------------------------------------------------------------------

    def _finish(self) -> Ended:
        self._manager.stopping()
        self._reader.stop()
        self._reader.join()
        complete = self._drain()
        self._scorer.stop()
        self._scorer.join(STOP_SECONDS)
        self._deliver()
        for item in self._inputs.values():
            item.finish()
        self._telemetry.stopped()
        if self._broken:
            raise self._broken[0]
        return Ended(self._scorer.totals, complete)

    def _drain(self) -> bool:
        """Wait until what was read is committed, at the end of input for however long that takes."""
        while not self._queue.drained(TICK_SECONDS):
            if self._broken:
                return False
            if self._signals.stop.is_set():
                self._leave()
                return False
            self._observe()
        return True

    def _leave(self) -> None:
        """Let the batch that is being scored be committed and leave what waits to the next start, which reads it again.

        What was read of a pipe cannot be: that is scored while there is time.
        """
        files = [name for name, stream in self._plan.streams.items() if stream.rereadable]
        if self._queue.withdraw(files, SHUTDOWN_SECONDS):
            self._queue.drained(SHUTDOWN_SECONDS)

    def _deliver(self) -> None:
        """Let senders take what is in the outbox; what no sink takes in time is delivered after the next start."""
        senders = [sender for _, sender in self._senders.values()]
        for sender in senders:
            sender.stop()
        deadline = self._clock.monotonic() + SHUTDOWN_SECONDS
        for sender in senders:
            sender.join(max(0.0, deadline - self._clock.monotonic()))

    def _halt(self) -> None:
        """After a failure: end every thread that still runs before what they use is closed."""
        self._helpers.stop()
        threads: list[Reader | Scorer | Sender] = [
            self._reader,
            self._scorer,
            *(sender for _, sender in self._senders.values()),
        ]
        for thread in threads:
            thread.stop()
        for thread in threads:
            if thread.is_alive():
                thread.join(STOP_SECONDS)

    def _thread_failed(self, error: BaseException) -> None:
        """A thread died of something nobody expected: better a clean stop and a restart than half a daemon."""
        self._broken.append(error)
        self._telemetry.crashed(threading.current_thread().name, error)
        self._signals.any.set()


def _published(stream: StreamPlan) -> str | None:
    """The newest version; what is wrong with the pointer when it cannot be read, so that it too is tried once."""
    try:
        return stream.published()
    except BundleError as error:
        return str(error)


def _signature(sink: SinkPlan | None) -> object:
    return None if sink is None else (sink.options, sink.streams)
