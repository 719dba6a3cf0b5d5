from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from monitor.core.accounting import FileState
from monitor.core.clock import ManualClock
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk
from monitor.sources import stdin
from tests.support_files import Lines, RecordedEvents, joined, numbered, position


@dataclass
class Pipe:
    """A pipe whose end is read as standard input. ``arrived`` is set whenever the reader is woken."""

    queue_bytes: int = 1 << 20
    events: RecordedEvents = field(default_factory=RecordedEvents)
    arrived: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.fd, writer = os.pipe()
        self.writer = os.fdopen(writer, "wb", buffering=0)
        self.source = self.open()

    def open(self) -> stdin.Stdin:
        states = [FileState.behind(position(5, file_id="stdin-earlier", path="stdin"), 0.0)]
        context = SourceContext("web", states, ManualClock(), self.events, self.arrived.set)
        return stdin.build(stdin.Config(queue_bytes=self.queue_bytes), context, fd=self.fd)

    def read(self, budget_bytes: int = 1 << 20) -> list[Chunk]:
        """Wait until there is something, and read it."""
        while not (chunks := self.source.read(budget_bytes)):
            assert self.arrived.wait(30)
            self.arrived.clear()
        return chunks

    def read_all(self, budget_bytes: int = 1 << 20) -> list[Chunk]:
        """Everything up to the end of the pipe."""
        chunks: list[Chunk] = []
        while not self.source.exhausted:
            chunks += self.read(budget_bytes)
        return chunks

    def close(self) -> None:
        self.source.close()
        self.writer.close()
        os.close(self.fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def content(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def test_nothing_to_read_does_not_block(pipe: Pipe) -> None:
    assert pipe.source.read(1000) == []
    assert not pipe.source.exhausted


def test_what_is_written_comes_out(pipe: Pipe) -> None:
    pipe.writer.write(b"one\ntwo\n")

    chunks = pipe.read()

    assert content(chunks) == b"one\ntwo\n"
    assert not chunks[-1].final


def test_the_end_of_the_pipe_is_a_final_chunk_once(pipe: Pipe) -> None:
    pipe.writer.write(b"one\nunfinished")
    pipe.writer.close()
    lines = Lines()

    for chunk in pipe.read_all():
        lines.push(chunk)

    assert lines.complete == [b"one", b"unfinished"]
    assert pipe.source.exhausted
    assert pipe.source.read(1000) == []


def test_an_empty_pipe_ends_with_an_empty_final_chunk(pipe: Pipe) -> None:
    pipe.writer.close()

    (chunk,) = pipe.read_all()

    assert (chunk.data, chunk.final, chunk.offset) == (b"", True, 0)


def test_a_small_budget_cuts_blocks_and_loses_nothing(pipe: Pipe) -> None:
    text = joined(numbered(0, 50))
    pipe.writer.write(text)
    pipe.writer.close()

    chunks = pipe.read_all(budget_bytes=7)

    assert content(chunks) == text
    assert max(len(chunk.data) for chunk in chunks) == 7
    assert [chunk.offset for chunk in chunks] == [sum(len(c.data) for c in chunks[:n]) for n in range(len(chunks))]
    assert [chunk.final for chunk in chunks].count(True) == 1


def test_what_is_held_is_what_was_read_ahead_and_not_handed_out(pipe: Pipe) -> None:
    pipe.writer.write(b"one\ntwo\n")
    assert pipe.arrived.wait(30)

    held = [pipe.source.held_bytes]
    for budget_bytes in (3, 4, 100):
        pipe.source.read(budget_bytes)
        held.append(pipe.source.held_bytes)

    assert held == [8, 5, 1, 0]


def test_no_budget_reads_nothing(pipe: Pipe) -> None:
    pipe.writer.write(b"one\n")
    pipe.writer.close()
    assert pipe.arrived.wait(30)

    assert pipe.source.read(0) == []
    assert content(pipe.read_all()) == b"one\n"


def test_a_slow_reader_makes_the_producer_wait_and_nothing_is_dropped() -> None:
    pipe = Pipe(queue_bytes=10_000)
    text = joined(numbered(0, 100_000))

    def produce() -> None:
        with pipe.writer:
            pipe.writer.write(text)

    producer = threading.Thread(target=produce)
    producer.start()

    lines, most_held = Lines(), 0
    while not pipe.source.exhausted:
        for chunk in pipe.read(4096):
            lines.push(chunk)
        most_held = max(most_held, pipe.source.held_bytes)
    producer.join(30)
    pipe.close()

    assert lines.complete == numbered(0, 100_000)
    assert most_held <= 10_000 + stdin.BLOCK_BYTES


def test_closing_while_the_producer_is_silent_or_held_back_returns_at_once() -> None:
    for text in (b"", bytes(60_000)):
        pipe = Pipe(queue_bytes=1)
        pipe.writer.write(text)
        pipe.source.close()
        pipe.source.close()
        pipe.close()


def test_a_silent_producer_does_not_keep_a_program_from_ending_that_did_not_close(pipe: Pipe) -> None:
    readers = [thread for thread in threading.enumerate() if thread.name == "stdin"]

    assert not pipe.source.exhausted
    assert [thread.daemon for thread in readers] == [True]


def test_two_runs_have_ids_of_their_own(pipe: Pipe) -> None:
    other = Pipe()
    for each in (pipe, other):
        each.writer.write(b"x\n")

    first, second = (each.read()[0].origin for each in (pipe, other))
    other.close()

    assert first.file_id != second.file_id
    assert first.file_id.startswith("stdin-")
    assert first.path == "stdin"


def test_ids_of_earlier_runs_may_be_forgotten(pipe: Pipe) -> None:
    assert pipe.source.forgettable() == ["stdin-earlier"]
    assert pipe.source.forgettable() == []
    pipe.source.committed(position(3))


def test_a_descriptor_that_cannot_be_read_is_an_end_that_is_reported() -> None:
    events = RecordedEvents()
    arrived = threading.Event()
    directory = os.open("/", os.O_RDONLY)
    source = stdin.build(stdin.Config(), SourceContext("web", [], ManualClock(), events, arrived.set), fd=directory)

    assert arrived.wait(30)
    (chunk,) = source.read(1000)
    source.close()
    os.close(directory)

    assert chunk.final
    assert source.exhausted
    assert [error.strerror for _, error in events.failures] == ["Is a directory"]


def test_a_regular_file_can_stand_in_for_a_pipe() -> None:
    with open(__file__, "rb") as text:  # noqa: PTH123 - its descriptor is what counts
        arrived = threading.Event()
        context = SourceContext("web", [], ManualClock(), RecordedEvents(), arrived.set)
        source = stdin.build(stdin.Config(), context, fd=text.fileno(), once=True)
        chunks: list[Chunk] = []
        while not source.exhausted:
            chunks += source.read(1 << 20)
            arrived.wait(0.01)
        source.close()

    with open(__file__, "rb") as text:  # noqa: PTH123
        assert content(chunks) == text.read()
