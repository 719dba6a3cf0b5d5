"""Large files in pieces that can be read apart from each other, and give the very batches of one reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from monitor.core.input_config import InputConfig
from monitor.core.opening import reading
from monitor.core.records import Chunk, Origin, RawBatch
from monitor.ingest.charset import Charset
from monitor.ingest.framing import PLAIN, Framer
from monitor.ingest.reading import BLOCK_BYTES, HEAD_BYTES, file_id, is_packed, read_files

LOOK_BYTES = 1 << 16
"""So much is searched at once for the line feed before a piece."""


@dataclass(frozen=True, slots=True)
class Split:
    """The records that end between two places of a file; ``end`` None: all of them, whatever it is packed in.

    ``begin`` is where a record begins, and ``end`` a multiple of ``BLOCK_BYTES``: what ends in one block of the file
    is what a reading of the whole file has in one batch. The ``last`` piece has the rest, to the end that was found
    when the pieces were made.
    """

    path: str
    begin: int = 0
    end: int | None = None
    last: bool = True

    def __str__(self) -> str:
        return self.path if self.end is None else f"{self.path}, bytes {self.begin:,} to {self.end:,}"


def splits(paths: Sequence[str | Path], blocks: int, form: InputConfig = PLAIN) -> Iterator[Split]:
    """Files in pieces of about ``blocks`` blocks, in order.

    One piece is what is packed or no regular file, and all where a line feed does not end every record.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file cannot be read.
    """
    apart = _by_line(form)
    for path in map(str, paths):
        if not apart or not Path(path).is_file():
            yield Split(path)
            continue
        with reading(path), Path(path).open("rb") as file:
            yield from [Split(path)] if is_packed(file) else _pieces(path, file, blocks * BLOCK_BYTES)


def read_split(split: Split, new_framer: Callable[[], Framer] = Framer) -> Iterator[RawBatch]:
    """The records of one piece: the batches that ``read_files`` makes of it within the whole file, but for their tails.

    Raises:
        NoInputError, PermissionDeniedError, DataError: it cannot be read.
    """
    if split.end is None:
        yield from read_files([split.path], new_framer)
        return
    framer = new_framer()
    with reading(split.path), Path(split.path).open("rb") as file:
        for chunk in _chunks(split, split.end, file):
            yield from framer.push(chunk)


def _by_line(form: InputConfig) -> bool:
    """Whether behind every line feed, and nowhere else, a record begins."""
    return form.delimiter == "\n" and form.multiline is None and Charset(form.encoding, form.delimiter).unit == 1


def _pieces(path: str, file: IO[bytes], size: int) -> Iterator[Split]:
    length = os.fstat(file.fileno()).st_size
    begin = 0
    for end in range(size, length, size):
        next_begin = _record_start(file, end)
        if next_begin is None:
            continue  # one record from end to end: the piece grows
        yield Split(path, begin, end, last=False)
        begin = next_begin
    yield Split(path, begin, length)


def _record_start(file: IO[bytes], place: int) -> int | None:
    """Where the record begins that goes on at a place, or begins there; None if a block and more belongs to it."""
    for end in range(place, place - BLOCK_BYTES, -LOOK_BYTES):
        found = os.pread(file.fileno(), LOOK_BYTES, end - LOOK_BYTES).rfind(b"\n")
        if found >= 0:
            return end - LOOK_BYTES + found + 1
    return None


def _chunks(split: Split, end: int, file: IO[bytes]) -> Iterator[Chunk]:
    """Blocks that end where those of the whole file do, and behind the last of them a final empty one.

    What a record has of the block before comes with the first.
    """
    head = os.pread(file.fileno(), HEAD_BYTES, 0)
    origin = Origin(file_id=file_id(split.path), epoch=0, path=split.path, head=head)
    offset = file.seek(split.begin)
    block_end = -(-(split.begin + 1) // BLOCK_BYTES) * BLOCK_BYTES
    if block_end - split.begin < BLOCK_BYTES and split.begin:
        block_end += BLOCK_BYTES
    while offset < end and (data := file.read(min(block_end, end) - offset)):
        yield Chunk(origin, offset, data)
        offset += len(data)
        block_end += BLOCK_BYTES
    if split.last:
        yield Chunk(origin, offset, b"", final=True)
