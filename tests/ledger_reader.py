"""A program that follows a log and commits each line as an alert: `python -m tests.ledger_reader STATE LOG [once]`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from monitor.core.accounting import Counts, Outcome
from monitor.core.clock import SystemClock
from monitor.core.protocols import SourceContext
from monitor.ledger import Ledger
from monitor.sources import file_tail
from tests.support_files import Lines, RecordedEvents, alert

READ_BYTES = 3_000
"""Read in one turn, so that a log is many commits."""


def follow(state_dir: Path, log: str, *, once: bool) -> None:
    """Every line is the alert of its number. ``once``: until the end of the log, otherwise until killed."""
    ledger = Ledger.open(state_dir)
    woken = threading.Event()
    config = file_tail.Config(include=[log], scan_seconds=0.05, rotate_grace_seconds=0.2)
    context = SourceContext("web", ledger.resume("web"), SystemClock(), RecordedEvents(), woken.set)
    source = file_tail.build(config, context, once=once)
    framed = Lines()
    print("ready", flush=True)
    while not source.exhausted:
        for chunk in source.read(READ_BYTES):
            framed.push(chunk)
        if not _committed(ledger, source, framed):
            woken.wait(source.pause)
            woken.clear()
    ledger.close()


def _committed(ledger: Ledger, source: file_tail.FileTail, framed: Lines) -> bool:
    """Commit what was read, if anything was."""
    positions = [*source.sightings(), *framed.positions]
    if not positions:
        return False
    numbers = [int(line.split()[1]) for line in framed.complete]
    counts = Counts(read=len(numbers), scored=len(numbers), alerts=len(numbers))
    ledger.commit([Outcome("web", positions, counts, [alert(number) for number in numbers])])
    for position in positions:
        source.committed(position)
    framed.complete, framed.positions = [], []
    return True


if __name__ == "__main__":
    follow(Path(sys.argv[1]), sys.argv[2], once=sys.argv[3:] == ["once"])
