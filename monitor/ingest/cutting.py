"""Cuts bytes into lines as if they had been read in one piece, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from monitor.core.accounting import TAIL_BYTES
from monitor.core.arrays import I64, Bools
from monitor.ingest.charset import Charset
from monitor.ingest.lines import Lines

_NULS = re.compile(rb"\0*")


class Cutter:
    """Splits the bytes of one file at its delimiters.

    An unfinished line is held back: of one that is too long the first bytes only, of a run of NUL at its beginning
    (left by a writer that did not notice the file was truncated) nothing.

    Args:
        charset: the file's.
        cap: most bytes of a line as they stand in the file, without such a run; what is beyond is counted.
        part: most lines handed out together.
    """

    def __init__(self, charset: Charset, cap: int, part: int) -> None:
        self._charset = charset
        self._cap = cap
        self._part = part
        self._room = cap + len(charset.carriage_return)  # what is held: a "\r" behind the cap must be seen
        self._data = b""
        self._offset = 0  # of the data in the file
        self._first: int | None = None  # of all data
        self._recent = b""  # the last bytes before the data
        self._carry = b""  # the last bytes: they may be the beginning of a delimiter, or half a unit
        self._held = bytearray()
        self._held_bytes = 0  # length of the unfinished line, whatever of it is stored
        self._held_nuls = 0  # so many of them are the run at its beginning
        self.reached = 0
        """Behind the last complete line, in the file; 0 before there was one."""
        self._line_tail = b""  # the last bytes before the unfinished line

    @property
    def pending_bytes(self) -> int:
        """Length of the unfinished line so far."""
        return self._held_bytes + len(self._carry)

    def push(self, offset: int, data: bytes, *, final: bool = False) -> Iterator[Lines]:
        """The lines that are complete now, in encoded form; with ``final`` the unfinished one is, too.

        To be read to its end before the next call. ``offset`` is where the data stand in the file: where those before
        ended, or anywhere at the first call.
        """
        if self._first is None and data:
            # A source that knows of bytes alone may have stopped within a unit: only a NUL can be before or behind.
            self._first = offset
            self._carry = bytes(offset % self._charset.unit)
        self._data = self._carry + data if self._carry else data
        self._offset = offset - len(self._carry)
        self._carry = b""
        size = len(self._charset.delimiter)
        stops = self._charset.find(self._data, self._offset % self._charset.unit)
        behind = int(stops[-1]) + size if len(stops) else 0
        if final and (behind < len(self._data) or (self._held_bytes and not len(stops))):
            stops = np.append(stops, len(self._data))
        start = 0
        # Parts of equal size: a last one of a few hundred lines would cost nearly as much as a full one.
        for part in np.array_split(stops, -(-len(stops) // self._part)) if len(stops) else ():
            stop = min(int(part[-1]) + size, len(self._data))
            self.reached = self._offset + stop
            yield self._lines(start, part)
            start = stop
            self._release()
        self._keep(start)

    def tail_at(self, offset: int) -> bytes:
        """The last bytes before a line of the data last pushed, or before the unfinished one."""
        place = offset - self._offset
        return self._line_tail if place < 0 else self._tail(place)

    # -- what is left behind the last delimiter ----------------------------------------------------------------

    def _keep(self, start: int) -> None:
        data = self._data
        if start:
            self._line_tail = self._tail(start)
        carried = len(self._charset.delimiter) - self._charset.unit
        carried += (self._offset + len(data)) % self._charset.unit
        stop = max(start, len(data) - carried)
        self._carry = data[stop:]
        self._hold(start, stop)
        self._recent, self._data, self._offset = self._tail(stop), b"", self._offset + stop

    def _hold(self, start: int, stop: int) -> None:
        if not self._held:
            nuls = self._nuls(start, stop)
            self._held_nuls += nuls
            self._held_bytes += nuls
            start += nuls
        self._held += self._data[start : min(stop, start + self._room - len(self._held))]
        self._held_bytes += stop - start

    def _release(self) -> None:
        self._held.clear()
        self._held_bytes = self._held_nuls = 0

    def _tail(self, place: int) -> bytes:
        """The last ``TAIL_BYTES`` before a place in the data."""
        known = min(TAIL_BYTES, self._offset + place - (self._first or 0))
        tail = self._data[max(0, place - TAIL_BYTES) : place]
        tail = tail if place >= known else self._recent + tail
        return tail[len(tail) - known :]

    # -- lines -------------------------------------------------------------------------------------------------

    def _lines(self, start: int, stops: I64) -> Lines:
        """The lines between ``start`` and the last of ``stops`` (places in the data), and what was held."""
        size, held = len(self._charset.delimiter), len(self._held)
        begins = np.concatenate(([start], stops[:-1] + size))  # [n]
        offsets = begins + self._offset
        offsets[0] = max(int(offsets[0]) - self._held_bytes, self._first or 0)
        ends = stops - len(self._charset.carriage_return) * self._returns(begins, stops)
        shift = held - start
        text = bytes(self._held) + self._data[start : int(stops[-1]) + size]
        starts, ends = begins + shift, ends + shift
        starts[0] = 0
        none = np.zeros(len(stops), dtype=np.int64)
        lines = Lines(text, starts, np.maximum(starts, ends), offsets, none > 0, none, none, none)
        nuls = self._leading_nuls(begins, stops)
        lost = self._held_bytes - self._held_nuls - held  # bytes of the first line that were not even held
        too_long = lines.ends - starts - nuls > self._cap
        too_long[0] |= lost > 0
        if self._held_nuls or nuls.any() or too_long.any():
            return self._cut(lines, nuls, too_long, stops + shift, lost)
        return lines

    def _returns(self, begins: I64, stops: I64) -> Bools:
        """Before which of the delimiters stands a carriage return that belongs to it."""
        returned = self._charset.carriage_return
        size = len(returned)
        if not size:
            return np.zeros(len(stops), dtype=np.bool_)
        octets = np.frombuffer(self._data, dtype=np.uint8)
        found = stops - begins >= size
        inside = np.flatnonzero(found)
        for place in range(size):
            found[inside] &= octets[stops[inside] - size + place] == returned[place]
        if stops[0] == begins[0]:  # it came with an earlier block, or there is none
            found[0] = self._held_bytes > 0 and self._recent.endswith(returned)
        return found

    def _nuls(self, start: int, stop: int) -> int:
        """How many NUL bytes the data have from ``start`` on; whole units only."""
        found = _NULS.match(self._data, start, stop)
        count = found.end() - start if found else 0
        return count - count % self._charset.unit

    def _leading_nuls(self, begins: I64, stops: I64) -> I64:
        """Length of the run of NUL at the beginning of each line, as far as it is stored here."""
        nuls = np.zeros(len(stops), dtype=np.int64)
        octets = np.frombuffer(self._data, dtype=np.uint8)
        rows = np.flatnonzero(stops - begins >= self._charset.unit)
        for place in range(self._charset.unit):
            rows = rows[octets[begins[rows] + place] == 0]
        for row in rows[1:] if self._held and len(rows) and rows[0] == 0 else rows:
            nuls[row] = self._nuls(int(begins[row]), int(stops[row]))
        return nuls

    def _cut(self, lines: Lines, nuls: I64, too_long: Bools, stops: I64, lost: int) -> Lines:
        """The lines without runs of NUL, and without what lies beyond the cap."""
        begins, ends, dropped = lines.starts + nuls, lines.ends.copy(), lines.dropped.copy()
        for row in np.flatnonzero(too_long).tolist():
            begin = int(begins[row])
            kept = len(self._charset.whole(lines.text[begin : min(begin + self._cap, int(ends[row]))]))
            dropped[row] = int(ends[row]) - begin - kept + (lost if row == 0 else 0)
            ends[row] = begin + kept
        skipped = nuls.copy()
        skipped[0] += self._held_nuls
        cut = Lines(lines.text, begins, ends, lines.offsets, too_long, dropped, skipped, lines.replaced)
        empty = np.flatnonzero(nuls)
        gone = np.concatenate([lines.starts[empty], ends[too_long]])
        upto = np.concatenate([begins[empty], stops[too_long]])
        order = np.argsort(gone, kind="stable")
        return cut.without(gone[order], upto[order])
