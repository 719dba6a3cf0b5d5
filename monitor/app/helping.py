"""What a helping process does: it prepares batches with the models it is told, and knows of nothing else.

It holds no state that matters: whatever it cannot do, or did not before it died, the daemon does itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from functools import cache

from monitor.app.compose import load_pipeline
from monitor.app.pipeline import Pipeline
from monitor.app.prepared import Prepared
from monitor.app.worker import settled
from monitor.core.clock import SystemClock
from monitor.core.config import Config
from monitor.core.records import RawBatch

_config: Config


def begin(config: Config) -> None:
    """Once in each helping process."""
    global _config  # noqa: PLW0603 - a process has no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the daemon, which ends its helpers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _config = settled(config)


def prepare(stream: str, version: str, raw: RawBatch, *, scored: bool) -> Prepared:
    """One batch. Raises whatever the model or the batch brings about; then the daemon finds out for itself."""
    return _pipeline(stream, version).prepare(raw, scored=scored).packed()


@cache
def _pipeline(stream: str, version: str) -> Pipeline:
    return load_pipeline(_config, stream, SystemClock(), version)


def _end_with_parent() -> None:
    """A parent that was killed cannot tell."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
