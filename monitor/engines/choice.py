"""Which engine was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from monitor.core.errors import UsageError
from monitor.engines.engine import Engine

INLINE, PROCESSES, RAY = "inline", "processes", "ray"
KINDS = (INLINE, PROCESSES, RAY)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """One of ``KINDS``; how many ``workers`` at once, None: one for each core; and the ``address`` of a Ray cluster."""

    kind: str = INLINE
    workers: int | None = None
    address: str | None = None

    @contextmanager
    def opened(self) -> Iterator[Engine | None]:
        """The engine inside the context; None where this process does all the work.

        Raises:
            UsageError: the options do not fit together.
            UnavailableError: Ray is not installed, or not there.
        """
        if self.address is not None and self.kind != RAY:
            raise UsageError("--address is where a Ray cluster is: it goes with --engine ray")
        if self.workers is not None and self.kind == INLINE:
            raise UsageError("--workers goes with --engine processes or --engine ray")
        if self.kind == INLINE:
            yield None
            return
        with closing(self._made()) as engine:
            yield engine

    def _made(self) -> Engine:
        if self.kind == RAY:
            from monitor.engines.ray import HERE, Ray

            return Ray(self.workers, self.address or HERE)
        from monitor.engines.processes import Processes

        return Processes(self.workers)
