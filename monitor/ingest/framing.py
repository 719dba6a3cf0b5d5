"""Cuts a stream of bytes into records as if it had been read in one piece, in constant memory.

However the bytes are split into chunks, the records, their file offsets and the progress behind them are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.core.input_config import InputConfig, codec_of
from monitor.core.records import Chunk, Messages, RawBatch
from monitor.ingest.charset import Charset
from monitor.ingest.cutting import Cutter
from monitor.ingest.grouping import Grouper
from monitor.ingest.lines import Lines
from monitor.ingest.messages import framed

MAX_RECORD_BYTES = 262_144
"""Default cap of one record, 256 KiB: longer than any sane log line, short enough that 4,096 of them fit in memory."""
MAX_BATCH_RECORDS = 8192
"""Default cap of one batch: the most that a crash makes the program score again."""
SMALLEST_CAP = 4
"""A cap below one character could not keep the first character of a record."""
PLAIN = InputConfig()
"""UTF-8 lines."""


class Framer:
    """Splits the chunks of one epoch of one origin at the delimiter; one ``\\r`` before a ``\\n`` belongs to it.

    An unfinished record is held back until its delimiter arrives or a chunk is ``final``, and a group of lines until
    the next one begins; how long a chunk says it was quiet may complete them as well. Of a record longer than
    ``max_record_bytes`` the first bytes are kept (whole characters only) and the rest is counted, not stored.
    A byte order mark at file offset 0 is left out of the first record, but counts towards its cap. So are NUL bytes
    at the beginning of a record, which do not.

    Args:
        max_record_bytes: most bytes of one record, as they stand in the file; at least 4.
        max_batch_records: most records of one batch.
        form: encoding, delimiter, and which lines belong together.
    """

    def __init__(
        self,
        max_record_bytes: int = MAX_RECORD_BYTES,
        max_batch_records: int = MAX_BATCH_RECORDS,
        form: InputConfig = PLAIN,
    ) -> None:
        if max_record_bytes < SMALLEST_CAP or max_batch_records < 1:
            raise ValueError(f"max_record_bytes must be at least {SMALLEST_CAP} and max_batch_records at least 1")
        self._cap = max_record_bytes
        self._batch_records = max_batch_records
        self._form = form
        self._grouper = Grouper(form.multiline, max_record_bytes) if form.multiline else None
        self._parts: tuple[Charset, Cutter] | None = None  # known once the file's byte order mark is
        self._early = b""  # what came before that
        self._next: Chunk | None = None  # an empty chunk that stands where the next one must begin

    @property
    def pending_bytes(self) -> int:
        """Length of the unfinished line so far, whatever of it is stored; complete lines of a group do not count."""
        return len(self._early) + (self._parts[1].pending_bytes if self._parts else 0)

    def push(self, chunk: Chunk) -> list[RawBatch]:
        """The records that ``chunk`` completes, in order; none is an empty list.

        Raises:
            ValueError: the chunk does not follow the one before; a fault of the source, not of the data.
        """
        self._demand_next(chunk)
        offset, data = chunk.offset - len(self._early), self._early + chunk.data
        parts = self._parts = self._parts or self._begin(chunk, offset, data)
        self._early = b"" if parts else data
        return list(self._batches(chunk, offset, data, *parts)) if parts else []

    def whole(self, messages: Messages) -> list[RawBatch]:
        """Messages as one batch: nothing is held back of them."""
        return [framed(messages, self._cap, self._form.encoding)]

    def _begin(self, chunk: Chunk, offset: int, data: bytes) -> tuple[Charset, Cutter] | None:
        """What cuts and decodes this file; None while too little is known to tell the order of bytes."""
        head = chunk.origin.head if offset else data
        if codec_of(self._form.encoding) == "utf-16" and len(head) < 2 and not offset and not chunk.final:
            return None
        charset = Charset(self._form.encoding, self._form.delimiter, head)
        return charset, Cutter(charset, self._cap, self._batch_records)

    def _demand_next(self, chunk: Chunk) -> None:
        last = self._next
        if last is not None:
            if (chunk.origin.file_id, chunk.origin.epoch) != (last.origin.file_id, last.origin.epoch):
                raise ValueError(f"a framer serves one epoch of one origin; got {_name(chunk)} after {_name(last)}")
            if last.final:
                raise ValueError(f"{_name(chunk)}: a chunk follows the final one")
            if chunk.offset != last.offset:
                raise ValueError(f"{_name(chunk)}: chunk at offset {chunk.offset}, expected {last.offset}")
        self._next = Chunk(chunk.origin, chunk.offset + len(chunk.data), b"", chunk.final)

    def _batches(self, chunk: Chunk, offset: int, data: bytes, charset: Charset, cutter: Cutter) -> Iterator[RawBatch]:
        complete = chunk.final or (self._forced(chunk) and cutter.pending_bytes % charset.unit == 0)
        for part in cutter.push(offset, data, final=complete):
            lines = charset.decoded(part)
            if self._grouper is None:
                yield _batch(chunk, lines, cutter.reached, cutter)
            elif (groups := self._grouper.push(lines)) is not None:
                last = len(groups) - 1
                yield _batch(chunk, groups.rows(0, last), int(groups.offsets[last]), cutter)
        if self._grouper is not None and self._over(chunk) and (group := self._grouper.flush()) is not None:
            yield _batch(chunk, group, cutter.reached, cutter)

    def _forced(self, chunk: Chunk) -> bool:
        """Whether a line without delimiter was quiet for long enough to be taken for complete."""
        patience = self._form.force_flush_after_seconds
        return patience is not None and chunk.quiet_seconds >= patience

    def _over(self, chunk: Chunk) -> bool:
        """Whether the group of lines that is held back is complete as it stands."""
        multiline = self._form.multiline
        return chunk.final or (multiline is not None and chunk.quiet_seconds >= multiline.timeout_seconds)


def _name(chunk: Chunk) -> str:
    return f"{chunk.origin.path} ({chunk.origin.file_id}, epoch {chunk.origin.epoch})"


def _batch(chunk: Chunk, lines: Lines, next_offset: int, cutter: Cutter) -> RawBatch:
    return RawBatch(
        origin=chunk.origin,
        data=lines.text,
        starts=lines.starts,
        ends=lines.ends,
        offsets=lines.offsets,
        next_offset=next_offset,
        tail=cutter.tail_at(next_offset),
        truncated=lines.truncated,
        replaced_bytes=int(lines.replaced.sum()),
        dropped_bytes=int(lines.dropped.sum()),
        skipped_bytes=int(lines.skipped.sum()),
        input_bytes=next_offset - int(lines.offsets[0]),
    )
