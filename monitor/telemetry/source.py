"""What happens where a stream reads, one method each: its metrics and its log events."""

from __future__ import annotations

import errno

from monitor.telemetry.events import Events
from monitor.telemetry.names import ABANDON_REASONS, FILE_ERRORS, RESET_REASONS, ROTATION_KINDS, WATCH_MODES
from monitor.telemetry.store import Store

PLAIN = (
    "source_disconnections_total",
    "source_lost_records_total",
    "tail_lag_bytes",
    "files_open",
    "files_tracked",
    "identity_adoptions_total",
    "copies_ignored_total",
    "tail_oldest_unread_seconds",
    "pinned_deleted_bytes",
    "scan_seconds",
)
FAMILIES = {
    "rotations_total": ROTATION_KINDS,
    "identity_resets_total": RESET_REASONS,
    "abandoned_bytes_total": ABANDON_REASONS,
    "file_errors_total": FILE_ERRORS,
    "watch_mode": WATCH_MODES,
}
"""Metrics with a label more than the stream, and the words it starts with."""


class SourceTelemetry:
    """Metrics and events of the source of one stream; implements ``SourceEvents``."""

    def __init__(self, name: str, store: Store, events: Events) -> None:
        self.name = name
        self._store = store
        self._events = events
        with store.lock:
            for metric in PLAIN:
                store.add(0, metric, name)
            for metric, words in FAMILIES.items():
                for word in words:
                    store.add(0, metric, name, word)

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

    def connected(self, place: str) -> None:
        with self._store.lock:
            self._store.set(1, "source_connected", self.name)
        self._events.info("source_connected", stream=self.name, place=place)

    def disconnected(self, place: str, reason: str) -> None:
        with self._store.lock:
            self._store.set(0, "source_connected", self.name)
            self._store.add(1, "source_disconnections_total", self.name)
        self._events.warning("source_disconnected", stream=self.name, place=place, message=reason)

    def records_lost(self, place: str, count: int) -> None:
        with self._store.lock:
            self._store.add(count, "source_lost_records_total", self.name)
        self._events.error("records_lost", stream=self.name, records=count, place=place)

    def lag_records(self, behind: int) -> None:
        with self._store.lock:
            self._store.set(behind, "source_lag_records", self.name)

    def _count_one(self, metric: str) -> None:
        with self._store.lock:
            self._store.add(1, metric, self.name)

    def _count_word(self, metric: str, word: str, amount: int) -> None:
        store = self._store
        with store.lock:
            store.add(amount, metric, self.name, store.word(metric, self.name, word))
