"""Messages of a broker as records: each is one record as it stands, whatever line feeds it has in it."""

from __future__ import annotations

from operator import methodcaller

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.records import Messages, RawBatch
from monitor.ingest.charset import Charset
from monitor.ingest.lines import Lines

LINE_FEED = "\n"


def framed(messages: Messages, max_bytes: int, encoding: str) -> RawBatch:
    """The messages as framed records, in order. One line end behind a message is no part of the record.

    Of a message longer than ``max_bytes`` the first bytes are kept, whole characters only, and the rest is counted.
    """
    charset = Charset(encoding, LINE_FEED, messages.payloads[0])
    ending = charset.delimiter
    whole = list(messages.payloads)
    if any(map(methodcaller("endswith", ending), whole)):
        whole = [_record(each, charset) for each in whole]
    lengths = np.fromiter(map(len, whole), dtype=np.int64, count=len(whole))
    truncated: Bools = lengths > max_bytes
    dropped = np.zeros(len(whole), dtype=np.int64)
    for row in np.flatnonzero(truncated).tolist():
        kept = charset.whole(whole[row][:max_bytes])
        dropped[row] = len(whole[row]) - len(kept)
        whole[row], lengths[row] = kept, len(kept)
    lines = _joined(whole, ending, lengths, messages, truncated, dropped)
    plain = lines.text.count(ending) == len(whole) - 1
    lines = charset.decoded(lines) if plain else charset.decoded_each(lines)
    return RawBatch(
        origin=messages.origin,
        data=lines.text,
        starts=lines.starts,
        ends=lines.ends,
        offsets=lines.offsets,
        next_offset=messages.next_number,
        tail=b"",
        truncated=truncated,
        replaced_bytes=int(lines.replaced.sum()),
        dropped_bytes=int(dropped.sum()),
        input_bytes=messages.size,
    )


def _record(payload: bytes, charset: Charset) -> bytes:
    """A message without its line end, if it has one."""
    if not payload.endswith(charset.delimiter):
        return payload
    return payload.removesuffix(charset.delimiter).removesuffix(charset.carriage_return)


def _joined(
    whole: list[bytes], ending: bytes, lengths: I64, messages: Messages, truncated: Bools, dropped: I64
) -> Lines:
    """The messages one behind the other, an ending between each and the next."""
    ends = np.cumsum(lengths + len(ending)) - len(ending)
    numbers = np.fromiter(messages.numbers, dtype=np.int64, count=len(whole))
    none = np.zeros(len(whole), dtype=np.int64)
    return Lines(ending.join(whole), ends - lengths, ends, numbers, truncated, dropped, none, none)
