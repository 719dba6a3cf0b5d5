"""A process that ends in time and is read to its end, whatever it does: hang, flood, fork, or not listen at all."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, NamedTuple

from monitor.core.clock import Clock

PIPE_BYTES = 64 * 1024
KEPT_BYTES = 4 * 1024
"""Of what a process says only so much of the end is kept: one line is shown."""
KILL_SECONDS = 2.0
"""A process that is killed ends at once, unless the kernel holds it or it belongs to somebody else."""


class Ended(NamedTuple):
    """How it ended: its exit status, minus the signal that killed it, or None when time was up; the end of stderr."""

    status: int | None
    said: bytes


def run(arguments: Sequence[str], environment: Mapping[str, str], data: bytes, seconds: float, clock: Clock) -> Ended:
    """Run a program in ``/``, in a session of its own, with ``data`` on its standard input.

    Whatever it leaves in its process group is killed when it has ended or time is up. Standard output goes nowhere.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )
    talk = _Talk(process, data)
    try:
        in_time = talk.until_it_ends(clock.monotonic() + seconds, clock)
    finally:
        _kill(process)
        talk.close()
    return Ended(process.returncode if in_time else None, talk.said)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the whole group. Its number is still its own: the leader has not been waited for, even if it has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)


class _Talk:
    """Writes to a process and hears it, whichever is possible, so that neither waits for the other."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None and process.stderr is not None  # noqa: PT018, S101 - both are pipes
        self._input: IO[bytes] = process.stdin
        self._errors: IO[bytes] = process.stderr
        self._data = memoryview(data)
        self.said = b""
        self._end = os.pidfd_open(process.pid)  # readable when it has ended, and then it still can be waited for
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._end, selectors.EVENT_READ)
        for pipe, event in ((self._input, selectors.EVENT_WRITE), (self._errors, selectors.EVENT_READ)):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event)

    def until_it_ends(self, deadline: float, clock: Clock) -> bool:
        """Whether it ended by itself. A pipe that a grandchild holds open is not waited for."""
        while (left := deadline - clock.monotonic()) > 0:
            ready = [key.fileobj for key, _ in self._selector.select(left)]
            if self._input in ready:
                self._write()
            if self._errors in ready:
                self._hear()
            if self._end in ready:
                return True
        return False

    def close(self) -> None:
        """Hear what is left in the pipe, and let go of it."""
        if not self._errors.closed:
            self._hear()
        self._selector.close()
        os.close(self._end)
        self._drop(self._input)
        self._drop(self._errors)

    def _write(self) -> None:
        try:
            self._data = self._data[os.write(self._input.fileno(), self._data[:PIPE_BYTES]) :]
        except BrokenPipeError:  # it does not want more; its exit status says whether that was all right
            self._data = self._data[:0]
        except BlockingIOError:
            return
        if not self._data:
            self._selector.unregister(self._input)
            self._drop(self._input)

    def _hear(self) -> None:
        try:
            heard = os.read(self._errors.fileno(), PIPE_BYTES)
        except BlockingIOError:
            return
        self.said = (self.said + heard)[-KEPT_BYTES:]
        if not heard:
            self._selector.unregister(self._errors)
            self._drop(self._errors)

    @staticmethod
    def _drop(pipe: IO[bytes]) -> None:
        with suppress(OSError):
            pipe.close()
