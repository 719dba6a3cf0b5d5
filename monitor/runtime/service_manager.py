"""Tells the service manager how the program is doing; where none listens, telling costs nothing and changes nothing.

The protocol of sd_notify(3): datagrams of ``NAME=value`` lines to the socket that ``$NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from monitor.core.clock import Clock
from monitor.core.printable import printable

START_STEP_SECONDS = 120
"""What one step of the start, a ledger to check or a model to load, may take before the start counts as failed."""
FEEDS = 4
"""The watchdog is fed so many times within the time it waits."""
PATIENCE_SECONDS = 1.0
"""Longer than that nobody waits for a service manager that takes nothing."""
STATUS_CHARACTERS = 300


class ServiceManager:
    """One who is told, by the main thread; ``alive`` alone is for the thread that is watched."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock = clock
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._feed_seconds = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 / FEEDS if watched else 0.0
        self._fed = -math.inf  # monotonic seconds
        self._ready = False

    def starting(self, status: str) -> None:
        """The start goes on, with this step."""
        self._tell(_status(status), f"EXTEND_TIMEOUT_USEC={START_STEP_SECONDS * 1_000_000}")

    def ready(self) -> None:
        """The start, or the reload, is over; told once."""
        if not self._ready:
            self._tell("READY=1")
        self._ready = True

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it, however it went."""
        self._ready = False
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self) -> None:
        """The program was told to stop, or must."""
        self._tell("STOPPING=1", _status("stopping: what was read is committed, alerts are delivered"))

    def status(self, text: str) -> None:
        """A sentence for ``systemctl status``."""
        self._tell(_status(text))

    def alive(self) -> None:
        """The loop that does the work has turned: feeds the watchdog, where there is one, as often as it needs."""
        now = self._clock.monotonic()
        if self._feed_seconds and now - self._fed >= self._feed_seconds:
            self._fed = now
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        """A manager that does not listen is no reason to stop."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(PATIENCE_SECONDS)
                out.sendto("\n".join(lines).encode(), self._address)


def _status(text: str) -> str:
    return f"STATUS={printable(text, STATUS_CHARACTERS)}"
