"""What happens in one stream, one method each: its metrics and its log events."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Mapping

from monitor.core.accounting import Counts
from monitor.core.arrays import F32, F64
from monitor.core.clock import DAY_SECONDS, Clock
from monitor.core.drifted import Drifted
from monitor.core.limit import Limit
from monitor.telemetry.events import Events
from monitor.telemetry.names import (
    ABANDON_REASONS,
    RESET_REASONS,
    ROTATION_KINDS,
    SCORE_BOUNDS,
    STAGES,
    WATCH_MODES,
    WINDOWS,
)
from monitor.telemetry.recent import Recent
from monitor.telemetry.store import Histogram, Store, clamped

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
    "tail_lag_bytes",
    "files_open",
    "files_tracked",
    "identity_adoptions_total",
    "copies_ignored_total",
    "tail_oldest_unread_seconds",
    "pinned_deleted_bytes",
    "scan_seconds",
    "reservoir_errors_total",
    "reservoir_records",
    "reservoir_bytes",
    "reservoir_last_save_timestamp_seconds",
)


class StreamTelemetry:
    """Metrics and events of one stream; implements ``SourceEvents``. Every method may be called from any thread."""

    def __init__(self, name: str, store: Store, events: Events, clock: Clock) -> None:
        self.name = name
        self._store = store
        self._events = events
        self._clock = clock
        self._reread = 0  # records in flight that will be framed a second time
        self._pause_reason: str | None = None
        self._drift: Callable[[], Drifted] | None = None
        self._recent = {window: Recent(seconds, len(RECENT)) for window, seconds in WINDOWS.items()}
        with store.lock:
            self._start_at_zero()
            self._show_recent()

    def _start_at_zero(self) -> None:
        store, name = self._store, self.name
        for metric in (*PLAIN, *COUNTERS):
            store.add(0, metric, name)
        families = {
            "rotations_total": ROTATION_KINDS,
            "identity_resets_total": RESET_REASONS,
            "abandoned_bytes_total": ABANDON_REASONS,
            "stage_seconds_total": STAGES,
            "watch_mode": WATCH_MODES,
        }
        for metric, words in families.items():
            for word in words:
                store.add(0, metric, name, word)
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
        field_errors: Mapping[str, float] | None = None,
        dead_letters: int = 0,
    ) -> None:
        """A batch was committed.

        Args:
            counts: the change the batch brings; all of it, not only what was scored.
            scores: of the scored records, [scored], by the stream's method; above 1 is worse than its limit.
            seconds_by_stage: what each stage of the data path took.
            newest_event_time: seconds since 1970, None or NaN where unknown.
            l1: normalised L1 errors of the same records, [scored]; None when the scores are just these.
            field_errors: reconstruction error of each feature, summed over the scored records.
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
            for field, error in (field_errors or {}).items():
                store.add(error, "field_error_total", name, field)
            self._event_time(newest_event_time)

    def _count(self, counts: Counts) -> None:
        store, name = self._store, self.name
        for metric, field in COUNTERS.items():
            store.add(getattr(counts, field), metric, name)
        for recent in self._recent.values():
            recent.add(self._clock.monotonic(), (counts.scored, counts.episodes))
        store.add(-counts.read, "records_in_flight", name)
        self._reread = min(self._reread, max(0, int(store.get("records_in_flight", name))))

    def refresh(self) -> None:
        """Bring up to date what changes by itself; before a scrape."""
        with self._store.lock:
            self._show_recent()
            self._show_drift()

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

    def alert(self, summary: str, severity: str) -> None:
        """A record crossed the threshold. It has been counted with its batch; this only logs it."""
        self._events.info("alert", stream=self.name, severity=severity, summary=summary)

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
        with store.lock:
            store.drop("model_info", name)
            store.set(1, "model_info", name, version, sha256, method)
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

    def _expect(self, limit: Limit | None) -> None:
        """Show what the limit promises, and nothing where it does not: 0 would be a promise, too."""
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

    # -- SourceEvents ------------------------------------------------------------------------------------------

    def rotated(self, path: str, kind: str) -> None:
        self._count_word("rotations_total", kind, 1)
        self._events.info("rotated", stream=self.name, kind=kind, path=path)

    def identity_reset(self, path: str, reason: str) -> None:
        self._count_word("identity_resets_total", reason, 1)
        self._events.warning("identity_reset", stream=self.name, reason=reason, path=path)

    def file_failed(self, path: str, error: OSError) -> None:
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        self._count_word("file_errors_total", reason, 1)
        self._events.warning("file_failed", stream=self.name, reason=reason, path=path, message=str(error))

    def files(self, opened: int, tracked: int) -> None:
        with self._store.lock:
            self._store.set(opened, "files_open", self.name)
            self._store.set(tracked, "files_tracked", self.name)

    def bytes_abandoned(self, path: str, count: int, reason: str) -> None:
        self._count_word("abandoned_bytes_total", reason, count)
        self._events.error("bytes_abandoned", stream=self.name, reason=reason, bytes=count, path=path)

    def lag(self, behind_bytes: int) -> None:
        with self._store.lock:
            self._store.set(behind_bytes, "tail_lag_bytes", self.name)

    def unread(self, oldest_seconds: float, pinned_bytes: int) -> None:
        with self._store.lock:
            self._store.set(oldest_seconds, "tail_oldest_unread_seconds", self.name)
            self._store.set(pinned_bytes, "pinned_deleted_bytes", self.name)

    def adopted(self, path: str) -> None:
        self._count_one("identity_adoptions_total")
        self._events.info("adopted", stream=self.name, path=path)

    def copy_ignored(self, path: str) -> None:
        self._count_one("copies_ignored_total")
        self._events.info("copy_ignored", stream=self.name, path=path)

    def scanned(self, seconds: float, watch_mode: str) -> None:
        with self._store.lock:
            self._store.set(seconds, "scan_seconds", self.name)
            for mode in WATCH_MODES:
                self._store.set(mode == watch_mode, "watch_mode", self.name, mode)

    def _count_one(self, metric: str) -> None:
        with self._store.lock:
            self._store.add(1, metric, self.name)

    def _count_word(self, metric: str, word: str, amount: int) -> None:
        store = self._store
        with store.lock:
            store.add(amount, metric, self.name, store.word(metric, self.name, word))
