"""A process of its own that follows files as the daemon does, for tests of what the system does to processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

WATCHING = """
import ctypes, sys, threading
from monitor.core.clock import SystemClock
from monitor.core.protocols import SourceContext
from monitor.sources import file_tail
from tests.support_files import Lines, RecordedEvents
woken, events, framed = threading.Event(), RecordedEvents(), Lines()
config = file_tail.Config(include=[sys.argv[1]], scan_seconds=0.5)
source = file_tail.build(config, SourceContext("web", [], SystemClock(), events, woken.set))
for chunk in source.read(1 << 20):
    framed.push(chunk)
print("ready", events.watch_mode, flush=True)
if len(sys.argv) > 3:
    ctypes.PyDLL(None).sleep(int(sys.argv[3]))  # which keeps the lock of the interpreter
while len(framed.complete) < int(sys.argv[2]):
    for chunk in source.read(1 << 20):
        framed.push(chunk)
    woken.wait(source.pause)
    woken.clear()
print(events.watch_mode, len(framed.complete), len(set(framed.complete)), flush=True)
source.close()
"""


@contextmanager
def watching(pattern: Path, count: int, *before: str, held_seconds: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that follows the pattern until it has so many lines; ``before`` is what it is started with.

    ``held_seconds``: once it is ready no thread of it runs for so long.
    """
    held = [str(held_seconds)] if held_seconds else []
    command = [*before, sys.executable, "-c", WATCHING, str(pattern), str(count), *held]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> list[str]:
    """The words of the next line: ``ready`` and the mode; at the end the mode, how many lines, how many different."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def overflow(directory: Path) -> None:
    """Make more events than wait for a reader that does not read: whatever comes after that is not told."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip(f"{limit} events have to be made for an overflow")
    for _ in range(limit // 2 + 1):
        (directory / "other").touch()
        (directory / "other").unlink()
