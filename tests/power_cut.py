"""What a power cut leaves of a directory: all that was synced, and of later writes whatever sectors came to the disk.

The system calls of a real process are recorded (``strace``); each image is made of those before a moment.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.support import need

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""

CALLS = "pwrite64,fsync,fdatasync,ftruncate,rename,unlink"
_CALL = re.compile(rb"(\w+)\((.*)\) = \d+$")
_TEXT = re.compile(rb"(?:\\x[0-9a-f]{2})+")
_NUMBERS = re.compile(rb", (\d+)")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call; ``name`` is the file's in the directory, empty for the directory itself."""

    kind: Literal["write", "sync", "truncate", "rename", "unlink"]
    name: str
    data: bytes = b""
    offset: int = 0
    renamed: str = ""


def recorded(directory: Path, *command: str) -> list[Operation]:
    """Run a Python command and say what its main thread did to the files of a directory, in that order."""
    trace = directory.with_name("trace")
    strace = [need("strace"), "-y", "-xx", "-s", "100000", "-e", f"trace={CALLS}", "-o", str(trace)]
    done = subprocess.run([*strace, sys.executable, *command], capture_output=True, check=False)
    if b"PTRACE" in done.stderr:
        pytest.skip("this system lets nobody trace a process")
    assert done.returncode == 0, done.stderr.decode()
    return [found for line in trace.read_bytes().splitlines() for found in _operations(line, bytes(directory))]


def _operations(line: bytes, directory: bytes) -> Iterator[Operation]:
    call = _CALL.match(line)
    if call is None:
        return
    texts = [bytes.fromhex(text.replace(b"\\x", b"").decode()) for text in _TEXT.findall(call[2])]
    if not texts or not texts[0].startswith(directory):
        return
    name = texts[0][len(directory) + 1 :].decode()
    numbers = [int(number) for number in _NUMBERS.findall(call[2])]
    match call[1]:
        case b"pwrite64":
            assert len(texts[1]) == numbers[0], "strace has cut a write short"
            yield Operation("write", name, texts[1], numbers[1])
        case b"ftruncate":
            yield Operation("truncate", name, offset=numbers[0])
        case b"rename":
            yield Operation("rename", name, renamed=texts[1][len(directory) + 1 :].decode())
        case b"unlink":
            yield Operation("unlink", name)
        case _:
            yield Operation("sync", name)


def cut(operations: Sequence[Operation], dice: random.Random) -> dict[str, bytes]:
    """The files after a power cut at some moment, by name."""
    done = operations[: dice.randrange(len(operations) + 1)]
    synced = {found.name: place for place, found in enumerate(done) if found.kind == "sync"}
    share = dice.choice([0.0, 0.5, 0.9, 1.0])
    files: dict[str, bytearray] = {}
    for place, found in enumerate(done):
        by = "" if found.kind in ("rename", "unlink") else found.name
        _apply(found, files, dice, 1.0 if place < synced.get(by, -1) else share)
    return {name: bytes(content) for name, content in files.items()}


def _apply(found: Operation, files: dict[str, bytearray], dice: random.Random, share: float) -> None:
    """Do what was done, as far as it came to the disk: that ``share`` of it, sector by sector."""
    content = files.setdefault(found.name, bytearray()) if found.kind == "write" else files.get(found.name)
    if found.kind == "write" and content is not None:
        for start in range(0, len(found.data), SECTOR_BYTES):
            if dice.random() < share:
                _put(content, found.offset + start, found.data[start : start + SECTOR_BYTES])
    elif content is not None and dice.random() < share:
        match found.kind:
            case "truncate":
                del content[found.offset :]
            case "rename":
                files[found.renamed] = files.pop(found.name)
            case "unlink":
                del files[found.name]
            case _:
                pass


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
