"""Changes where files are read on: planned and put into words first, done only when asked, never beside a daemon."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from monitor.app.state import memory_names, state_dir_of
from monitor.app.streams import chosen_streams
from monitor.app.whereabouts import Evidence, holds, whereabouts
from monitor.core.accounting import TAIL_BYTES, FileState, Position
from monitor.core.errors import DataError, NoInputError, UsageError
from monitor.core.opening import reading
from monitor.core.places import of_messages, unit
from monitor.core.records import Origin
from monitor.ledger import Ledger
from monitor.plugins import load_config

To = Literal["forget", "beginning", "end"]

LONGEST_LINE = 1 << 20
"""Bytes from the end of a file in which its last line feed is looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what is going to happen to it, in words; the id that is forgotten, or the new place, or neither."""

    text: str
    forgotten: str | None = None
    place: Position | None = None


@contextmanager
def _held(config_path: Path, stream: str) -> Generator[Ledger, None, None]:
    """The ledger, for us alone.

    Raises:
        UsageError: there is no such stream.
        NoInputError: there is no ledger; none is made.
        TryLaterError: a daemon holds it.
    """
    chosen_streams(load_config(config_path), [stream])
    state_dir = state_dir_of(config_path)
    Ledger.open(state_dir, read_only=True).close()
    with Ledger.open(state_dir) as ledger:
        yield ledger


def reset(config_path: Path, stream: str, files: Sequence[str], to: To, *, do: bool) -> list[str]:
    """Forget files of a stream (all if none is named), or read them anew from their beginning or on from their end.

    Returns what is done, or with ``do`` False would be, line by line.

    Raises:
        UsageError, NoInputError, TryLaterError: see ``_held``; or a file is not known, or is none.
    """
    with _held(config_path, stream) as ledger:
        states = _chosen(ledger.resume(stream), files)
        changes = [_change(state, to) for state in states]
        memories = memory_names(ledger, stream) if to != "end" and not files else []
        if do:
            ledger.forget(stream, [each.forgotten for each in changes if each.forgotten], idle_seconds=float("-inf"))
            ledger.place(stream, [each.place for each in changes if each.place])
            if memories:
                ledger.forget_memories(stream)
    told = [f"what is remembered of keys is forgotten: {', '.join(memories)}"] if memories else []
    return [*(each.text for each in changes), *told]


def _chosen(states: Sequence[FileState], names: Sequence[str]) -> list[FileState]:
    """The files that are named by path or by the beginning of their id."""
    found = [state for state in states if not names or any(_is(state, name) for name in names)]
    for name in names:
        if not any(_is(state, name) for state in states):
            raise UsageError(f"the ledger knows no file {name}; see `aemonitor state show`")
    return found


def _is(state: FileState, name: str) -> bool:
    return state.origin.path == name or (len(name) >= 4 and state.origin.file_id.startswith(name))


def _change(state: FileState, to: To) -> Change:
    origin = state.origin
    at = f"{origin.path} ({unit(origin.file_id)} {state.offset:,} of epoch {origin.epoch})"
    if to == "forget":
        return Change(f"{at} is forgotten: if it is still there, it is read as a new file", forgotten=origin.file_id)
    _demand_file(origin, "set the place there, and forget this one with `--to forget`")
    if to == "beginning":
        place = Position(replace(origin, epoch=origin.epoch + 1), 0, b"")
        return Change(f"{at} is read again from its beginning; its alerts are raised again", place=place)
    found = whereabouts(Evidence.of_place(state))
    if found is None or found.stat().st_ino != origin.inode:
        return Change(f"{at} exists no more; its place stays as it is")
    offset, tail = _last_boundary(found, state.offset)
    text = f"{at} is read on from byte {offset:,}; {offset - state.offset:,} bytes before it are never scored"
    return Change(text, place=Position(origin, offset, tail))


def _demand_file(origin: Origin, cure: str) -> None:
    if of_messages(origin.file_id):
        raise UsageError(f"{origin.path} is no file: whoever sends its messages keeps a place, too; {cure}")


def _last_boundary(path: Path, least: int) -> tuple[int, bytes]:
    """Behind the last line feed of a file, but not before ``least``, with the bytes in front of it."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = stream.seek(max(least, size - LONGEST_LINE))
        offset = max(least, start + stream.read().rfind(b"\n") + 1)
        begin = stream.seek(max(0, offset - TAIL_BYTES))
        return offset, stream.read(offset - begin)


def adopt(config_path: Path, stream: str, file: str, path: Path, *, do: bool) -> str:
    """Go on in another file where the place of a file that moved was: to another disk, or restored from a backup.

    Raises:
        UsageError, NoInputError, TryLaterError: see ``_held``; or the file is not known, or several are.
        DataError: the other file does not hold what was read; reading on in it would skip or repeat records.
    """
    with _held(config_path, stream) as ledger:
        states = _chosen(ledger.resume(stream), [file])
        if len(states) > 1:
            ids = ", ".join(state.origin.file_id[:8] for state in states)
            raise UsageError(f"several files were read as {file}: {ids}; give the id")
        _demand_file(states[0].origin, "there is nothing to adopt")
        position = _adopted(states[0], path)
        if do:
            ledger.place(stream, [position])
    return f"{path} is read on from byte {position.offset:,}, as {states[0].origin.path} was"


def _adopted(state: FileState, path: Path) -> Position:
    if not path.exists():
        raise NoInputError(f"there is no file {path}")
    evidence = Evidence.of_place(state)
    with reading(str(path)), path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        alike = state.repeated(stream.read(state.head_bytes)) == state.head_bytes
        if not alike or (state.tail_bytes and not holds(path, evidence)):
            raise DataError(
                f"{path} does not hold what was read of {state.origin.path} up to byte {state.offset:,}; "
                "without adoption it is read as a new file, from its beginning"
            )
        stream.seek(state.offset - state.tail_bytes)
        tail = stream.read(state.tail_bytes)
    origin = replace(state.origin, path=str(path.absolute()), device=status.st_dev, inode=status.st_ino)
    return Position(origin, state.offset, tail)
