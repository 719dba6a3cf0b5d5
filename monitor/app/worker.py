"""How a process is set up that works for another one of the program."""

from __future__ import annotations

import pyarrow as pa

from monitor.core.config import Config
from monitor.model import backend
from monitor.runtime.memory import keep_freed_memory, leave_pandas_out, settle_garbage_collector


def settled(config: Config) -> Config:
    """Set this process up for batch after batch on one core; and the configuration it is to work by.

    A network on a GPU is the asking process's to compute.
    """
    keep_freed_memory()
    leave_pandas_out()
    backend.settle(config.backend)
    pa.set_cpu_count(1)
    settle_garbage_collector()
    return config.model_copy(update={"device": "cpu"})
