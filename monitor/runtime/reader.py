"""One thread that owns every source: reads what is there, frames it, queues it, and never blocks on the scorer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from monitor.core.accounting import Outcome
from monitor.core.protocols import MovingSource, Source
from monitor.core.records import Chunk, Messages, RawBatch
from monitor.ingest.framing import Framer
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.runtime.flow import Flow, thinned
from monitor.runtime.helpers import Ahead
from monitor.telemetry import StreamTelemetry

PLENTY_BYTES = 65_536
"""Read in one round, it is worth being scored by itself; less waits a moment for what comes close behind."""

Begin = Callable[[str, RawBatch], Ahead | None]
"""Has a batch of a stream prepared, if there is somebody to do it."""


@dataclass(slots=True)
class StreamInput:
    """The reading side of a stream. ``framers`` holds the unfinished last record of each file being read.

    ``moving`` is the source, if what is remembered moves with what it reads.
    """

    name: str
    source: Source
    new_framer: Callable[[], Framer]
    telemetry: StreamTelemetry
    framers: dict[str, tuple[int, Framer]] = field(default_factory=dict[str, tuple[int, Framer]])
    committed: deque[Outcome] = field(default_factory=deque[Outcome])
    moving: MovingSource | None = field(init=False)

    def __post_init__(self) -> None:
        self.moving = self.source if isinstance(self.source, MovingSource) else None

    def tell_committed(self) -> None:
        """Let the source know what has become durable since."""
        while self.committed:
            outcome = self.committed.popleft()
            for position in outcome.positions:
                if self.moving is not None:
                    self.moving.remembered(position, outcome.memories)
                self.source.committed(position)

    def finish(self) -> None:
        """Close the source; nobody reads it any more."""
        self.tell_committed()
        self.source.close()

    def frame(self, piece: Chunk | Messages, queue: ByteQueue, ahead: Begin, keep_one_in: int = 1) -> None:
        """Queue the records of a piece, or that share of them; ``ahead`` may have them prepared meanwhile."""
        for raw in self.new_framer().whole(piece) if isinstance(piece, Messages) else self._framed(piece):
            self.telemetry.framed(len(raw))
            kept = thinned(raw, keep_one_in)
            queue.put(Queued(self.name, kept, ahead(self.name, kept)))

    def _framed(self, chunk: Chunk) -> list[RawBatch]:
        """The records a chunk completes. A new epoch drops what the old one left unfinished: it was overwritten."""
        epoch, framer = self.framers.get(chunk.origin.file_id, (-1, None))
        if framer is None or epoch != chunk.origin.epoch:
            framer = self.new_framer()
            self.framers[chunk.origin.file_id] = (chunk.origin.epoch, framer)
        if chunk.final:
            del self.framers[chunk.origin.file_id]
        return framer.push(chunk)


class Reader(threading.Thread):
    """Drives sources round robin. Stops when told to, or when every source is exhausted.

    ``gather_seconds``: after a round that found only a little, it waits so long before the next. What comes first after
    a silence is read at once; of records that come singly, those of that time share what a batch costs.
    """

    def __init__(
        self,
        queue: ByteQueue,
        flow: Flow,
        *,
        ahead: Begin,
        forget: Callable[[str, Sequence[str]], None],
        beat: Callable[[], None],
        failed: Callable[[BaseException], None],
        gather_seconds: float,
    ) -> None:
        super().__init__(name="reader", daemon=True)
        self.gather_seconds = gather_seconds
        self._queue = queue
        self._flow = flow
        self._ahead = ahead
        self._forget = forget
        self._beat = beat
        self._failed = failed
        self._inputs: list[StreamInput] = []
        self._lock = threading.Lock()  # held for one round; whoever changes the inputs waits for its end
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._first_round: int | None = None  # what had been put into the queue at its end

    def wake(self) -> None:
        """Cut the current wait short. May be called from any thread."""
        self._wake.set()

    def replace(self, inputs: Sequence[StreamInput]) -> None:
        """Read these from now on. Sources that are gone are not closed here: they belong to the caller."""
        with self._lock:
            self._inputs = list(inputs)
        self.wake()

    def pause(self) -> Sequence[StreamInput]:
        """Stop reading after the current round and return what was read until now; ``replace`` goes on."""
        with self._lock:
            inputs, self._inputs = self._inputs, []
        return inputs

    def stop(self) -> None:
        """Ask the thread to end after the current round; what is queued by then is complete."""
        self._ending.set()
        self.wake()

    @property
    def noted(self) -> bool:
        """Whether what the first round over the inputs found is committed."""
        return self._first_round is not None and self._queue.passed(self._first_round)

    @property
    def exhausted(self) -> bool:
        """Whether nothing will ever be read again."""
        with self._lock:
            return bool(self._inputs) and all(item.source.exhausted for item in self._inputs)

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                self._beat()
                self._wake.clear()
                with self._lock:
                    found = [piece for item in self._inputs for piece in self._turn(item)]
                    self._flow.tell([item.telemetry for item in self._inputs])
                    pause = min((item.source.pause for item in self._inputs), default=0.25)
                    reading = bool(self._inputs)
                if self._first_round is None and reading:
                    self._first_round = self._queue.put_so_far
                if not found:
                    self._wake.wait(pause)
                elif sum(piece.size for piece in found) < PLENTY_BYTES:
                    self._ending.wait(self.gather_seconds)
        except BaseException as error:
            self._failed(error)
            raise

    def _turn(self, item: StreamInput) -> Sequence[Chunk | Messages]:
        """Queue what a source has now, as much as may be read."""
        item.tell_committed()
        # With nothing allowed a source is still asked: it goes on scanning and keeps rotated files open.
        allowed = self._flow.allowance()
        pieces = item.source.read(allowed.budget_bytes)
        if sightings := item.source.sightings():
            self._queue.put(Queued(item.name, sightings=tuple(sightings)))
        if item.moving is not None:
            for arrival in item.moving.arrivals():
                self._queue.put(Queued(item.name, sightings=(arrival.position,), memories=arrival.memories))
        if gone := item.source.forgettable():
            self._forget(item.name, gone)
        for piece in pieces:
            item.frame(piece, self._queue, self._ahead, allowed.keep_one_in)
        return pieces
