"""Stops one thread of a process as a debugger does, and leaves it so: ``stop_thread.py PID NAME``.

Says "stopped" when it is, and ends with the thread, whose end nobody else could learn of before.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

SEIZE, INTERRUPT = 0x4206, 0x4207
"""Requests of ptrace(2)."""
ALL_THREADS = 0x40000000
"""__WALL of wait(2): also threads that are not the first of their process."""


def main() -> None:
    """Find the thread by its name, stop it, wait."""
    pid, name = sys.argv[1:]
    (thread,) = (int(t.name) for t in Path(f"/proc/{pid}/task").iterdir() if (t / "comm").read_text().strip() == name)
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (SEIZE, INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(thread, ALL_THREADS)
    print("stopped", flush=True)
    while os.WIFSTOPPED(os.waitpid(thread, ALL_THREADS)[1]):
        pass  # a signal to it, which is not let through


if __name__ == "__main__":
    main()
