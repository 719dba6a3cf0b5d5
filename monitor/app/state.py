"""Shows where every file of a stream is read on, beside a running daemon."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitor.app.alerting import rfc3339
from monitor.app.streams import chosen_streams
from monitor.app.whereabouts import Evidence, whereabouts
from monitor.core.accounting import Counts, DeadLetter, FileState
from monitor.core.places import of_messages
from monitor.ledger import Ledger
from monitor.plugins import load_config, resolve_state_dir


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file, or what messages come from, as the ledger and the disk know it; ``offset`` is a byte or a message.

    ``found`` is the path of the file that holds what was read, None when none does; ``behind_bytes`` is what that file
    has beyond the committed place.
    """

    file_id: str
    path: str
    epoch: int
    offset: int
    found: str | None
    behind_bytes: int | None
    committed_at: str | None


@dataclass(frozen=True, slots=True)
class StreamRow:
    """What the ledger knows of a stream."""

    stream: str
    counts: Counts
    files: Sequence[FileRow]
    dead_letters: int
    memories: Sequence[str]


@dataclass(frozen=True, slots=True)
class SinkRow:
    """How many alerts wait for a sink, and for how long the oldest of them."""

    sink: str
    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class StateView:
    """The state directory at one look."""

    ledger: str
    streams: Sequence[StreamRow]
    sinks: Sequence[SinkRow]


def state_dir_of(config_path: Path) -> Path:
    """Where the ledger of a configuration stands."""
    return resolve_state_dir(load_config(config_path), os.environ)


def view(config_path: Path, stream: str | None) -> StateView:
    """One stream or all that ever committed anything.

    Raises:
        UsageError: there is no such stream.
        NoInputError: there is no ledger.
    """
    chosen_streams(load_config(config_path), [stream] if stream else [])
    state_dir = state_dir_of(config_path)
    with Ledger.open(state_dir, read_only=True) as ledger:
        names = [stream] if stream else ledger.streams()
        sinks = [SinkRow(name, *ledger.outbox_state(name)) for name in ledger.sinks()]
        return StateView(str(state_dir), [_stream(ledger, name) for name in names], sinks)


def dead_letters(config_path: Path, stream: str | None, limit: int) -> list[tuple[str, DeadLetter]]:
    """The newest records that could not be parsed, with their streams, the oldest of them first."""
    names = list(chosen_streams(load_config(config_path), [stream] if stream else []))
    with Ledger.open(state_dir_of(config_path), read_only=True) as ledger:
        return [(name, letter) for name in names for letter in ledger.dead_letters(name, limit)[::-1]]


def _stream(ledger: Ledger, name: str) -> StreamRow:
    files = [file_row(state) for state in ledger.resume(name)]
    return StreamRow(name, ledger.counts(name), files, ledger.dead_letter_count(name), memory_names(ledger, name))


def memory_names(ledger: Ledger, stream: str) -> list[str]:
    """What remembers keys, as a person calls it: features by their names, parts of the program by what they do."""
    return sorted(name.lstrip("\0") or "averaged scores" for name in ledger.memories(stream))


def file_row(state: FileState) -> FileRow:
    """A file with what the disk says of it now; of what a broker has, nobody is asked."""
    messages, behind = of_messages(state.origin.file_id), None
    found = None if messages else whereabouts(Evidence.of_place(state))
    with suppress(OSError):
        behind = max(0, found.stat().st_size - state.offset) if found else None
    return FileRow(
        state.origin.file_id, state.origin.path, state.origin.epoch, state.offset,
        str(found) if found else None, behind, rfc3339(state.committed_at),
    )  # fmt: skip
