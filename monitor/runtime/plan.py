"""What the daemon is told to run: built by the composition root from a configuration, compared when that changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from monitor.core.drifted import Drifted
from monitor.core.limit import Limit
from monitor.core.protocols import Sink, Source, SourceContext
from monitor.ingest.framing import Framer
from monitor.model.bundle import Bundle
from monitor.runtime.helpers import Work
from monitor.runtime.scorer import BatchProcessor


class ModelPipeline(BatchProcessor, Protocol):
    """A stream's data path with the published model it uses."""

    @property
    def bundle(self) -> Bundle: ...
    @property
    def threshold(self) -> float: ...
    @property
    def promise(self) -> Limit | None: ...
    @property
    def suppressing(self) -> Sequence[str]: ...
    def drifted(self) -> Drifted: ...
    def open_episodes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream.

    ``reading`` is whatever decides how bytes become framed records (source and framing options): while it stays equal
    the open source is kept over a reload. ``load`` builds the pipeline with the newest published model; it raises
    TryLaterError when there is none yet and BundleError when it is refused. ``published`` names that newest version.
    ``elsewhere`` prepares batches with a version of the model in a helping process, see ``Plan.start_helpers``.
    ``rereadable``: what was read and not committed is read again by a source that is opened anew.
    """

    name: str
    reading: object
    open_source: Callable[[SourceContext], Source]
    new_framer: Callable[[], Framer]
    load: Callable[[], ModelPipeline]
    published: Callable[[], str | None]
    elsewhere: Callable[[str], Work]
    rereadable: bool = True


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """One sink: ``options`` decide whether an open one is kept, ``streams`` whose alerts it gets."""

    name: str
    options: object
    open: Callable[[], Sink]
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """The HTTP server: where it listens, the file with TLS and users, by what other names it may be asked for."""

    listen: str
    web_config: Path | None = None
    host_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the daemon runs. ``keep_one_in``: of so many records one is scored under overload; 1 = all of them.

    ``start_helpers`` makes that many ``helpers``, processes that prepare batches.
    With ``once`` the sources end by themselves, and every stream must have a model from the beginning.
    """

    streams: Mapping[str, StreamPlan]
    sinks: Mapping[str, SinkPlan]
    server: ServerPlan | None
    queue_bytes: int
    max_batch_records: int
    turn_bytes: int
    gather_seconds: float
    helpers: int
    start_helpers: Callable[[], Executor]
    keep_one_in: int = 1
    once: bool = False
