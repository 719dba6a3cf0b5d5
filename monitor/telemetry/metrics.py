"""What happens in the program as a whole, one method each, and the scrape that shows it."""

from __future__ import annotations

import logging
import threading

from monitor.core.clock import Clock
from monitor.telemetry.chart import Point
from monitor.telemetry.events import Events
from monitor.telemetry.exposition import exposition, registry_of
from monitor.telemetry.glance import StreamOverview, overview
from monitor.telemetry.names import COMMIT_BOUNDS, LEVELS, RELOAD_RESULTS
from monitor.telemetry.store import Histogram, Store
from monitor.telemetry.stream import StreamTelemetry
from monitor.telemetry.web import WebTelemetry

DAEMON_COUNTERS = (
    "checkpoint_errors_total",
    "helped_batches_total",
    "helper_failures_total",
    "log_events_suppressed_total",
)
DAEMON_GAUGES = ("queue_bytes", "queue_batches", "checkpoint_last_success_timestamp_seconds")
SINK_SERIES = (
    "sink_delivered_total", "sink_failures_total", "sink_refused_total", "sink_stopped",
    "outbox_depth", "outbox_oldest_seconds",
)  # fmt: skip


class Telemetry:
    """Every metric and log event, one method each. Every method may be called from any thread."""

    def __init__(self, clock: Clock, events: Events | None = None) -> None:
        self._clock = clock
        self._events = Events(clock) if events is None else events
        self._store = Store(clock)
        self._registry = registry_of(self._store)
        self._making = threading.Lock()  # taken before the store's; a stream is made once
        self._streams: dict[str, StreamTelemetry] = {}
        with self._store.lock:
            self._start_at_zero()
        self.web = WebTelemetry(self._store, self._events)

    def _start_at_zero(self) -> None:
        store = self._store
        for name in (*DAEMON_COUNTERS, *DAEMON_GAUGES):
            store.add(0, name)
        for result in RELOAD_RESULTS:
            store.add(0, "config_reloads_total", result)
        for level in LEVELS:
            store.add(0, "log_events_total", level)
        store.histogram(Histogram.empty(COMMIT_BOUNDS), "checkpoint_commit_seconds")
        store.set(1, "checkpoint_last_successful")
        # The program runs only because its configuration was loaded.
        store.set(1, "config_last_reload_successful")
        store.set(self._clock.now(), "config_last_reload_success_timestamp_seconds")

    # -- streams -----------------------------------------------------------------------------------------------

    def stream(self, name: str) -> StreamTelemetry:
        """The telemetry of a stream; its series exist, at 0, from the first call on."""
        with self._making:
            if name not in self._streams:
                self._streams[name] = StreamTelemetry(name, self._store, self._events, self._clock)
            return self._streams[name]

    def forget_stream(self, name: str) -> None:
        """The stream is no longer configured: its series go."""
        with self._making, self._store.lock:
            self._streams.pop(name, None)
            self._store.forget("stream", name)

    # -- the daemon --------------------------------------------------------------------------------------------

    def build_info(self, version: str, python: str, torch: str) -> None:
        """The versions of the program, of Python and of torch."""
        with self._store.lock:
            self._store.set(1, "build_info", version, python, torch)

    def device(self, device: str, message: str) -> None:
        """Where models are computed (``cpu``, ``cuda:0``), and a sentence on why."""
        with self._store.lock:
            self._store.set(1, "device_info", device)
        self._events.info("device", device=device, message=message)

    def started(self, url: str | None) -> None:
        """Everything runs; ``url`` is where metrics are served, if they are."""
        self._events.info("started", url=url or "none")

    def stopped(self) -> None:
        """Everything has been stopped in order."""
        self._events.flush()
        self._events.info("stopped")

    def crashed(self, thread: str, error: BaseException) -> None:
        """A thread died of something nobody expected; the program is going to stop."""
        self._events.error("crashed", error=error, thread=thread, message=f"{type(error).__name__}: {error}")

    def helped(self) -> None:
        """A batch was prepared by a helping process."""
        with self._store.lock:
            self._store.add(1, "helped_batches_total")

    def helpers_ended(self) -> None:
        """Processes that prepare batches died; the daemon goes on alone until they are replaced."""
        with self._store.lock:
            self._store.add(1, "helper_failures_total")
        self._events.warning("helpers_ended", message="they were killed, perhaps for want of memory")

    def config_reloaded(self, *, ok: bool, reason: str = "") -> None:
        """A changed configuration is in use, or was refused for ``reason`` and the old one stays in use."""
        with self._store.lock:
            self._store.add(1, "config_reloads_total", RELOAD_RESULTS[0] if ok else RELOAD_RESULTS[1])
            self._store.set(int(ok), "config_last_reload_successful")
            if ok:
                self._store.set(self._clock.now(), "config_last_reload_success_timestamp_seconds")
        if ok:
            self._events.info("config_reloaded")
        else:
            self._events.error("config_refused", message=reason)

    def queue(self, size_bytes: int, batches: int) -> None:
        """What waits to be scored."""
        with self._store.lock:
            self._store.set(size_bytes, "queue_bytes")
            self._store.set(batches, "queue_batches")

    # -- the ledger --------------------------------------------------------------------------------------------

    def committed(self, seconds: float) -> None:
        """A transaction took so long."""
        with self._store.lock:
            self._store.observe_one(seconds, "checkpoint_commit_seconds")
            self._store.set(self._clock.now(), "checkpoint_last_success_timestamp_seconds")
            recovered = not self._store.get("checkpoint_last_successful")
            self._store.set(1, "checkpoint_last_successful")
        if recovered:
            self._events.info("commit_recovered")

    def commit_failed(self, error: Exception) -> None:
        """Progress could not be written. Nothing is lost, but it will not get better by itself."""
        with self._store.lock:
            self._store.add(1, "checkpoint_errors_total")
            self._store.set(0, "checkpoint_last_successful")
        self._events.error("commit_failed", message=str(error))

    def ledger_replaced(self, error: Exception) -> None:
        """The ledger was damaged; it was put aside and a new one begun, as the configuration asks for."""
        self._events.error("ledger_replaced", message=str(error))

    # -- sinks -------------------------------------------------------------------------------------------------

    def sink(self, name: str) -> None:
        """A sink is configured: its series exist from now on. Every other method about a sink does this too."""
        with self._store.lock:
            self._know_sink(name)
            self._store.set(0, "sink_stopped", name)

    def forget_sink(self, name: str) -> None:
        """The sink is no longer configured: its series go."""
        with self._store.lock:
            self._store.forget("sink", name)

    def delivered(self, sink: str, alerts: int) -> None:
        """A sink accepted so many alerts."""
        with self._store.lock:
            self._know_sink(sink)
            self._store.add(alerts, "sink_delivered_total", sink)

    def delivery_failed(self, sink: str, error: Exception) -> None:
        """A sink did not accept alerts; they stay in the outbox."""
        with self._store.lock:
            self._know_sink(sink)
            self._store.add(1, "sink_failures_total", sink)
        self._events.warning("delivery_failed", sink=sink, message=str(error))

    def alert_refused(self, sink: str, alert_id: str, error: Exception) -> None:
        """A sink will never take this alert: it goes on with the next one, and a person has to look at this one."""
        with self._store.lock:
            self._know_sink(sink)
            self._store.add(1, "sink_refused_total", sink)
        self._events.error("alert_refused", sink=sink, alert=alert_id, message=str(error))

    def sink_stopped(self, sink: str, error: Exception) -> None:
        """A sink wants no more alerts; they wait in the outbox until its configuration changes."""
        with self._store.lock:
            self._know_sink(sink)
            self._store.set(1, "sink_stopped", sink)
        self._events.error("sink_stopped", sink=sink, message=str(error))

    def outbox(self, sink: str, depth: int, oldest_seconds: float) -> None:
        """What waits to be delivered. Its age goes on growing until the next call, should the sender hang."""
        store, series = self._store, ("outbox_oldest_seconds", sink)
        with store.lock:
            self._know_sink(sink)
            store.set(depth, "outbox_depth", sink)
            store.halt(*series)
            store.set(oldest_seconds if depth else 0, *series)
            if depth:
                store.tick(self._clock.monotonic(), *series)

    def _know_sink(self, name: str) -> None:
        for metric in SINK_SERIES:
            self._store.add(0, metric, name)

    # -- what others see ---------------------------------------------------------------------------------------

    def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """The body and the content type of a scrape; ``accept`` is the HTTP header of that name."""
        with self._making:
            streams = list(self._streams.values())
        for stream in streams:
            stream.refresh()
        with self._store.lock:
            self._store.set(self._events.suppressed_total, "log_events_suppressed_total")
            for level, count in self._events.totals.items():
                self._store.set(count, "log_events_total", logging.getLevelName(level).lower())
        return exposition(self._registry, accept)

    def overview(self) -> list[StreamOverview]:
        """Every stream as it stands, in the order of their names."""
        with self._making:
            streams = sorted(self._streams.items())
        for _, stream in streams:
            stream.refresh()
        snapshot = self._store.snapshot()
        return [overview(name, snapshot, stream.seen()) for name, stream in streams]

    def chart(self, stream: str, window: str) -> tuple[Point, ...] | None:
        """The scores of the last hour (``1h``) or day (``1d``), the oldest first; None: there is no such stream."""
        with self._making:
            found = self._streams.get(stream)
        return None if found is None else found.chart(window)
