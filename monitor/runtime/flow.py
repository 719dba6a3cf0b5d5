"""How much may be read now: all, a share of it, or nothing while the scorer is behind or nothing can be committed.

Reading stops, looking for files does not: rotated files are still found and held open.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.accounting import Memory, Outcome
from monitor.core.arrays import I64
from monitor.core.clock import Clock
from monitor.core.errors import UnavailableError
from monitor.core.records import RawBatch
from monitor.core.rows import lines_of
from monitor.runtime.byte_queue import ByteQueue
from monitor.runtime.scorer import Committer
from monitor.telemetry import StreamTelemetry
from monitor.web import Health

BLIP_SECONDS = 1.0
"""A queue that is full for less is how reading and scoring keep step while there is a backlog; nobody need know."""

UNREADY_SECONDS = 60.0
"""Paused for so long, the program does not do its work."""

MIXER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio (Fibonacci hashing): offsets one record apart end up anywhere."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Bytes that may be read in a turn, and of how many records one is to be kept."""

    budget_bytes: int
    keep_one_in: int = 1


class Flow:
    """Decides by the queue, and by what the committer says. ``hold`` and ``release`` may be called from any thread.

    ``keep_one_in`` is 1 where nothing may be passed over; otherwise that share is kept while the queue is more than
    half full, so that reading keeps up with the writer for longer.
    """

    def __init__(self, queue: ByteQueue, clock: Clock, health: Health, *, turn_bytes: int, keep_one_in: int) -> None:
        self._queue = queue
        self._clock = clock
        self._health = health
        self._turn_bytes = turn_bytes
        self.keep_one_in = keep_one_in
        self._lock = threading.Lock()
        self._held: str | None = None
        self._since: float | None = None  # monotonic seconds: when the queue was found full, or reading was held
        self._paused = False

    def hold(self, reason: str) -> None:
        """Read nothing until ``release``."""
        with self._lock:
            self._held = reason

    def release(self) -> None:
        """What was held goes on."""
        with self._lock:
            self._held = None

    @property
    def held(self) -> bool:
        """Whether ``release`` is waited for."""
        with self._lock:
            return self._held is not None

    def allowance(self) -> Allowance:
        """What the next turn may read: a whole turn or nothing, since many small batches cost far more."""
        room = self._queue.room()
        if self._reason(room) is not None:
            return Allowance(0)
        crowded = room < self._queue.limit_bytes // 2
        return Allowance(self._turn_bytes, self.keep_one_in if crowded else 1)

    def tell(self, streams: Iterable[StreamTelemetry]) -> None:
        """Once a round: make known to everyone for how long nothing has been read, and why."""
        reason, now = self._reason(self._queue.room()), self._clock.monotonic()
        if reason is None:
            self._since = None
            self._resume(streams)
            return
        self._since = now if self._since is None else self._since
        if self._held is None and now - self._since < BLIP_SECONDS:
            return
        self._paused = True
        for stream in streams:
            stream.paused(reason)
        if now - self._since >= UNREADY_SECONDS:
            self._health.not_ready("reading", f"nothing has been read for {now - self._since:.0f} s: {reason}")

    def _resume(self, streams: Iterable[StreamTelemetry]) -> None:
        if self._paused:
            self._paused = False
            self._health.ready("reading")
            for stream in streams:
                stream.resumed()

    def _reason(self, room: int) -> str | None:
        with self._lock:
            if self._held is not None:
                return self._held
        return "records come faster than they are scored" if room < self._turn_bytes else None


class PausingLedger:
    """The ledger as the scorer sees it: while nothing can be committed, nothing is read."""

    def __init__(self, ledger: Committer, flow: Flow) -> None:
        self._ledger = ledger
        self._flow = flow

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        try:
            self._ledger.commit(outcomes)
        except UnavailableError:
            self._flow.hold("progress cannot be committed")
            raise
        self._flow.release()

    def memories(self, stream: str) -> Mapping[str, Memory]:
        return self._ledger.memories(stream)


def thinned(raw: RawBatch, keep_one_in: int) -> RawBatch:
    """One record of so many; which ones, their places in the file decide, so that a replay keeps the same.

    At least one is kept. The others are counted in ``sampled_out``, their bytes in what was counted before.
    """
    if keep_one_in == 1:
        return raw
    rows = _chosen(raw.offsets, keep_one_in)
    return replace(
        lines_of(raw, rows),
        replaced_bytes=raw.replaced_bytes,
        dropped_bytes=raw.dropped_bytes,
        input_bytes=raw.input_bytes,
        sampled_out=len(raw) - len(rows),
    )


def _chosen(offsets: I64, keep_one_in: int) -> I64:
    mixed = (offsets.astype(np.uint64) * MIXER) >> np.uint64(32)
    rows = np.flatnonzero(mixed % np.uint64(keep_one_in) == 0)
    return rows if len(rows) else np.zeros(1, dtype=np.int64)
