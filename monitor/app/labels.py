"""What people said of alerts, in a file beside the ledger: it can be written while the daemon holds the ledger."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from monitor.core.alerts import Alert
from monitor.core.durable import sync_directory
from monitor.core.errors import CannotCreateError, PermissionDeniedError, StateError

LABELS_FILE = "feedback.jsonl"
Verdict = Literal["benign", "anomaly"]


class Label(msgspec.Struct, frozen=True):
    """A person's word on an alert. It holds the alert itself, since the ledger forgets old ones.

    ``by`` is the user who said it on the status page; empty for whoever said it on the machine.
    """

    label: Verdict
    note: str
    labelled_at: str
    alert: Alert
    by: str = ""
    schema: Literal["aemonitor.feedback/v1"] = "aemonitor.feedback/v1"


def add_labels(state_dir: Path, labels: Sequence[Label]) -> None:
    """Append labels, durable when this returns; the last one of an alert counts.

    Raises:
        PermissionDeniedError, CannotCreateError: the file cannot be written.
    """
    path = state_dir / LABELS_FILE
    lines = b"".join(msgspec.json.encode(label) + b"\n" for label in labels)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _belongs_to_owner_of(state_dir, descriptor)
            _cut_torn_line(descriptor)
            file.write(lines)
            os.fsync(descriptor)
        sync_directory(state_dir)
    except PermissionError as error:
        raise PermissionDeniedError(f"may not write {path}: {error.strerror}; run it as the daemon's user") from error
    except OSError as error:
        raise CannotCreateError(f"cannot write {path}: {error.strerror}") from error


def labels_version(state_dir: Path) -> tuple[int, ...]:
    """What changes whenever a label is added; empty where there is none yet."""
    try:
        file = (state_dir / LABELS_FILE).stat()
    except FileNotFoundError:
        return ()
    return file.st_ino, file.st_size, file.st_mtime_ns


def read_labels(state_dir: Path) -> dict[str, Label]:
    """The last label of each alert, by its id, in the order in which alerts were first labelled.

    A last line that a crash cut off was never promised to anyone and is passed over.

    Raises:
        StateError: another line is no label; PermissionDeniedError: the file may not be read.
    """
    path = state_dir / LABELS_FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise PermissionDeniedError(f"may not read {path}: {error.strerror}; run it as the daemon's user") from error
    labels: dict[str, Label] = {}
    for number, line in enumerate(lines[:-1], 1):
        if line:
            label = _decoded(path, number, line)
            labels[label.alert.id] = label
    return labels


def _decoded(path: Path, number: int, line: bytes) -> Label:
    try:
        return msgspec.json.decode(line, type=Label)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"{path}:{number}: not a label ({error}); delete the line to go on without it") from error


def _cut_torn_line(descriptor: int) -> None:
    """Leave whole lines only: what a crash cut off was never promised to anyone."""
    size = os.fstat(descriptor).st_size
    os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)


def _belongs_to_owner_of(directory: Path, descriptor: int) -> None:
    """Give a file that root wrote to whose directory it is, or the daemon's user could not read it."""
    owner = directory.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
