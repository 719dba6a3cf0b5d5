"""Tells what a compressed file holds of that which is missing, or was read elsewhere, by unpacking it bit by bit."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace

from monitor.core.accounting import FileState, tail_marker
from monitor.sources._epochs import Closed
from monitor.sources._identity import HEAD_BYTES, difference, tail_before
from monitor.sources._packed import PackedFile
from monitor.sources._tailed import TailedFile
from monitor.sources._unpacking import Unpacked


@dataclass(frozen=True, slots=True)
class Want:
    """Content that a compressed file may hold, by the evidence of how far it was read; and who wants it.

    Nobody does where it is a copy that was made before all of that was written: then it has nothing that is unread.
    """

    evidence: FileState
    of: Closed | FileState | TailedFile | None


class Early(Exception):  # noqa: N818 - what is told, not a failure of ours
    """It has more than was read of a file that is still there: that will be read, or be found truncated."""


class Damaged(Exception):  # noqa: N818 - what is told, not a failure of ours
    """The file ends too early to say what it is: perhaps it is still being written."""


def examined(unpacked: Unpacked, home: str, head: bytes, wants: Iterable[Want]) -> Generator[None, None, Want | None]:
    """What of that which is wanted the file holds; ``head`` is what was read of it. A bit is unpacked at each step."""
    alike = [want for want in wants if want.evidence.repeated(head[: want.evidence.head_bytes]) is not None]
    for want in sorted(alike, key=lambda want: -want.evidence.offset):
        evidence = want.evidence
        yield from _go_to(unpacked, evidence.offset)
        tail = unpacked.tail[-evidence.tail_bytes :]
        if unpacked.offset == evidence.offset and tail_marker(tail) == evidence.marker:
            if not isinstance(want.of, TailedFile) or want.of.ended or not unpacked.read(1):
                return want
            if want.of.home == home:
                raise Early
            continue  # a backup of an earlier state of it, say
        if unpacked.ended and not unpacked.damage and (yield from _repeats(unpacked, evidence, home)):
            return replace(want, of=None)
    if unpacked.damage:
        raise Damaged(unpacked.damage)
    unpacked.rewind()
    return None


def contents(file: TailedFile) -> list[FileState]:
    """By what a file is known: a rotated one by all that it has, a live one, since it grows, by what was read.

    One that was truncated, which nobody may have noticed yet, by both: what was read may be in a copy.
    """
    read = file.evidence()
    if not file.active or not file.leaving or isinstance(file, PackedFile):
        return [read]
    size, head = os.fstat(file.fd).st_size, os.pread(file.fd, HEAD_BYTES, 0)
    tail = tail_before(file.fd, size)
    whole = FileState(replace(file.origin, head=head), size, tail_marker(tail), tail_bytes=len(tail))
    return [whole] if difference(file.fd, read) is None else [read, whole]


def _repeats(unpacked: Unpacked, evidence: FileState, home: str) -> Generator[None, None, bool]:
    """Whether what ended too early for ``evidence`` was read as far as it goes; see ``copied_until``."""
    size = unpacked.offset
    if size > evidence.offset:
        return False
    if size <= evidence.head_bytes:
        return size > 0 and home == evidence.origin.path
    mark = next((mark for mark in reversed(evidence.marks) if mark.offset <= size), None)
    if mark is None:
        return False
    yield from _go_to(unpacked, mark.offset)
    return tail_marker(unpacked.tail[-mark.tail_bytes :]) == mark.marker


def _go_to(unpacked: Unpacked, offset: int) -> Generator[None]:
    if unpacked.offset > offset:
        unpacked.rewind()
    while not unpacked.skip_to(offset):
        yield
