"""Journals: files made from text, and a real systemd-journald in a mount namespace of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.support import demand, need, wait_for

BOOT = "0123456789abcdef0123456789abcdef"
BEGUN = 1_700_000_000_000_000
"""Microseconds since 1970."""


def add_entries(
    directory: Path, texts: Sequence[str], first: int = 0, *, name: str = "a.journal", more: str = ""
) -> None:
    """Append to a file of a journal; ``more`` is fields of all of them."""
    remote = "/lib/systemd/systemd-journal-remote"
    demand(Path(remote).exists(), "systemd-journal-remote is not installed")
    exported = "".join(
        f"__REALTIME_TIMESTAMP={BEGUN + number}\n__MONOTONIC_TIMESTAMP={number + 1}\n_BOOT_ID={BOOT}\n"
        f"MESSAGE={text}\n{more}\n"
        for number, text in enumerate(texts, start=first)
    )
    directory.mkdir(exist_ok=True)
    subprocess.run([remote, "-o", str(directory / name), "-"], input=exported.encode(), check=True, capture_output=True)


class Journald:
    """systemd-journald over a directory that no other process has as /run; ``directory`` is seen from outside."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("a mount namespace of its own needs root")
        self._holder = subprocess.Popen(
            [need("unshare"), "--mount", "sh", "-c",
             "mount -t tmpfs none /run && mkdir -p /run/systemd /run/log/journal && echo ready && exec sleep infinity"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        self._root = Path(f"/proc/{self._holder.pid}/root/run")
        self.directory = self._root / "log" / "journal"
        self.start()

    def start(self) -> None:
        (self._root / "systemd/journal/dev-log").unlink(missing_ok=True)
        program = ["nsenter", f"--target={self._holder.pid}", "--mount", "/lib/systemd/systemd-journald"]
        self._journald = subprocess.Popen(program, stderr=subprocess.DEVNULL)
        wait_for((self._root / "systemd/journal/dev-log").exists, "systemd-journald")

    def kill(self) -> None:
        """Kill -9."""
        self._journald.kill()
        self._journald.wait()

    def log(self, text: bytes) -> None:
        """One message, as a program sends it to syslog. It waits in the socket until it is read.

        Raises:
            OSError: nobody listens.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(1)
            connection.connect(str(self._root / "systemd/journal/dev-log"))
            connection.send(b"<14>app: " + text)

    def messages(self) -> list[str]:
        """What the journal has of the program ``app``."""
        said = subprocess.run(
            ["journalctl", f"--directory={self.directory}", "--output=cat", "--quiet", "SYSLOG_IDENTIFIER=app"],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        return said.stdout.splitlines()

    def close(self) -> None:
        for process in (self._journald, self._holder):
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


@contextmanager
def journald() -> Generator[Journald, None, None]:
    running = Journald()
    try:
        yield running
    finally:
        running.close()
