"""What happens in one stream, one method each: its metrics and its log events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from monitor.core.accounting import Counts
from monitor.core.arrays import F32, F64
from monitor.core.clock import DAY_SECONDS, Clock
from monitor.core.drifted import Drifted
from monitor.core.limit import Limit
from monitor.telemetry.chart import Point
from monitor.telemetry.events import Events
from monitor.telemetry.glance import Glance, Seen
from monitor.telemetry.names import SCORE_BOUNDS, STAGES, WINDOWS
from monitor.telemetry.recent import Recent
from monitor.telemetry.source import SourceTelemetry
from monitor.telemetry.store import Example, Histogram, Store, clamped

EXPECTATIONS = (
    "expected_false_alert_ratio",
    "expected_false_alert_upper_ratio",
    "expected_false_alerts_per_second",
    "expected_false_alerts_upper_per_second",
)

COUNTERS = {
    "records_scored_total": "scored",
    "records_unparsed_total": "unparsed",
    "records_filtered_total": "filtered",
    "records_sampled_out_total": "sampled_out",
    "alerts_total": "alerts",
    "alert_episodes_total": "episodes",
    "alerts_told_total": "told",
    "tail_bytes_read_total": "bytes",
    "truncated_records_total": "truncated",
    "truncated_bytes_total": "dropped_bytes",
    "decode_errors_total": "replaced_bytes",
    "nul_bytes_skipped_total": "skipped_bytes",
}
"""Which metric shows which of the committed counts."""
RECENT = ("recent_records_scored", "recent_alert_episodes")
DRIFT = ("field_drift_ratio", "unseen_ratio", "expected_unseen_ratio")
PLAIN = (
    "records_read_total",
    "threshold_changes_total",
    "dead_letters_total",
    "paused_seconds_total",
    "model_refusals_total",
    "records_in_flight",
    "episodes_open",
    "reservoir_errors_total",
    "reservoir_records",
    "reservoir_bytes",
    "reservoir_last_save_timestamp_seconds",
)


class StreamTelemetry(SourceTelemetry):
    """Metrics and events of one stream and its source. Every method may be called from any thread."""

    def __init__(self, name: str, store: Store, events: Events, clock: Clock) -> None:
        super().__init__(name, store, events)
        self._device_lost = False
        self._clock = clock
        self._reread = 0  # records in flight that will be framed a second time
        self._pause_reason: str | None = None
        self._drift: Callable[[], Drifted] | None = None
        self._promise: Limit | None = None
        self._glance = Glance(clock)
        self._open_episodes: Callable[[], int] = int  # none, before there is a model
        self._recent = {window: Recent(seconds, len(RECENT)) for window, seconds in WINDOWS.items()}
        with store.lock:
            self._start_at_zero()
            self._show_recent()

    def _start_at_zero(self) -> None:
        store, name = self._store, self.name
        for metric in (*PLAIN, *COUNTERS):
            store.add(0, metric, name)
        for stage in STAGES:
            store.add(0, "stage_seconds_total", name, stage)
        for metric in ("score", "score_l1"):
            store.histogram(Histogram.empty(SCORE_BOUNDS), metric, name)

    # -- records -----------------------------------------------------------------------------------------------

    def restored(self, counts: Counts) -> None:
        """Go on from the totals the ledger holds. Called whenever the source is opened.

        Records still in flight then were read and not committed, so they will be read again; they stay in flight and
        are not counted a second time.
        """
        store, name = self._store, self.name
        with store.lock:
            self._reread = int(store.get("records_in_flight", name))
            store.set(counts.read + self._reread, "records_read_total", name)
            for metric, field in COUNTERS.items():
                store.set(getattr(counts, field), metric, name)

    def framed(self, records: int) -> None:
        """So many records were cut out of the input. To be called before anyone can commit them."""
        store, name = self._store, self.name
        with store.lock:
            new = max(0, records - self._reread)
            self._reread = max(0, self._reread - records)
            store.add(new, "records_read_total", name)
            store.add(new, "records_in_flight", name)

    def batch(
        self,
        counts: Counts,
        scores: F32 | F64,
        seconds_by_stage: Mapping[str, float],
        newest_event_time: float | None = None,
        *,
        l1: F32 | F64 | None = None,
        dead_letters: int = 0,
    ) -> None:
        """A batch was committed.

        Args:
            counts: the change the batch brings; all of it, not only what was scored.
            scores: of the scored records, [scored], by the stream's method; above 1 is worse than its limit.
            seconds_by_stage: what each stage of the data path took.
            newest_event_time: seconds since 1970, None or NaN where unknown.
            l1: normalised L1 errors of the same records, [scored]; None when the scores are just these.
            dead_letters: unparsed records that were kept.
        """
        store, name = self._store, self.name
        observed = {
            "score": clamped(scores),
            "score_l1": clamped(scores if l1 is None else l1),
        }  # outside the lock: a scrape need not wait
        with store.lock:
            self._count(counts)
            store.add(dead_letters, "dead_letters_total", name)
            for metric, values in observed.items():
                store.observe(values, metric, name)
            for stage, seconds in seconds_by_stage.items():
                store.add(seconds, "stage_seconds_total", name, store.word("stage_seconds_total", name, stage))
            self._glance.batch(observed["score"], counts, store.get("threshold", name) or None)
            self._event_time(newest_event_time)

    def _count(self, counts: Counts) -> None:
        store, name = self._store, self.name
        for metric, field in COUNTERS.items():
            store.add(getattr(counts, field), metric, name)
        for recent in self._recent.values():
            recent.add(self._clock.monotonic(), (counts.scored, counts.episodes))
        store.add(-counts.read, "records_in_flight", name)
        self._reread = min(self._reread, max(0, int(store.get("records_in_flight", name))))

    def chart(self, window: str) -> tuple[Point, ...]:
        """The scores of the last hour (``1h``) or day (``1d``) of this run, the oldest first."""
        with self._store.lock:
            return self._glance.points(window)

    def seen(self) -> Seen:
        """What no metric says of the stream."""
        with self._store.lock:
            drifted = None if self._drift is None else self._drift()
            return self._glance.seen(self._pause_reason, drifted, self._promise)

    def refresh(self) -> None:
        """Bring up to date what changes by itself; before a scrape."""
        with self._store.lock:
            self._show_recent()
            self._show_drift()
            self._store.set(self._open_episodes(), "episodes_open", self.name)

    def _show_recent(self) -> None:
        for window, recent in self._recent.items():
            for metric, number in zip(RECENT, recent.sums(self._clock.monotonic()), strict=True):
                self._store.set(number, metric, self.name, window)

    def _show_drift(self) -> None:
        """Show what is known of it, and nothing where nothing is: 0 would say that all is well."""
        if self._drift is None:
            return
        now = self._drift()
        for field, ratio in now.ratios().items():
            self._store.set(ratio, "field_drift_ratio", self.name, field)
        for metric, share in (("unseen_ratio", now.novel), ("expected_unseen_ratio", now.usual.novel)):
            if share is not None and not math.isnan(share):
                self._store.set(share, metric, self.name)

    def _event_time(self, newest: float | None) -> None:
        if newest is not None and math.isfinite(newest):
            self._store.set(newest, "source_newest_event_timestamp_seconds", self.name)
            self._store.set(self._clock.now() - newest, "source_event_lag_seconds", self.name)

    def alert(self, summary: str, severity: str, alert_id: str, score: float) -> None:
        """Somebody is told of a record. It has been counted with its batch; this logs it, and makes it an example."""
        now, value = self._clock.now(), float(clamped(np.array([score]))[0])
        with self._store.lock:
            self._store.exemplify(Example(alert_id, 1.0, now), "alerts_total", self.name)
            self._store.exemplify(Example(alert_id, value, now), "score", self.name)
        self._events.info("alert", stream=self.name, severity=severity, id=alert_id, summary=summary)

    def suppression(self, totals: Mapping[str, int]) -> None:
        """How many alerting records each rule suppressed up to now; committed."""
        with self._store.lock:
            self._store.drop("alerts_suppressed_total", self.name)
            for rule, count in totals.items():
                self._store.set(count, "alerts_suppressed_total", self.name, rule)

    def suppressed(self, counts: Mapping[str, int]) -> None:
        """A batch had more of them; committed."""
        with self._store.lock:
            for rule, count in counts.items():
                self._store.add(count, "alerts_suppressed_total", self.name, rule)

    def threshold_moved(self, old: float, new: float, reason: str) -> None:
        """A threshold that follows is another one now; committed."""
        with self._store.lock:
            self._store.set(new, "threshold", self.name)
            self._store.add(1, "threshold_changes_total", self.name)
        self._events.info("threshold_moved", stream=self.name, old=old, new=new, because=reason)

    # -- flow --------------------------------------------------------------------------------------------------

    def paused(self, reason: str) -> None:
        """Reading stopped for now; nothing is lost."""
        with self._store.lock:
            if not self._store.ticking("paused_seconds_total", self.name):
                self._store.tick(self._clock.monotonic(), "paused_seconds_total", self.name)
            told, self._pause_reason = self._pause_reason == reason, reason
        if not told:
            self._events.warning("paused", stream=self.name, reason=reason)

    def resumed(self) -> None:
        """Reading goes on; nothing happens when it was not paused."""
        with self._store.lock:
            was_paused = self._store.ticking("paused_seconds_total", self.name)
            self._store.halt("paused_seconds_total", self.name)
            self._pause_reason = None
        if was_paused:
            self._events.info("resumed", stream=self.name)

    # -- model -------------------------------------------------------------------------------------------------

    def device_lost(self, reason: str) -> None:
        """Why the GPU failed that was to compute the model in use, if it did; the CPU computes instead."""
        if not reason or self._device_lost:
            return
        self._device_lost = True
        with self._store.lock:
            self._store.set(1, "device_lost", self.name)
        self._events.warning("device_lost", stream=self.name, message=f"the CPU goes on: {reason}")

    def model(
        self,
        *,
        version: str,
        sha256: str,
        created: float,
        threshold: float,
        low: float,
        high: float,
        method: str = "l1",
        limit: Limit | None = None,
    ) -> None:
        """A model was loaded.

        Args:
            version: its name.
            sha256: its content.
            created: when it was trained, seconds since 1970.
            threshold: the score above which a record is an alert.
            low: smallest L1 error of its benign calibration records.
            high: largest L1 error of its benign calibration records.
            method: how its score is made.
            limit: what to expect of benign records, if it is known.
        """
        store, name = self._store, self.name
        self._device_lost = False
        with store.lock:
            store.drop("model_info", name)
            store.set(1, "model_info", name, version, sha256, method)
            store.set(1, "model_last_load_successful", name)
            store.set(0, "device_lost", name)
            store.set(created, "model_created_timestamp_seconds", name)
            store.set(self._clock.now(), "model_loaded_timestamp_seconds", name)
            store.set(threshold, "threshold", name)
            store.set(low, "benign_error_min", name)
            store.set(high, "benign_error_max", name)
            self._expect(limit)
            usable = math.isfinite(threshold) and threshold >= 0
            fresh = Histogram.empty((*SCORE_BOUNDS, threshold) if usable else SCORE_BOUNDS)
            # Counts cannot be spread over other buckets afterwards: with another threshold the histogram starts anew.
            if fresh.bounds != store.bounds("score", name):
                store.histogram(fresh, "score", name)
        self._events.info("model_loaded", stream=name, version=version, threshold=threshold)

    def watch_drift(self, drift: Callable[[], Drifted]) -> None:
        """``drift`` tells how far records have moved away from the model; asked at every scrape, by any thread."""
        with self._store.lock:
            self._drift = drift
            for metric in DRIFT:  # of the model before, which may have had other features
                self._store.drop(metric, self.name)
            self._show_drift()

    def watch_episodes(self, still_open: Callable[[], int]) -> None:
        """``still_open`` tells how many episodes are going on; asked at every scrape, by any thread."""
        self._open_episodes = still_open

    def _expect(self, limit: Limit | None) -> None:
        """Show what the limit promises, and nothing where it does not: 0 would be a promise, too."""
        self._promise = limit
        shown: list[float] = []
        if limit:
            shown = [limit.share, limit.share_upper]
        if limit and limit.daily:
            shown += [limit.daily.expected / DAY_SECONDS, limit.daily.upper / DAY_SECONDS]
        for metric in EXPECTATIONS:
            self._store.drop(metric, self.name)
        for metric, value in zip(EXPECTATIONS, shown, strict=False):  # without days only the first two are known
            self._store.set(value, metric, self.name)

    def model_refused(self, version: str, error: Exception) -> None:
        """A published model was not loaded; the one in use, if any, stays."""
        with self._store.lock:
            self._store.add(1, "model_refusals_total", self.name)
            self._store.set(0, "model_last_load_successful", self.name)
        self._events.error("model_refused", stream=self.name, version=version, message=str(error))

    def memory_dropped(self, name: str, reason: str) -> None:
        """What a feature remembered of keys is of no use to the model that was loaded; the feature begins empty.

        Likewise the limit and episodes, whose names begin with NUL, and the averages of scores, who have none.
        """
        self._events.warning("memory_dropped", stream=self.name, feature=name.lstrip("\0") or "scores", reason=reason)

    # -- reservoir ---------------------------------------------------------------------------------------------

    def reservoir_saved(self, records: int, size_bytes: int, when: float) -> None:
        """The sample of benign records is on the disk, ``when`` in seconds since 1970; 0: there is none yet."""
        with self._store.lock:
            self._store.set(records, "reservoir_records", self.name)
            self._store.set(size_bytes, "reservoir_bytes", self.name)
            self._store.set(when, "reservoir_last_save_timestamp_seconds", self.name)

    def reservoir_failed(self, error: Exception) -> None:
        """The sample could not be saved; it will be tried again, and scoring goes on."""
        self._count_one("reservoir_errors_total")
        self._events.warning("reservoir_failed", stream=self.name, message=str(error))

    def reservoir_skipped(self, path: str, reason: str) -> None:
        """A file of the sample cannot be used; the sample goes on without it."""
        self._events.warning("reservoir_skipped", stream=self.name, path=path, reason=reason)
