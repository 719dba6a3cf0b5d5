"""One thread a sink: takes alerts from the ledger's outbox in order, delivers them, and remembers how far it came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from monitor.core.errors import UnavailableError
from monitor.runtime.plan import SinkPlan
from monitor.telemetry import Telemetry

BATCH = 256
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0
IDLE_SECONDS = 0.5


class Outbox(Protocol):
    """The part of the ledger a sender needs. Alerts come in commit order; a sink's cursor only moves forward."""

    def pending(
        self, sink: str, streams: Sequence[str] | None = None, limit: int = BATCH
    ) -> Sequence[tuple[int, bytes]]: ...
    def acknowledge(self, sink: str, sequence: int) -> None: ...


class Sender(threading.Thread):
    """Delivers at least once: an alert is acknowledged only after the sink took it, and repeats keep their id."""

    def __init__(
        self,
        plan: SinkPlan,
        outbox: Outbox,
        telemetry: Telemetry,
        failed: Callable[[BaseException], None],
        predecessor: threading.Thread | None = None,
    ) -> None:
        super().__init__(name=f"sender-{plan.name}", daemon=True)
        self._plan = plan
        self._sink = plan.open()
        self._outbox = outbox
        self._telemetry = telemetry
        self._failed = failed
        self._predecessor = predecessor
        self._sent = 0  # the sink took everything up to here, whether or not that could be noted in the outbox
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """There may be something new in the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Deliver what is in the outbox now, once, and end."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        try:
            if self._predecessor is not None:
                self._predecessor.join()  # two senders of one sink would both deliver what is pending
            while True:
                last_round = self._stopping.is_set()
                self._wake.clear()
                try:
                    self._drain()
                    delay = FIRST_RETRY_SECONDS
                except UnavailableError as error:
                    self._telemetry.delivery_failed(self._plan.name, error)
                    if not last_round:
                        self._stopping.wait(delay)
                        delay = min(2 * delay, LONGEST_RETRY_SECONDS)
                        continue
                if last_round:
                    return
                self._wake.wait(IDLE_SECONDS)
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._sink.close()

    def _drain(self) -> None:
        while pending := self._outbox.pending(self._plan.name, self._plan.streams):
            self._send([alert for alert in pending if alert[0] > self._sent])
            self._outbox.acknowledge(self._plan.name, pending[-1][0])

    def _send(self, alerts: Sequence[tuple[int, bytes]]) -> None:
        """Deliver; on a full disk the acknowledgement may fail, and then only that is repeated."""
        if alerts:
            self._sink.send([body for _, body in alerts])
            self._sent = alerts[-1][0]
            self._telemetry.delivered(self._plan.name, len(alerts))
