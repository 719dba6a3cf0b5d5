"""What framing is told of time: which files nothing has followed in, and never while something may be unread."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from monitor.core.accounting import Position
from monitor.core.clock import ManualClock
from monitor.core.input_config import InputConfig
from monitor.core.protocols import Source, SourceContext
from monitor.core.records import Chunk, Origin
from monitor.ingest.quiet import Quiet, patient
from tests.support_files import RecordedEvents

BUDGET = 100


@dataclass
class Listed:
    """A source that hands out what a test has put in ``ready``."""

    ready: list[Chunk] = field(default_factory=list[Chunk])
    durable: list[Position] = field(default_factory=list[Position])
    exhausted: bool = False
    pause: float = 9.0
    closed: bool = False

    def read(self, budget_bytes: int) -> list[Chunk]:
        chunks, self.ready = self.ready, []
        return chunks if budget_bytes else []

    def forgettable(self) -> list[str]:
        return []

    def sightings(self) -> list[Position]:
        return [Position(Origin("f", 0, "f"), 0, b"")]

    def committed(self, position: Position) -> None:
        self.durable.append(position)

    def close(self) -> None:
        self.closed = True


def chunk(data: bytes, offset: int = 0, *, file_id: str = "f", epoch: int = 0, final: bool = False) -> Chunk:
    return Chunk(Origin(file_id, epoch, file_id), offset, data, final)


def told(chunks: list[Chunk]) -> list[tuple[str, int, int, float]]:
    """The chunks that only say who is quiet: file, epoch, offset, seconds."""
    assert all(not each.data for each in chunks if each.quiet_seconds)
    return [(c.origin.file_id, c.origin.epoch, c.offset, c.quiet_seconds) for c in chunks if c.quiet_seconds]


class Scene:
    """A source, a clock, and what is said of time."""

    def __init__(self, *seconds: float) -> None:
        self.clock = ManualClock()
        self.source = Listed()
        self.quiet = Quiet(self.source, self.clock, list(seconds))

    def read(self, *ready: Chunk, after: float = 0.0, budget: int = BUDGET) -> list[Chunk]:
        self.clock.advance(after)
        self.source.ready = list(ready)
        return [piece for piece in self.quiet.read(budget) if isinstance(piece, Chunk)]


def test_each_file_is_told_once_for_each_time_it_was_quiet() -> None:
    scene = Scene(2.0, 5.0)
    scene.read(chunk(b"abc"))
    scene.read(chunk(b"x", file_id="g"), after=1.0)

    assert told(scene.read(after=0.9)) == []
    assert told(scene.read(after=0.1)) == [("f", 0, 3, 2.0)]
    assert told(scene.read(after=1.0)) == [("g", 0, 1, 2.0)]
    assert told(scene.read(after=9.0)) == [("f", 0, 3, 5.0), ("g", 0, 1, 5.0)]
    assert told(scene.read(after=9.0)) == []


def test_new_bytes_begin_the_wait_anew() -> None:
    scene = Scene(2.0)
    scene.read(chunk(b"abc"))
    scene.read(chunk(b"d", 3), after=1.5)

    assert told(scene.read(after=1.5)) == []
    assert told(scene.read(after=0.5)) == [("f", 0, 4, 2.0)]


def test_silence_means_nothing_while_reading_is_held_up() -> None:
    scene = Scene(2.0)
    scene.read(chunk(b"abc"))

    assert told(scene.read(after=60.0, budget=0)) == []
    assert told(scene.read(chunk(b"y" * BUDGET, file_id="g"), after=60.0)) == []
    assert told(scene.read(after=1.9)) == []
    assert told(scene.read(after=0.1)) == [("f", 0, 3, 2.0), ("g", 0, BUDGET, 2.0)]


def test_a_file_that_has_ended_waits_for_nothing() -> None:
    scene = Scene(2.0)
    scene.read(chunk(b"abc"), chunk(b"", 3, final=True))

    assert told(scene.read(after=9.0)) == []


def test_an_epoch_is_told_of_its_end_before_the_next_one_begins() -> None:
    scene = Scene(2.0)
    scene.read(chunk(b"abc"))

    chunks = scene.read(chunk(b"n", epoch=1))

    assert [(c.origin.epoch, c.data) for c in chunks] == [(0, b""), (1, b"n")]
    assert told(chunks) == [("f", 0, 3, math.inf)]


def test_the_driver_sleeps_no_longer_than_until_a_file_is_quiet() -> None:
    scene = Scene(2.0)
    idle = scene.quiet.pause
    scene.read(chunk(b"abc"))
    scene.clock.advance(0.5)

    assert (idle, scene.quiet.pause) == (9.0, 1.5)
    scene.clock.advance(5.0)
    assert scene.quiet.pause == 0.0


def test_everything_else_is_the_source_own_matter() -> None:
    scene = Scene(2.0)
    position = Position(Origin("f", 0, "f"), 3, b"abc")

    scene.quiet.committed(position)
    scene.source.exhausted = True
    scene.quiet.close()

    assert scene.source.durable == [position]
    assert scene.source.closed
    assert scene.quiet.exhausted
    assert scene.quiet.sightings() == scene.source.sightings()
    assert scene.quiet.durable == [position]


def test_only_input_that_depends_on_time_is_told_of_it() -> None:
    source = Listed()
    context = SourceContext("web", [], ManualClock(), RecordedEvents(), lambda: None)

    def open_source(context: SourceContext) -> Source:
        del context
        return source

    both = InputConfig.model_validate({"multiline": {"start": "^a"}, "force_flush_after_seconds": 2.0})
    timed = patient(open_source, both)(context)

    assert patient(open_source, InputConfig())(context) is source
    assert isinstance(timed, Quiet)
    assert timed.pause == source.pause
