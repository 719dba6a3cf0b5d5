"""Reading as every part of the program does it: framed bytes become columns with event time and key, or files do.

The daemon, the trainer and the offline tools all go through here, so they cannot read the same bytes differently.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from monitor.core.errors import DataError, NoInputError, PermissionDeniedError
from monitor.core.protocols import Parser
from monitor.core.records import Chunk, Field, FieldType, Origin, RawBatch, RecordBatch
from monitor.ingest.framing import Framer

BLOCK_BYTES = 1 << 20
OPENERS: dict[str, Callable[[Path], BinaryIO]] = {
    ".gz": lambda path: gzip.open(path, "rb"),  # type: ignore[dict-item,return-value]
    ".bz2": lambda path: bz2.open(path, "rb"),  # type: ignore[dict-item,return-value]
    ".xz": lambda path: lzma.open(path, "rb"),  # type: ignore[dict-item,return-value]
}


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """Which field holds the event time and how it is written; ``timezone`` is for times that name none."""

    field: str
    format: str | None = None
    timezone: str = "UTC"


class Ingest:
    """Parses framed records and adds event times and keys. Stateless."""

    def __init__(self, parser: Parser, *, time: TimeColumn | None, key: str | None) -> None:
        self._parser = parser
        self._time = time
        self._key = key

    def parse(self, raw: RawBatch) -> RecordBatch:
        """The records of a batch as columns, with ``times`` and ``keys`` where the stream has them."""
        records = self._parser.parse(raw)
        if self._time is not None:
            from monitor.core.timestamps import parse_times

            column = records.column(self._time.field, FieldType.TEXT)
            records = replace(
                records, times=parse_times(column, format=self._time.format, timezone=self._time.timezone, reference=0.0)
            )
        if self._key is not None:
            records = replace(records, keys=records.column(self._key, FieldType.TEXT))
        return records


def wanted_fields(fields: Iterable[Field], *, time: TimeColumn | None, key: str | None) -> list[Field]:
    """What the parser must deliver: the features' fields, the time and the key, each once, sorted."""
    extra = [Field(name, FieldType.TEXT) for name in (time.field if time else None, key) if name is not None]
    return sorted({*fields, *extra})


def read_files(
    paths: Sequence[Path], *, max_record_bytes: int = 262_144, max_batch_records: int = 4096
) -> Iterator[RawBatch]:
    """Framed records of whole files, one after the other; ``-`` is standard input, .gz, .bz2 and .xz are unpacked.

    Raises:
        NoInputError: a file does not exist.
        PermissionDeniedError: a file may not be read.
        DataError: a compressed file is damaged.
    """
    for path in paths:
        framer = Framer(max_record_bytes=max_record_bytes, max_batch_records=max_batch_records)
        file_id = hashlib.blake2b(str(path).encode(), digest_size=16).hexdigest()
        origin = Origin(file_id=file_id, epoch=0, path=str(path))
        offset = 0
        try:
            with _opened(path) as source:
                while data := source.read(BLOCK_BYTES):
                    yield from framer.push(Chunk(origin, offset, data))
                    offset += len(data)
        except FileNotFoundError:
            raise NoInputError(f"{path}: no such file") from None
        except PermissionError:
            raise PermissionDeniedError(f"{path}: not readable by this user") from None
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise DataError(f"{path}: {error}") from error
        yield from framer.push(Chunk(origin, offset, b"", final=True))


def _opened(path: Path) -> BinaryIO:
    if str(path) == "-":
        return sys.stdin.buffer
    return OPENERS.get(path.suffix, lambda p: p.open("rb"))(path)
