"""Work of a fixed shape recorded once on a GPU and started again with a single call, beside other work.

A pass over a slice is a dozen kernels, and to start each one costs the processor more than a GPU takes for it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


class Recorded:
    """``work`` in a stream of its own. It may only use memory that stays, and must not wait for anything.

    Raises:
        RuntimeError: the device fails.
    """

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(device))  # what it reads was put there by this one
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            work()  # libraries make their plans and get their memory the first time, which cannot be recorded
        self._stream.synchronize()
        # Other streams of records have models of their own, which threads of theirs may just be loading.
        with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
            work()

    def start(self) -> None:
        """Do it once more, without waiting for it."""
        with torch.cuda.stream(self._stream):
            self._graph.replay()

    def wait(self) -> None:
        """Until what was started is done."""
        self._stream.synchronize()
