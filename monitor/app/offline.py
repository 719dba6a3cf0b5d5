"""Files scored offline by the daemon's own data path: what `score`, `evaluate` and `cluster` have in common."""

from __future__ import annotations

import io
import select
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from monitor.app.alerting import Scored
from monitor.app.compose import load_pipeline, read_input
from monitor.app.line_numbers import LineNumbers
from monitor.app.pipeline import Pipeline
from monitor.app.prepared import Prepared
from monitor.app.spread import Share, beside, prepared
from monitor.app.streams import chosen_streams
from monitor.core.clock import SystemClock
from monitor.core.config import Config
from monitor.core.errors import UsageError
from monitor.core.progress import Progress
from monitor.core.records import RawBatch
from monitor.engines.engine import Engine
from monitor.plugins import load_config


@dataclass(frozen=True, slots=True)
class OfflineBatch:
    """A scored batch and the number, from 1, of its first record's line within its file."""

    scored: Scored
    first_line: int


class Arriving(io.FileIO):
    """A pipe read as its bytes come: a read waits for the first of them and takes what is there, up to its size.

    So a slow producer's records are scored at once and a fast one's in large blocks. The descriptor stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd, closefd=False)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        taken = [self._block(size)]
        room = size - len(taken[0])
        while taken[-1] and room and self._poll.poll(0):
            taken.append(self._block(room))
            room -= len(taken[-1])
        return b"".join(taken)

    def _block(self, size: int) -> bytes:
        """At least one byte, unless the pipe has ended."""
        while True:
            self._poll.poll()
            block: bytes | None = super().read(size)
            if block is not None:  # None: another reader of the same pipe was quicker
                return block


def standard_input() -> IO[bytes] | None:
    """Standard input as it arrives; None where it is no file of the operating system (a test's, say) or closed."""
    try:
        return Arriving(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):
        return None


class Offline:
    """One stream's published model, applied to files: by this process, or with an engine by its workers as well."""

    def __init__(self, config: Config, stream: str, pipeline: Pipeline, engine: Engine | None = None) -> None:
        self.config = config
        self.stream = stream
        self.pipeline = pipeline
        self.engine = engine
        self._beginning = pipeline.features.keyed_state(), pipeline.averaging.keyed_state()

    def rewind(self) -> None:
        """Forget the input, so that the same records are scored alike once more."""
        features, averaged = self._beginning
        self.pipeline.features.load_keyed_state(features)
        self.pipeline.averaging.load_keyed_state(averaged)

    def batches(self, inputs: Sequence[Path], progress: Progress, what: str = "scoring") -> Iterator[OfflineBatch]:
        """Every record of the files, in the order of the input; also those that cannot be parsed (``ok`` is False).

        Raises:
            NoInputError, PermissionDeniedError, DataError: a file cannot be read.
            UsageError, UnavailableError: the engine's workers cannot read it, or die of it.
        """
        lines = LineNumbers()
        done = 0
        for raw, part in self._prepared(inputs):
            first = lines.first(raw)
            done += len(raw)
            progress(what, done, 0, "")
            yield OfflineBatch(self.pipeline.score(raw, part), first)

    @property
    def share(self) -> Share:
        """What a worker has to know."""
        return Share(self.config, self.stream, self.pipeline.bundle.version)

    def _prepared(self, inputs: Sequence[Path]) -> Iterator[tuple[RawBatch, Prepared | None]]:
        if self.engine is not None:
            yield from beside(self.engine, self.share, prepared, inputs)
            return
        for raw in read_input(self.config, self.config.streams[self.stream], inputs, standard_input()):
            yield raw, None


def open_offline(config_path: Path, stream: str | None, engine: Engine | None = None) -> Offline:
    """The named stream's current model; without a name the configuration must have one stream only.

    Raises:
        UsageError: there are several streams and none was named.
        TryLaterError: no model has been published yet.
    """
    config = load_config(config_path)
    chosen = chosen_streams(config, [stream] if stream else [])
    if len(chosen) > 1:
        raise UsageError(f"say which stream's model scores with --stream: {', '.join(chosen)}")
    name = next(iter(chosen))
    return Offline(config, name, load_pipeline(config, name, SystemClock()), engine)
