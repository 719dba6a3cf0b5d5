"""A source of messages driven by hand, as the daemon does it: read, commit, tell.

``python -m tests.received KIND OPTIONS COUNT`` reads so many, commits none, prints of which origin they are, and waits
to be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from monitor import plugins
from monitor.core.accounting import FileState, Position
from monitor.core.clock import SystemClock
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages, Origin
from tests.e2e.support import wait_for
from tests.support_files import RecordedEvents


@dataclass
class Ledger:
    """Places of one stream, which never move back."""

    places: dict[str, Position] = field(default_factory=dict[str, Position])

    def commit(self, position: Position) -> None:
        before = self.places.get(position.origin.file_id)
        place = (position.origin.epoch, position.offset)
        assert before is None or (before.origin.epoch, before.offset) <= place, f"{before} and then {position}"
        self.places[position.origin.file_id] = position

    def resume(self) -> list[FileState]:
        return [FileState.behind(position, 0.0) for position in self.places.values()]


class Received:
    """A source and what came from it: ``payloads`` by their numbers, in the order they were read."""

    def __init__(self, module: ModuleType, ledger: Ledger | None = None, *, once: bool = False, **options: Any) -> None:
        self.ledger = ledger or Ledger()
        self.events = RecordedEvents()
        self._woken = threading.Event()
        context = SourceContext(
            "web", self.ledger.resume(), SystemClock(), self.events, self._woken.set, max_records=100
        )
        self.source: Any = module.build(module.Config(**options), context, once=once)
        self.read: list[tuple[int, bytes]] = []
        self.origins: list[Origin] = []

    def turn(self, *, commit: bool = True, budget_bytes: int = 1 << 20) -> list[Messages]:
        """Read once, and commit what came."""
        pieces: list[Messages] = list(self.source.read(budget_bytes))
        for sighting in self.source.sightings():
            self.ledger.commit(sighting)
        for piece in pieces:
            self.read += zip(piece.numbers, piece.payloads, strict=True)
            self.origins.append(piece.origin)
            if commit:
                self.commit(piece)
        return pieces

    def commit(self, piece: Messages) -> None:
        position = Position(piece.origin, piece.next_number, b"")
        self.ledger.commit(position)
        self.source.committed(position)

    def until(self, condition: Callable[[], bool], what: str, *, commit: bool = True) -> None:
        """Go on until it is so."""

        def so() -> bool:
            self.turn(commit=commit)
            return condition()

        wait_for(so, what, 60)

    def until_read(self, *payloads: bytes, commit: bool = True) -> None:
        """Go on until at least these have come."""
        self.until(lambda: set(payloads) <= set(self.payloads), f"{len(payloads)} messages", commit=commit)

    def until_exhausted(self) -> None:
        self.until(lambda: bool(self.source.exhausted), "the end")

    @property
    def payloads(self) -> list[bytes]:
        return [payload for _, payload in self.read]


def killed(kind: str, count: int, **options: Any) -> Origin:
    """Of which origin a process read so many messages before it was killed, with none of them committed."""
    program = [sys.executable, "-m", "tests.received", kind, json.dumps(options), str(count)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    file_id, path = json.loads(line)
    return Origin(file_id, 0, path)


def _read_and_wait(kind: str, options: str, count: str) -> None:
    received = Received(plugins.module("sources", kind), **json.loads(options))
    received.until(lambda: len(received.read) >= int(count), "messages", commit=False)
    print(json.dumps([received.origins[0].file_id, received.origins[0].path]), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _read_and_wait(*sys.argv[1:])
