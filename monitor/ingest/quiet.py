"""A source that also says when nothing followed for a while, so that a last record need not wait for ever."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from monitor.core.accounting import Position
from monitor.core.clock import Clock
from monitor.core.input_config import InputConfig
from monitor.core.protocols import Boundary, Source, SourceContext
from monitor.core.records import Chunk, Messages
from monitor.ingest.charset import Charset


def patient(open_source: Callable[[SourceContext], Source], form: InputConfig) -> Callable[[SourceContext], Source]:
    """Opens the source so that it knows where lines end, and says for how long nothing came where framing waits."""

    def opened(context: SourceContext) -> Source:
        return open_source(replace(context, boundary=boundary(form)))

    times = {form.force_flush_after_seconds, form.multiline.timeout_seconds if form.multiline else None} - {None}
    seconds = sorted(time for time in times if time is not None)
    if not seconds:
        return opened
    return lambda context: Quiet(opened(context), context.clock, seconds)


def boundary(form: InputConfig) -> Boundary:
    """Where the lines of files in this form end."""

    def behind_last(head: bytes, data: bytes, offset: int) -> int | None:
        charset = Charset(form.encoding, form.delimiter, head)
        return charset.behind_last(data, offset % charset.unit)

    return behind_last


class _Last(NamedTuple):
    end: Chunk  # empty, where the next one must begin
    at: float  # monotonic seconds


class Quiet:
    """Adds empty chunks to those of a source: one for each of ``seconds`` that a file has been quiet.

    When a file begins a new epoch, the old one gets such a chunk first: its last group of lines was complete, and
    whoever frames it would drop it together with the epoch.
    """

    def __init__(self, source: Source, clock: Clock, seconds: list[float]) -> None:
        self._source = source
        self._clock = clock
        self._waiting = {time: dict[str, _Last]() for time in seconds}  # the one that waits longest comes first
        self._longest = self._waiting[max(seconds)]
        self._behind = -math.inf  # when there may have been more than was asked for: then silence means nothing

    @property
    def exhausted(self) -> bool:
        """Whether nothing will ever follow; the last chunks are final then, so nobody waits."""
        return self._source.exhausted

    @property
    def pause(self) -> float:
        """As the source has it, or less when a file will have been quiet for long enough before."""
        now = self._clock.monotonic()
        due = [self._due(time) - now for time in self._waiting]
        return max(0.0, min(self._source.pause, *due))

    def read(self, budget_bytes: int) -> Sequence[Chunk | Messages]:
        """What is new, and then who is quiet. Messages are whole, so nothing of them waits."""
        pieces = self._source.read(budget_bytes)
        chunks = [piece for piece in pieces if isinstance(piece, Chunk)]
        if len(chunks) < len(pieces):
            return pieces
        now = self._clock.monotonic()
        if sum(len(chunk.data) for chunk in chunks) >= budget_bytes:
            self._behind = now
        return [*(told for chunk in chunks for told in self._noted(chunk, now)), *self._quiet(now)]

    def sightings(self) -> list[Position]:
        """As the source has them."""
        return self._source.sightings()

    def forgettable(self) -> list[str]:
        """As the source has them."""
        return self._source.forgettable()

    def committed(self, position: Position) -> None:
        """Tell the source."""
        self._source.committed(position)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def _noted(self, chunk: Chunk, now: float) -> Iterator[Chunk]:
        file_id = chunk.origin.file_id
        last = self._longest.get(file_id)
        if last is not None and last.end.origin.epoch != chunk.origin.epoch:
            yield replace(last.end, quiet_seconds=math.inf)
        yield chunk
        for waiting in self._waiting.values():
            waiting.pop(file_id, None)
            if not chunk.final:
                waiting[file_id] = _Last(Chunk(chunk.origin, chunk.offset + len(chunk.data), b""), now)

    def _quiet(self, now: float) -> Iterator[Chunk]:
        for time, waiting in self._waiting.items():
            while waiting and now >= self._due(time):
                last = waiting.pop(next(iter(waiting)))
                yield replace(last.end, quiet_seconds=time)

    def _due(self, time: float) -> float:
        """When the next file will have been quiet for so long."""
        waiting = self._waiting[time]
        return max(self._behind, next(iter(waiting.values())).at) + time if waiting else math.inf
