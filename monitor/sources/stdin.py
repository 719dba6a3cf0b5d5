"""Reads a pipe: ``producer | aemonitor run --stdin``. What was in flight when the program is killed is lost.

A pipe cannot be read twice, so there is no progress to resume: each run counts its bytes from 0 under an id of its
own, and alerts of two runs never have the same id. When the monitor is slower than the producer the pipe fills up and
the producer waits; nothing is dropped.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from uuid import uuid4

from pydantic import Field, PositiveInt

from monitor.core.accounting import Position
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk, Origin
from monitor.core.strict import StrictModel

EXAMPLE = "{}"

BLOCK_BYTES = 65_536
"""One read: what a pipe holds."""


class Config(StrictModel):
    """Standard input."""

    queue_bytes: PositiveInt = Field(
        default=8 << 20, description="Read ahead at most so much; beyond it the producer has to wait."
    )


def build(config: Config, context: SourceContext, *, once: bool = False, fd: int = 0) -> Stdin:
    """The source. A pipe has an end of its own, so ``once`` changes nothing; ``fd`` stays the caller's to close."""
    del once
    return Stdin(config, context, fd)


class Stdin:
    """Reads one descriptor in a thread of its own, so that ``read`` never blocks."""

    def __init__(self, config: Config, context: SourceContext, fd: int) -> None:
        self._origin = Origin(f"stdin-{uuid4().hex}", 0, "stdin")
        self._fd = fd
        self._earlier = [state.origin.file_id for state in context.resume]
        self._limit = config.queue_bytes
        self._events = context.events
        self._wake = context.wake
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._held_bytes = 0
        self._at_end = self._closing = False
        self._offset = 0
        self._exhausted = False
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="stdin", daemon=True)
        self._thread.start()

    @property
    def exhausted(self) -> bool:
        """Whether the pipe has ended and everything was handed out."""
        return self._exhausted

    @property
    def pause(self) -> float:
        """Seconds the driver may wait; ``wake`` is called as soon as something arrives."""
        return 0.25

    def read(self, budget_bytes: int) -> list[Chunk]:
        """What has arrived, up to ``budget_bytes``; at the end of the pipe a final chunk, once."""
        with self._changed:
            data = self._drain(budget_bytes)
            over = self._at_end and not self._blocks and not self._exhausted
            self._changed.notify_all()
        if not data and not over:
            return []
        chunk = Chunk(self._origin, self._offset, data, final=over)
        self._offset += len(data)
        self._exhausted = self._exhausted or over
        return [chunk]

    @property
    def held_bytes(self) -> int:
        """Bytes read ahead."""
        with self._changed:
            return self._held_bytes

    def forgettable(self) -> list[str]:
        """Ids of earlier runs, which nothing will ever be read of again; told once."""
        earlier, self._earlier = self._earlier, []
        return earlier

    def sightings(self) -> list[Position]:
        """None: a pipe cannot be found again."""
        return []

    def committed(self, position: Position) -> None:
        """Nothing can be let go: what was read from a pipe is gone from it."""

    def close(self) -> None:
        """Stop reading; may be called twice. Bytes that were read ahead are dropped."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        os.write(self._stop_writer, b"x")
        self._thread.join()
        os.close(self._stop_reader)
        os.close(self._stop_writer)

    def _drain(self, budget_bytes: int) -> bytes:
        taken: list[bytes] = []
        while self._blocks and budget_bytes > 0:
            block = self._blocks.popleft()
            if len(block) > budget_bytes:
                self._blocks.appendleft(block[budget_bytes:])
                block = block[:budget_bytes]
            budget_bytes -= len(block)
            self._held_bytes -= len(block)
            taken.append(block)
        return b"".join(taken)

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_room() and (block := self._next_block()) is not None:
            with self._changed:
                self._at_end = not block
                if block:
                    self._blocks.append(block)
                    self._held_bytes += len(block)
            self._wake()
            if not block:
                return

    def _wait_for_room(self) -> bool:
        """Wait until there is room for a block; False when told to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._held_bytes < self._limit)
            return not self._closing

    def _next_block(self) -> bytes | None:
        """The next bytes; empty at the end; None when told to stop. A pipe that fails has ended, which is reported."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._stop_reader, select.POLLIN)
        while all(fd != self._stop_reader for fd, _ in poll.poll()):
            try:
                return os.read(self._fd, BLOCK_BYTES)
            except BlockingIOError:  # another reader of the same pipe was quicker
                continue
            except OSError as error:
                self._events.file_failed("stdin", error)
                return b""
        return None
