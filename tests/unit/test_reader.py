"""The reading thread: what comes singly is gathered, what comes first or in plenty is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import pytest

from monitor.core.accounting import Counts, Outcome, Position
from monitor.core.clock import SystemClock
from monitor.core.records import Chunk, Messages, Origin
from monitor.ingest.framing import Framer
from monitor.runtime.byte_queue import ByteQueue
from monitor.runtime.flow import Flow
from monitor.runtime.reader import PLENTY_BYTES, Reader, StreamInput
from monitor.telemetry import Telemetry
from monitor.web import Health
from tests.e2e.support import wait_for

LOG = Origin("f", 0, "/var/log/a.log")
LONG_SECONDS = 3600.0


class Prepared:
    """A source that hands out one piece a turn; ``pause`` is so long that nothing but a wake-up ends it."""

    exhausted = False
    pause = LONG_SECONDS

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = deque(pieces)
        self._offset = 0
        self.closed = False
        self.durable: list[Position] = []

    def read(self, budget_bytes: int) -> list[Chunk | Messages]:
        if not self._pieces or not budget_bytes:
            return []
        data = self._pieces.popleft()
        chunk = Chunk(LOG, self._offset, data)
        self._offset += len(data)
        return [chunk]

    def sightings(self) -> list[Position]:
        return []

    def forgettable(self) -> list[str]:
        return []

    def committed(self, position: Position) -> None:
        self.durable.append(position)

    def close(self) -> None:
        self.closed = True


class Scene:
    """A reader with a queue that nobody empties."""

    def __init__(self, gather_seconds: float, *pieces: bytes) -> None:
        clock = SystemClock()
        self.queue = ByteQueue(8 << 20)
        self.source = Prepared(pieces)
        self.input = StreamInput("web", self.source, Framer, Telemetry(clock).stream("web"))
        self.failures: list[BaseException] = []
        flow = Flow(self.queue, clock, Health(clock), turn_bytes=2 << 20, keep_one_in=1)
        self.reader = Reader(
            self.queue, flow, ahead=lambda *_: None, forget=lambda *_: None, beat=lambda: None,
            failed=self.failures.append, gather_seconds=gather_seconds,
        )  # fmt: skip
        self.reader.replace([self.input])
        self.reader.start()

    @property
    def batches(self) -> int:
        return self.queue.size()[1]


@pytest.fixture
def scenes() -> Iterator[list[Scene]]:
    """What a test makes, ended behind it."""
    made: list[Scene] = []
    yield made
    for scene in made:
        scene.reader.stop()
        scene.reader.join(10)
        assert not scene.reader.is_alive()
        assert not scene.failures


def test_the_first_is_read_at_once_and_what_comes_close_behind_waits(scenes: list[Scene]) -> None:
    scene = Scene(LONG_SECONDS, b"1\n", b"2\n")
    scenes.append(scene)

    wait_for(lambda: scene.batches == 1, "the first record to be read")
    scene.reader.wake()
    assert scene.batches == 1


def test_without_gathering_everything_is_read_as_it_comes(scenes: list[Scene]) -> None:
    scene = Scene(0.0, b"1\n", b"2\n", b"3\n")
    scenes.append(scene)

    wait_for(lambda: scene.batches == 3, "all records to be read")


def test_plenty_does_not_wait(scenes: list[Scene]) -> None:
    scene = Scene(LONG_SECONDS, b"x" * (PLENTY_BYTES - 1) + b"\n", b"2\n")
    scenes.append(scene)

    wait_for(lambda: scene.batches == 2, "what stood behind plenty to be read")


def test_a_source_is_told_before_it_is_closed_what_was_committed_last() -> None:
    source = Prepared([])
    item = StreamInput("web", source, Framer, Telemetry(SystemClock()).stream("web"))
    item.committed.append(Outcome("web", [Position(LOG, 7, b"")], Counts()))

    item.finish()

    assert source.durable == [Position(LOG, 7, b"")]
    assert source.closed
