"""Parquet read as the JSON Lines it would be written as, so that all who read lines can read it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import msgspec

from monitor.core.arrow import pa, pq

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = b"PAR1"
ROWS = 8192
"""So many are unpacked at once."""


class ParquetLines(io.RawIOBase):
    r"""The rows of a Parquet file as lines of JSON: a field each column, times as RFC 3339, what is missing as null.

    Raises:
        OSError: the file is damaged, or cannot be sought in.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._texts = _texts(file)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._rest:
            text = next(self._texts, None)
            if text is None:
                return 0
            self._rest = memoryview(text)
        room = memoryview(buffer).cast("B")
        count = min(len(room), len(self._rest))
        room[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _texts(file: IO[bytes]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    try:
        batches: Iterator[Any] = pq.ParquetFile(file).iter_batches(ROWS)
        for batch in batches:
            yield encoder.encode_lines(batch.to_pylist())
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise OSError(f"no sound Parquet file: {error}") from error
