"""Files read by many workers: what each of them does, and how it comes together in the order of the input.

A worker has a piece of a file at a time, of which it makes what this process would: the batches are the same, and so
are their scores, to the last bit where processors are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from monitor.app.compose import build_ingest, learned_fields, load_pipeline, new_framer
from monitor.app.pipeline import Pipeline
from monitor.app.prepared import Prepared
from monitor.app.worker import settled
from monitor.core.clock import SystemClock
from monitor.core.config import Config
from monitor.core.errors import DataError, UsageError
from monitor.core.opening import reading
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.rows import without_lines
from monitor.engines.engine import Engine
from monitor.ingest.reading import BLOCK_BYTES, STDIN
from monitor.ingest.splits import Split, read_split, splits

Result = TypeVar("Result")

MOST_BLOCKS = 16
"""Of a piece, 16 MiB: with what comes of it, a tenth of a gigabyte in each worker."""
PIECES = 4
"""For each worker, so that none is idle for long at the end."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker has to know to do its part for one stream; ``version`` is that of the model."""

    config: Config
    stream: str
    version: str | None = None

    def read(self, split: Split) -> Iterator[RawBatch]:
        """The records of a piece, framed as the daemon frames those of the stream."""
        return read_split(split, new_framer(self.config.limits, self.config.streams[self.stream].input))


Work = Callable[[Share, Split], Result]
"""What a worker makes of one piece."""


def spread(engine: Engine, share: Share, work: Work[Result], inputs: Sequence[Path]) -> Iterator[tuple[Split, Result]]:
    """Each piece of the files with what a worker made of it, in the order of the input.

    Raises:
        UsageError: an input is no file that others could open.
        NoInputError, PermissionDeniedError, DataError: a file cannot be read.
        UnavailableError: workers die again and again.
    """
    size = _blocks(inputs, engine.workers)
    pieces = list(splits(inputs, size, share.config.streams[share.stream].input))
    return zip(pieces, engine.map(partial(work, share), pieces), strict=True)


def beside(
    engine: Engine, share: Share, work: Work[Sequence[Result]], inputs: Sequence[Path]
) -> Iterator[tuple[RawBatch, Result]]:
    """Each batch of the files, read here, with what a worker made of it there.

    Raises:
        DataError: a file has changed in the meantime.
        AemonitorError: whatever ``spread`` raises.
    """
    for split, results in spread(engine, share, work, inputs):
        batches = list(share.read(split))
        if len(batches) != len(results):
            raise DataError(f"{split.path}: has changed while it was read")
        yield from zip(batches, results, strict=True)


def prepared(share: Share, split: Split) -> list[Prepared]:
    """A worker's part of scoring: all that does not depend on the records before, without the lines."""
    pipeline = model(share)
    return [pipeline.prepare(raw).without_lines() for raw in share.read(split)]


def parsed(share: Share, split: Split) -> list[RecordBatch]:
    """A worker's part of reading for a training, without the lines."""
    ingest = made_once((share.stream, "ingest"), partial(_ingest, share))
    return [replace(ingest.parse(raw), raw=without_lines()) for raw in share.read(split)]


def model(share: Share) -> Pipeline:
    """The data path of a worker."""
    pipeline: Pipeline = made_once((share.stream, "pipeline"), partial(_pipeline, share))
    return pipeline


def _blocks(inputs: Sequence[Path], workers: int) -> int:
    """How many blocks a piece has."""
    total = 0
    for path in inputs:
        if str(path) == STDIN:
            raise UsageError("workers cannot read standard input; leave out --engine")
        with reading(path):
            total += path.stat().st_size
        if not path.is_file():
            raise UsageError(f"{path}: is no file that workers could open by its name; leave out --engine")
    return min(max(1, total // (BLOCK_BYTES * PIECES * workers)), MOST_BLOCKS)


def _ingest(share: Share) -> Any:
    stream = settled(share.config).streams[share.stream]
    return build_ingest(stream, learned_fields(stream))


def _pipeline(share: Share) -> Pipeline:
    return load_pipeline(settled(share.config), share.stream, SystemClock(), share.version)


_known: dict[tuple[str, str], Any] = {}
"""What this process, as a worker, has made."""


def made_once(name: tuple[str, str], make: Callable[[], Any]) -> Any:
    """What a worker has made under this name, of a stream; it works for one command alone."""
    if name not in _known:
        _known[name] = make()
    return _known[name]
