"""A source `kafka`, driven as the daemon's reader drives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monitor.core.accounting import FileState, Position, tail_marker
from monitor.core.clock import SystemClock
from monitor.core.protocols import SourceContext
from monitor.core.records import Messages
from monitor.sources import kafka
from tests.e2e.support import wait_for
from tests.kafka_broker import SESSION_SECONDS, Broker
from tests.support_files import RecordedEvents

MOST = 100
"""Messages of one batch."""


class Reading:
    """A source, driven as the reader does, with what it read and told."""

    def __init__(self, address: str, topics: list[str], *, resume: list[FileState], once: bool, **options: Any) -> None:
        self.events = RecordedEvents()
        context = SourceContext("web", resume, SystemClock(), self.events, wake=lambda: None, max_records=MOST)
        basics = {"brokers": [address], "topics": topics, "session_timeout_seconds": SESSION_SECONDS}
        config = kafka.Config.model_validate({**basics, **options})
        self.source = kafka.build(config, context, once=once)
        self.batches: list[Messages] = []
        self.sightings: list[Position] = []

    def read(self, budget_bytes: int = 1 << 20) -> list[Messages]:
        batches = self.source.read(budget_bytes)
        self.sightings += self.source.sightings()
        self.batches += batches
        return batches

    def commit(self) -> None:
        for batch in self.batches:
            self.source.committed(Position(batch.origin, batch.next_number, b""))

    @property
    def texts(self) -> list[str]:
        return [payload.decode() for batch in self.batches for payload in batch.payloads]

    def ledger(self) -> list[FileState]:
        """What the ledger has when everything read and sighted is committed."""
        places = {each.origin.file_id: (each.origin, each.offset) for each in self.sightings}
        places |= {each.origin.file_id: (each.origin, each.next_number) for each in self.batches}
        return [FileState(origin, offset, tail_marker(b""), 0) for origin, offset in places.values()]


@contextmanager
def reading(
    running: Broker, *topics: str, resume: list[FileState] | None = None, once: bool = False, **options: Any
) -> Iterator[Reading]:
    made = Reading(running.address, list(topics), resume=resume or [], once=once, **{"group": topics[0], **options})
    try:
        yield made
    finally:
        made.source.close()
        made.source.close()


def until(reading: Reading, count: int, *, commit: bool = False) -> None:
    """Read until so many messages came."""

    def enough() -> bool:
        reading.read()
        if commit:
            reading.commit()
        return len(reading.texts) >= count

    wait_for(enough, f"{count} messages", 60)


def to_the_end(running: Broker, *topics: str, **options: Any) -> Reading:
    """Read with ``once`` and commit all of it."""
    with reading(running, *topics, once=True, **options) as read:
        while not read.source.exhausted:
            if not read.read():
                time.sleep(read.source.pause / 10)
            read.commit()
    return read
