"""Cuts a stream of bytes into records as if it had been read in one piece, in constant memory.

However the bytes are split into chunks, the records, their file offsets and the progress behind them are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.accounting import TAIL_BYTES
from monitor.core.arrays import I64, Bools
from monitor.core.records import Chunk, RawBatch

NEWLINE = 0x0A
CARRIAGE_RETURN = 0x0D
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REPLACEMENT = "\ufffd"
MAX_RECORD_BYTES = 262_144
"""Default cap of one record, 256 KiB: longer than any sane log line, short enough that 4,096 of them fit in memory."""
MAX_BATCH_RECORDS = 8192
"""Default cap of one batch: the most that a crash makes the program score again."""
SMALLEST_CAP = 4
"""A cap below one UTF-8 character could not keep the first character of a record."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Raw records of one batch: ``text`` is complete but for the bytes beyond the cap of over-long records.

    ``starts`` and ``ends`` are places in ``text``, without the delimiter.
    """

    text: bytes
    starts: I64  # [n]
    ends: I64  # [n]
    truncated: Bools  # [n]
    dropped_bytes: int = 0
    replaced_bytes: int = 0


class Framer:
    """Splits the chunks of one epoch of one origin at ``\\n``; one ``\\r`` before it belongs to the delimiter.

    An unfinished record is held back until its delimiter arrives or a chunk is ``final``. Of a record longer than
    ``max_record_bytes`` the first bytes are kept (whole characters only) and the rest is counted, not stored.
    A byte order mark at file offset 0 is left out of the first record, but counts towards its cap.

    Args:
        max_record_bytes: most bytes of one record, as they stand in the file; at least 4.
        max_batch_records: most records of one batch.
    """

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES, max_batch_records: int = MAX_BATCH_RECORDS) -> None:
        if max_record_bytes < SMALLEST_CAP or max_batch_records < 1:
            raise ValueError(f"max_record_bytes must be at least {SMALLEST_CAP} and max_batch_records at least 1")
        self._cap = max_record_bytes
        self._batch_records = max_batch_records
        self._recent = b""  # the last bytes before the chunk at hand
        self._held = bytearray()  # first bytes of the unfinished record, one more than the cap to see a "\r" there
        self._held_bytes = 0  # its whole length so far
        self._next: Chunk | None = None  # an empty chunk that stands where the next one must begin

    @property
    def pending_bytes(self) -> int:
        """Length of the unfinished record so far, whatever of it is stored."""
        return self._held_bytes

    def push(self, chunk: Chunk) -> list[RawBatch]:
        """The records that ``chunk`` completes, in order; none is an empty list.

        Raises:
            ValueError: the chunk does not follow the one before; a fault of the source, not of the data.
        """
        self._demand_next(chunk)
        ends = _places(chunk.data, NEWLINE)
        if chunk.final and self._held_bytes + len(chunk.data) > 0 and chunk.data[-1:] != b"\n":
            ends = np.append(ends, len(chunk.data))
        batches: list[RawBatch] = []
        start = 0
        # Batches of equal size: a last one of a few hundred records would cost nearly as much as a full one.
        for part in np.array_split(ends, -(-len(ends) // self._batch_records)) if len(ends) else ():
            batches.append(self._batch(chunk, start, part))
            start = min(int(part[-1]) + 1, len(chunk.data))
        self._hold(chunk.data, start)
        return batches

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

    def _hold(self, data: bytes, start: int) -> None:
        """Keep what is left behind the last delimiter."""
        room = self._cap + 1 - len(self._held)
        self._held += data[start : start + room]
        self._held_bytes += len(data) - start
        self._recent = _last_bytes(self._recent, data, len(data))

    def _batch(self, chunk: Chunk, start: int, delimiters: I64) -> RawBatch:
        """The records between ``start`` and the last of ``delimiters`` (places in the chunk), and what was held."""
        begins = np.concatenate(([start], delimiters[:-1] + 1))  # [n] places in the chunk
        offsets = begins + chunk.offset
        offsets[0] -= self._held_bytes
        stop = min(int(delimiters[-1]) + 1, len(chunk.data))
        lines = _without_mark(self._lines(chunk.data, begins, delimiters), int(offsets[0]))
        lines = _as_utf8(lines)
        self._held.clear()
        self._held_bytes = 0
        return RawBatch(
            origin=chunk.origin,
            data=lines.text,
            starts=lines.starts,
            ends=lines.ends,
            offsets=offsets,
            next_offset=chunk.offset + stop,
            tail=_last_bytes(self._recent, chunk.data, stop),
            truncated=lines.truncated,
            replaced_bytes=lines.replaced_bytes,
            dropped_bytes=lines.dropped_bytes,
            input_bytes=chunk.offset + stop - int(offsets[0]),
        )

    def _lines(self, data: bytes, begins: I64, delimiters: I64) -> _Lines:
        """The raw records, over-long ones cut."""
        lengths = delimiters - begins
        lengths[0] += self._held_bytes
        octets = np.frombuffer(data, dtype=np.uint8)
        returns = np.zeros(len(begins), dtype=np.bool_)
        inside = np.flatnonzero(delimiters > begins)
        returns[inside] = octets[delimiters[inside] - 1] == CARRIAGE_RETURN
        if delimiters[0] == begins[0]:  # the delimiter's "\r" came with an earlier chunk, or there is none
            returns[0] = self._held_bytes > 0 and self._recent[-1:] == b"\r"
        truncated = lengths - returns > self._cap
        if truncated.any():
            return self._cut(data, begins, delimiters, returns, truncated)
        text = bytes(self._held) + data[begins[0] : delimiters[-1] + 1]
        shift = len(self._held) - int(begins[0])
        starts = begins + shift
        starts[0] = 0
        return _Lines(text, starts, delimiters + shift - returns, truncated)

    def _cut(self, data: bytes, begins: I64, delimiters: I64, returns: Bools, truncated: Bools) -> _Lines:
        """Copy the lines without what lies beyond the cap. The loop runs over over-long records only."""
        pieces: list[bytes] = [bytes(self._held)] if not truncated[0] else []
        dropped, place = 0, int(begins[0])
        for row in np.flatnonzero(truncated).tolist():
            begin, end = int(begins[row]), int(delimiters[row])
            held = bytes(self._held) if row == 0 else b""
            kept = _whole_characters((held + data[begin : min(end, begin + self._cap)])[: self._cap])
            pieces += [data[place:begin], kept]
            dropped += end - begin - len(kept) - int(returns[row]) + (self._held_bytes if row == 0 else 0)
            place = end
        pieces.append(data[place : int(delimiters[-1]) + 1])
        starts, ends = _locate(text := b"".join(pieces), returns & ~truncated)
        return _Lines(text, starts, ends, truncated, dropped)


def _name(chunk: Chunk) -> str:
    return f"{chunk.origin.path} ({chunk.origin.file_id}, epoch {chunk.origin.epoch})"


def _places(data: bytes, octet: int) -> I64:
    return np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == octet)


def _last_bytes(before: bytes, data: bytes, stop: int) -> bytes:
    """The last ``TAIL_BYTES`` of ``before + data[:stop]``."""
    if stop >= TAIL_BYTES:
        return data[stop - TAIL_BYTES : stop]
    return (before + data[:stop])[-TAIL_BYTES:]


def _locate(text: bytes, returns: Bools) -> tuple[I64, I64]:
    """Starts and ends of the lines of ``text``, whose last one may lack its delimiter; a ``\\r`` is left out."""
    ends = _places(text, NEWLINE)
    if len(ends) < len(returns):
        ends = np.append(ends, len(text))
    starts = np.concatenate(([0], ends[:-1] + 1))
    return starts, ends - returns


def _whole_characters(text: bytes) -> bytes:
    """``text`` without the beginning of a multi-byte character that its end cuts through.

    >>> _whole_characters("aé".encode()[:2])
    b'a'
    """
    for back in range(1, min(3, len(text)) + 1):
        octet = text[-back]
        if octet >= 0xC0:  # a lead byte; its character has 2, 3 or 4 bytes
            size = 2 if octet < 0xE0 else 3 if octet < 0xF0 else 4
            return text[:-back] if size > back else text
        if octet < 0x80:
            break
    return text


def _without_mark(lines: _Lines, offset: int) -> _Lines:
    """The lines without the byte order mark of the file."""
    size = len(BYTE_ORDER_MARK)
    if offset != 0 or not lines.text.startswith(BYTE_ORDER_MARK):
        return lines
    starts, ends = lines.starts - size, lines.ends - size
    starts[0] = 0
    return _Lines(lines.text[size:], starts, ends, lines.truncated, lines.dropped_bytes)


def _as_utf8(lines: _Lines) -> _Lines:
    """The lines with U+FFFD for what is not UTF-8; delimiters are ASCII, so no line can lose or gain one."""
    if lines.text.isascii():
        return lines
    try:
        lines.text.decode("utf-8")
    except UnicodeDecodeError:
        return _replaced(lines)
    return lines


def _replaced(lines: _Lines) -> _Lines:
    decoded = lines.text.decode("utf-8", errors="replace")
    text = decoded.encode("utf-8")
    mark = REPLACEMENT.encode()
    new_marks = decoded.count(REPLACEMENT) - lines.text.count(mark)  # the others stood in the file
    replaced = len(lines.text) - len(text) + len(mark) * new_marks
    delimiters = np.append(lines.starts[1:] - 1, len(lines.text) - lines.text.endswith(b"\n"))
    starts, ends = _locate(text, lines.ends < delimiters)
    return _Lines(text, starts, ends, lines.truncated, lines.dropped_bytes, replaced)
