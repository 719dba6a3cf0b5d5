"""Reading as every part of the program does it: framed bytes become columns with event time and key, or files do.

The daemon, the trainer and the offline tools all go through here, so they cannot read the same bytes differently.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol, cast

from monitor.core.arrays import F64, I64
from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import NoInputError
from monitor.core.opening import reading
from monitor.core.protocols import Parser
from monitor.core.records import Chunk, Field, FieldType, Origin, RawBatch, RecordBatch
from monitor.core.redaction import Redaction
from monitor.core.rows import lines_of
from monitor.core.timestamps import check, parse_times
from monitor.ingest.framing import Framer
from monitor.ingest.parquet import MAGIC, ParquetLines


class Readable(Protocol):
    """A binary stream: at most ``size`` bytes, none at its end."""

    def read(self, size: int, /) -> bytes: ...


class Peekable(Readable, Protocol):
    """A binary stream that can be looked into before it is read: at least a byte, unless it has ended."""

    def peek(self, size: int, /) -> bytes: ...


BLOCK_BYTES = 1 << 20
"""How much of a file is read at once: large enough that the cost of a batch vanishes, small enough for a cache."""
HEAD_BYTES = 1024
STDIN = "-"


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """Which field holds the event time and how it is written; ``timezone`` is for times that name none."""

    field: str
    format: str | None = None
    timezone: str = "UTC"


class Ingest:
    """Parses framed records and adds event times and keys. Nothing is remembered between batches.

    Args:
        parser: built for at least the fields that ``wanted_fields`` names.
        time: where the event time stands; None for a stream without.
        key: the field that names the entity of a record; None for a stream without.
        clock: tells the year of times that have none (they lie near now).
        context: reads time and key of single records, see ``context``. Reading both of every record costs a tenth of
            all that is done with it; so where no feature needs them ``parser`` leaves them out and this one is given.
        redaction: what it finds is replaced in all fields; None: nothing is.

    Raises:
        ValueError: the time's format or zone does not exist.
    """

    def __init__(
        self,
        parser: Parser,
        *,
        time: TimeColumn | None,
        key: str | None,
        clock: Clock | None = None,
        context: Parser | None = None,
        redaction: Redaction | None = None,
    ) -> None:
        if time is not None:
            check(time.format, time.timezone)
        self._parser = parser
        self._time = time
        self._key = key
        self._clock = clock or SystemClock()
        self._context = context
        self._redaction = redaction or Redaction([])

    def parse(self, raw: RawBatch) -> RecordBatch:
        """The records of a batch as columns, with ``times`` and ``keys`` unless a context parser reads them."""
        records = self._parser.parse(raw)
        if self._context is None:
            records = self._with_context(records)
        return self._redaction.records(records)

    def context(self, raw: RawBatch, rows: I64) -> RecordBatch:
        """Some records of a batch once more, [m], with ``times`` and ``keys`` where the stream has them."""
        return self._redaction.records(self._with_context((self._context or self._parser).parse(lines_of(raw, rows))))

    def _with_context(self, records: RecordBatch) -> RecordBatch:
        return replace(
            records,
            times=None if self._time is None else self._times(records, self._time),
            keys=None if self._key is None else records.column(self._key, FieldType.TEXT),
        )

    def _times(self, records: RecordBatch, time: TimeColumn) -> F64:
        column = records.column(time.field, FieldType.TEXT)
        return parse_times(column, format=time.format, timezone=time.timezone, reference=self._clock.now())


def wanted_fields(fields: Iterable[Field], *, time: TimeColumn | None, key: str | None) -> list[Field]:
    """What the parser must deliver: the features' fields, the time and the key, each once, sorted.

    >>> wanted_fields([Field("status", FieldType.TEXT)], time=TimeColumn("at"), key="status")
    [Field(name='at', type=<FieldType.TEXT: 'text'>), Field(name='status', type=<FieldType.TEXT: 'text'>)]
    """
    extra = [Field(name, FieldType.TEXT) for name in (time.field if time else None, key) if name is not None]
    return sorted({*fields, *extra})


def read_files(
    paths: Sequence[str | Path],
    new_framer: Callable[[], Framer] = Framer,
    stdin: IO[bytes] | None = None,
) -> Iterator[RawBatch]:
    """Framed records of whole files, one file after the other, each by a framer of its own.

    ``-`` is ``stdin`` (the process's own when None; it is read to its end and not closed). Files compressed by gzip,
    bzip2 or xz are known by their first bytes, whatever they are called, and unpacked block by block; so is Parquet,
    to lines of JSON. Offsets count unpacked bytes.

    Raises:
        NoInputError: a file does not exist, or is a directory.
        PermissionDeniedError: a file may not be read.
        DataError: a file cannot be read, or is compressed and damaged; the records before the fault were given.
    """
    for path in map(str, paths):
        with reading(path), nullcontext(stdin or own_stdin()) if path == STDIN else opened(path) as stream:
            yield from read_stream(stream, path, new_framer())


def read_stream(stream: Readable, path: str, framer: Framer) -> Iterator[RawBatch]:
    """Framed records of what is open already, from where it stands to its end; ``path`` is what it is called.

    What fails to be read comes as it is.
    """
    for chunk in _chunks(stream, path):
        yield from framer.push(chunk)


def _chunks(stream: Readable, path: str) -> Iterator[Chunk]:
    """Blocks of ``BLOCK_BYTES``, the last one shorter, and a final empty one: the same whatever they are packed in."""
    origin = Origin(file_id=file_id(path), epoch=0, path=path)
    offset = 0
    while data := stream.read(BLOCK_BYTES):
        if offset == 0:
            origin = replace(origin, head=data[:HEAD_BYTES])
        yield Chunk(origin, offset, data)
        offset += len(data)
    yield Chunk(origin, offset, b"", final=True)


def file_id(path: str) -> str:
    """The same for the same path, wherever the command is called from."""
    name = STDIN if path == STDIN else str(Path(path).absolute())
    return hashlib.blake2b(name.encode("utf-8", errors="surrogateescape"), digest_size=16).hexdigest()


@contextmanager
def opened(path: str) -> Generator[Peekable, None, None]:
    """A file for reading, unpacked as ``read_files`` does it; ``-`` is the process's own standard input, left open.

    It is opened once only, so a pipe loses nothing. Inside the context every failure of the system is taken for this
    file's.

    Raises:
        NoInputError, PermissionDeniedError: it cannot be opened.
        DataError: it cannot be read to its end.
    """
    with reading(path), ExitStack() as closing:
        plain = own_stdin() if path == STDIN else closing.enter_context(Path(path).open("rb"))
        unpack = _unpacker(plain)
        yield closing.enter_context(unpack(plain)) if unpack else plain


def is_packed(file: io.BufferedReader) -> bool:
    """Whether a file, just opened, is other than it is read as."""
    return _unpacker(file) is not None


def _unpacker(file: io.BufferedReader) -> Callable[[io.BufferedReader], AbstractContextManager[Peekable]] | None:
    """What reads a file of its kind, told by its first bytes; None where it is read as it is."""
    head = file.peek(10)[:10]
    if head.startswith(b"\x1f\x8b"):
        return lambda packed: gzip.GzipFile(fileobj=packed)
    if head.startswith(b"BZh") and head[4:] == b"1AY&SY":
        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile
    if head.startswith(MAGIC):
        return lambda packed: io.BufferedReader(ParquetLines(packed))
    return None


def own_stdin() -> io.BufferedReader:
    """The process's standard input; it is not the caller's to close.

    Raises:
        NoInputError: the process was started without one.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it may be
        raise NoInputError(f"{STDIN}: standard input is closed")
    return cast("io.BufferedReader", sys.stdin.buffer)
