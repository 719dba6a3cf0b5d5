"""What travels from the source to the encoders: bytes, framed records, parsed columns.

Row ``i`` is the same record in every one of these from framing to alert. A stage may mark a row bad
(``ok[i] = False``); it never drops or reorders one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from monitor.core.arrays import F64, I64, Bools, Column


class Mark(NamedTuple):
    """A place that was passed in a file, and the hash of the ``tail_bytes`` (<= 256) bytes before it."""

    offset: int
    marker: bytes
    tail_bytes: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where bytes come from, with the evidence by which the place is found again after a restart.

    ``file_id`` is opaque and durable; ``epoch`` grows by one each time the same file starts anew (truncation).
    ``head`` is the first <= 1024 bytes as seen so far. Pipes have device and inode 0 and no head. In the ledger stand
    hashes of it, so where an origin comes from there it is empty (see ``FileState``).
    ``early`` are places within what was read of this epoch at first: a copy of it may end before the first commit.
    """

    file_id: str
    epoch: int
    path: str
    device: int = 0
    inode: int = 0
    head: bytes = b""
    early: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they were read, of one origin and contiguous; they may begin and end inside a record.

    ``final`` says that no byte will ever follow in this epoch: an unfinished last record is complete as it stands.
    ``quiet_seconds``: nothing has followed for so long. Such a chunk is empty, and comes more than once if need be.
    """

    origin: Origin
    offset: int
    data: bytes
    final: bool = False
    quiet_seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes in it."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Messages:
    """Whole records as a broker handed them out, of one origin; at least one, and at most a batch.

    ``numbers[i]`` is the broker's own number of record ``i``: with the origin it is what alert ids are made of, so a
    message that is delivered again has the same. ``next_number`` is committed as progress behind them. It grows from
    one to the next of an epoch that are not committed yet; a message that comes again has a smaller number than it.
    """

    origin: Origin
    payloads: Sequence[bytes]
    numbers: Sequence[int]
    next_number: int

    @property
    def size(self) -> int:
        """Bytes of all payloads."""
        return sum(map(len, self.payloads))


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Framed records of one origin, in order.

    ``data`` is valid UTF-8 and holds the records; record ``i`` is ``data[starts[i]:ends[i]]``, its delimiter left out.
    Between ``ends[i]`` and ``starts[i + 1]`` stands nothing but the delimiter (``\\n`` or ``\\r\\n``, whatever the
    file has), so ``data`` as a whole is the records one behind the other. A record may have line feeds in it: where it
    is a group of lines, or where the file has another delimiter.
    ``offsets[i]`` is where record ``i`` starts in the file. ``next_offset`` is the file offset just behind the last
    record (its last line, for a group): what is committed as progress.
    ``tail`` is the <= 256 bytes before ``next_offset`` as they stood in the file (the tail marker is made of them).
    ``truncated[i]``: the record was longer than the cap and only its first bytes are here.
    Of ``Messages`` the offsets are their numbers, and there is no tail.
    """

    origin: Origin
    data: bytes
    starts: I64  # [n]
    ends: I64  # [n]
    offsets: I64  # [n]
    next_offset: int
    tail: bytes
    truncated: Bools  # [n]
    replaced_bytes: int = 0  # bytes that were not of the file's encoding and became U+FFFD
    dropped_bytes: int = 0  # bytes cut off over-long records
    skipped_bytes: int = 0  # NUL bytes left out before the first character of a record
    input_bytes: int = 0  # bytes these records took in the file, delimiters included
    sampled_out: int = 0  # records that stood among these and were passed over because of overload

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, row: int) -> str:
        """The text of one record. For alerts and dead letters only; never in the hot path."""
        return self.data[self.starts[row] : self.ends[row]].decode("utf-8")


HEADER = "header"
"""The reason of a row that is a column header: not a record, so it is counted as filtered, not as unparsed."""


class FieldType(StrEnum):
    """What a feature wants a field to be.

    number: float64; null = missing, NaN = present but not a number. text: string; null = missing.
    boolean: bool; null = missing or neither true nor false. vector: list of float64; null = missing or not a list.
    texts: list of strings, each of which may be null; null = missing or not a list.
    """

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    VECTOR = "vector"
    TEXTS = "texts"


class Field(NamedTuple):
    """A field by its (flattened) name and the type it is wanted as; one name may be wanted as two types."""

    name: str
    type: FieldType


Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Parsed records as columns.

    ``columns`` has every field that was asked for, each of length n, all-null where the field never occurs.
    ``ok[i]`` is False for a record that could not be parsed; its values are null and ``reasons[i]`` says why.
    ``times`` is the event time in seconds since 1970 UTC, NaN where unknown; None when the stream has no time field.
    ``keys`` is the entity of each record, null where missing; None when the stream has no key.
    ``stretches`` numbers the runs of records that follow each other in the stream, for a sample of such runs: what is
    remembered of a key goes no further than its run. None: all records of a key follow each other.
    ``warming[i]``: the record is there to be remembered, and neither learned nor judged. ``apart[i]``: people were told
    of it, or it came close behind one: it is never learned, and judged where others are. None: no record is.
    """

    raw: RawBatch
    columns: Mapping[Field, Column]
    ok: Bools  # [n]
    reasons: Mapping[int, str] = field(default_factory=dict[int, str])
    times: F64 | None = None  # [n]
    keys: Column | None = None  # [n] string
    stretches: I64 | None = None  # [n]
    warming: Bools | None = None  # [n]
    apart: Bools | None = None  # [n]
    _made: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict[Any, Any])

    def __len__(self) -> int:
        return len(self.ok)

    def once(self, make: Callable[[RecordBatch], Made]) -> Made:
        """``make(self)``, worked out for the first who asks and kept with the batch: what several features share.

        For functions that depend on the batch alone; nobody may write to what they return.
        """
        if make not in self._made:
            self._made[make] = make(self)
        return cast("Made", self._made[make])

    @property
    def headers(self) -> Bools:
        """Which rows are column headers, and so no records, [n]."""
        headers = np.zeros(len(self), dtype=np.bool_)
        headers[[row for row, reason in self.reasons.items() if reason == HEADER]] = True
        return headers

    @property
    def unparsed(self) -> Bools:
        """Which rows are records that could not be parsed, [n]."""
        return ~(self.ok | self.headers)

    def column(self, name: str, kind: FieldType) -> Column:
        """The column of a field that was asked for when the parser was built; KeyError otherwise."""
        return self.columns[Field(name, kind)]


def empty_rows() -> I64:
    """An index of no rows."""
    return np.empty(0, dtype=np.int64)
