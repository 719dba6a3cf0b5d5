"""One thread a sink: takes alerts from the ledger's outbox in order, delivers them, and remembers how far it came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from monitor.core.backoff import Backoff
from monitor.core.clock import DAY_SECONDS, Clock, SystemClock
from monitor.core.delivery import GoneError, PartlyDeliveredError, RefusedError, RetryLaterError
from monitor.core.errors import UnavailableError
from monitor.core.protocols import RepeatingSink
from monitor.runtime.patience import Refusals
from monitor.runtime.plan import SinkPlan
from monitor.telemetry import Telemetry

BATCH = 256
IDLE_SECONDS = 0.5
LAST_ROUND_SECONDS = 8.0
"""So long a sender that is to end goes on with what is in the outbox; the rest is delivered after the next start. With
one more attempt that takes its time it is still sooner than whoever waits for the end gives up."""
MOST_FIRING = 1_000
"""Alerts that are told again and again: more incidents at once are not looked at one by one."""
LONGEST_FIRING_SECONDS = 7 * DAY_SECONDS
"""Nor longer than this: of an episode that was forgotten, with its key or by another configuration, no end is told."""

Waiting = Sequence[tuple[int, bytes]]


class Outbox(Protocol):
    """The part of the ledger a sender needs. Alerts come in commit order; a sink's cursor only moves forward."""

    def pending(self, sink: str, streams: Sequence[str] | None = None, limit: int = BATCH) -> Waiting: ...
    def acknowledge(self, sink: str, sequence: int) -> None: ...
    def firing(self, streams: Sequence[str], *, within_seconds: float, limit: int) -> Sequence[bytes]: ...


class Sender(threading.Thread):
    """Delivers at least once: an alert is acknowledged only after the sink took it, and repeats keep their id.

    A sink that fails is tried again and again, ever more rarely; nothing that waits for it is lost or overtaken. One
    alert that is refused for what stands in it is put aside after a while, so that the others get through.
    """

    def __init__(
        self,
        plan: SinkPlan,
        outbox: Outbox,
        telemetry: Telemetry,
        failed: Callable[[BaseException], None],
        predecessor: threading.Thread | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name=f"sender-{plan.name}", daemon=True)
        self._plan = plan
        self._sink = plan.open()
        self._repeating = self._sink if isinstance(self._sink, RepeatingSink) else None
        self._outbox = outbox
        self._telemetry = telemetry
        self._failed = failed
        self._predecessor = predecessor
        self._clock = clock or SystemClock()
        self._backoff = Backoff()
        self._refusals = Refusals()
        self._sent = 0  # done with everything up to here, whether or not that could be noted in the outbox
        self._suspect = 0  # up to here alerts are sent one by one: one of them was refused
        self._next_repeat = self._clock.monotonic()
        self._deadline = float("inf")
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """There may be something new in the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Deliver what is in the outbox now, once, and end."""
        self._deadline = self._clock.monotonic() + LAST_ROUND_SECONDS
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        try:
            if self._predecessor is not None:
                self._predecessor.join()  # two senders of one sink would both deliver what is pending
            while not self._last_round():
                pass
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._sink.close()

    def _last_round(self) -> bool:
        """Deliver what there is, then wait until there may be more; whether nothing is to follow."""
        last = self._stopping.is_set()
        self._wake.clear()
        try:
            self._drain()
            self._repeat()
        except GoneError as error:
            self._telemetry.sink_stopped(self._plan.name, error)
            return self._stopping.wait()  # alerts wait in the outbox for another configuration
        except UnavailableError as error:
            self._telemetry.delivery_failed(self._plan.name, error)
            return self._stopping.is_set() or self._leave_alone(error)
        if not last:
            self._wake.wait(IDLE_SECONDS)
        return last

    def _leave_alone(self, error: UnavailableError) -> bool:
        """Wait after a failure. Who asked to be left alone for a time is not even asked a last time before the end."""
        asked = error.wait_seconds if isinstance(error, RetryLaterError) else 0.0
        return self._stopping.wait(self._backoff.seconds(at_least=asked)) and asked > 0

    def _drain(self) -> None:
        while not self._late() and (pending := self._outbox.pending(self._plan.name, self._plan.streams)):
            # On a full disk acknowledging may fail, and then only that is repeated.
            waiting = [alert for alert in pending if alert[0] > self._sent]
            if not waiting:
                self._outbox.acknowledge(self._plan.name, self._sent)
            while waiting and not self._late():
                waiting = waiting[self._send(waiting) :]
                self._outbox.acknowledge(self._plan.name, self._sent)

    def _late(self) -> bool:
        return self._clock.monotonic() > self._deadline

    def _send(self, waiting: Waiting) -> int:
        """Deliver some of the alerts; how many are done with."""
        part = waiting[:1] if waiting[0][0] <= self._suspect else waiting
        try:
            taken = self._sink.send([body for _, body in part])
        except PartlyDeliveredError as error:
            self._telemetry.delivery_failed(self._plan.name, error)
            taken = len(part)
        except RefusedError as error:
            return self._refused(part, error)
        self._sent = part[taken - 1][0]
        self._backoff.reset()
        self._telemetry.delivered(self._plan.name, taken)
        return taken

    def _refused(self, part: Waiting, error: RefusedError) -> int:
        """Find out which alert it is about, and go on without it when nothing else helps."""
        sequence, body = part[-1]
        if len(part) > 1:
            self._suspect = sequence
            return 0
        if not self._refusals.hopeless(sequence, self._clock.monotonic()):
            raise error
        self._telemetry.alert_refused(self._plan.name, msgspec.json.decode(body)["id"], error)
        self._sent = sequence
        return 1

    def _repeat(self) -> None:
        """Tell what is going on again, where the receiver would forget it."""
        if self._repeating is None or self._clock.monotonic() < self._next_repeat or self._stopping.is_set():
            return
        firing = self._outbox.firing(self._plan.streams, within_seconds=LONGEST_FIRING_SECONDS, limit=MOST_FIRING)
        try:
            self._repeating.repeat(firing)
        except PartlyDeliveredError as error:
            self._telemetry.delivery_failed(self._plan.name, error)
        self._backoff.reset()
        self._next_repeat = self._clock.monotonic() + self._repeating.repeat_seconds
