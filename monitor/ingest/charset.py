"""Text in any encoding is cut as bytes and decoded as UTF-8: records stay where they are in the file.

So progress is exact in every encoding, and only whole records are ever decoded.
"""

from __future__ import annotations

import codecs
import threading
from dataclasses import replace

import numpy as np

from monitor.core.arrays import I64, U8, Bools
from monitor.core.input_config import UTF_16, codec_of
from monitor.ingest.lines import Lines

LINE_FEED = b"\n"
MARK = "\ufeff".encode()
REPLACEMENT = "\ufffd"
_ENCODED_REPLACEMENT = REPLACEMENT.encode()


class Charset:
    """How characters are written, and what ends a record.

    Args:
        encoding: one of ``ENCODINGS`` in any spelling.
        delimiter: what stands behind each record, as text.
        head: the first bytes of the file: for ``utf-16`` they tell the order of bytes.
    """

    def __init__(self, encoding: str, delimiter: str, head: bytes = b"") -> None:
        self._codec = _in_order(codec_of(encoding) or encoding, head)
        self.unit = 2 if self._codec in UTF_16 else 1
        """Bytes of the smallest character; a character begins at a multiple of them."""
        self.delimiter = delimiter.encode(self._codec)
        self.zero = bytes(self.unit)
        self.carriage_return = "\r".encode(self._codec) if delimiter == "\n" else b""
        """What belongs to the delimiter if it stands before it; empty when nothing does."""
        self._as_utf8 = delimiter.encode()
        self._kept = self._codec == "utf-8" and delimiter == "\n"  # what is valid stays as it is

    def find(self, data: bytes, misaligned: int) -> I64:
        """Where delimiters begin in ``data``, from left to right, none over another.

        ``misaligned``: bytes from the beginning of a unit to that of ``data``.
        """
        places = find(data, self.delimiter)
        if self.unit == 2:
            places = places[(places + misaligned) % 2 == 0]
        return _apart(places, len(self.delimiter))

    def behind_last(self, data: bytes, misaligned: int) -> int | None:
        """The place in ``data`` behind its last delimiter; None when there is none."""
        if self.unit == len(self.delimiter) == 1:  # every file that is read asks for every piece
            return data.rfind(self.delimiter) + 1 or None
        places = self.find(data, misaligned)
        return int(places[-1]) + len(self.delimiter) if len(places) else None

    def whole(self, text: bytes) -> bytes:
        """``text``, which begins at a character, without a last one that is not complete."""
        decoder = codecs.getincrementaldecoder(self._codec)("replace")
        decoder.decode(text)
        return text[: len(text) - len(decoder.getstate()[0])]

    def decoded(self, lines: Lines) -> Lines:
        """The lines in UTF-8, ended by line feeds, with U+FFFD for what is not of the encoding."""
        if self._kept and lines.text.isascii():
            return lines
        try:
            text = self._strictly(lines.text)
        except UnicodeDecodeError:
            return _without_mark(self._one_by_one(lines))
        return _without_mark(lines if self._kept else self._located(lines, text))

    def decoded_each(self, lines: Lines) -> Lines:
        """The same for records that may have delimiters in them."""
        return lines if self._kept and lines.text.isascii() else _without_mark(self._one_by_one(lines))

    def _strictly(self, text: bytes) -> bytes:
        decoded = text.decode(self._codec)
        return text if self._codec == "utf-8" else decoded.encode()

    def _located(self, lines: Lines, text: bytes) -> Lines:
        """The lines found again in the decoded text; one by one if it has other delimiters than the bytes had."""
        stops = _apart(find(text, self._as_utf8), len(self._as_utf8))
        if len(stops) == len(lines) - 1:
            stops = np.append(stops, len(text))
        if len(stops) != len(lines):
            return self._one_by_one(lines)
        # Each delimiter becomes one line feed, which moves what is behind it.
        stops -= (len(self._as_utf8) - 1) * np.arange(len(stops))
        starts = np.concatenate(([0], stops[:-1] + 1))
        text = text.replace(self._as_utf8, LINE_FEED)
        return replace(lines, text=text, starts=starts, ends=stops - self._returns(lines))

    def _returns(self, lines: Lines) -> Bools:
        """Before which delimiters a carriage return stands, that is no part of the line."""
        size = len(self.delimiter)
        stops = np.append(lines.starts[1:], len(lines.text)) - size
        stops[-1] += 0 if lines.ended(self.delimiter) else size
        returns: Bools = lines.ends < stops
        return returns

    def _one_by_one(self, lines: Lines) -> Lines:
        """The slow path, where bytes are wrong: it decodes each line by itself, so none can spoil another."""
        pieces: list[bytes] = []
        replaced: list[int] = []
        for start, end in zip(lines.starts.tolist(), lines.ends.tolist(), strict=True):
            text, wrong = _decode(lines.text[start:end], self._codec)
            pieces.append(text)
            replaced.append(wrong)
        ends = np.cumsum([len(piece) + 1 for piece in pieces], dtype=np.int64) - 1
        starts = np.concatenate(([0], ends[:-1] + 1))
        ended = LINE_FEED if lines.ended(self.delimiter) else b""
        text = LINE_FEED.join(pieces) + ended
        return replace(lines, text=text, starts=starts, ends=ends, replaced=np.array(replaced, dtype=np.int64))


def find(data: bytes, wanted: bytes) -> I64:
    """Every place where ``wanted`` begins, also those that overlap."""
    octets: U8 = np.frombuffer(data, dtype=np.uint8)
    count = len(data) - len(wanted) + 1
    if count < 1:
        return np.empty(0, dtype=np.int64)
    found = octets[:count] == wanted[0]
    for place in range(1, len(wanted)):
        found &= octets[place : place + count] == wanted[place]
    return np.flatnonzero(found)


def _apart(places: I64, size: int) -> I64:
    """From left to right, those of ``places`` that are at least ``size`` from the last one taken."""
    if size == 1 or not len(places) or int(np.diff(places).min(initial=size)) >= size:
        return places
    taken: list[int] = []
    free = 0
    for place in places.tolist():
        if place >= free:
            taken.append(place)
            free = place + size
    return np.array(taken, dtype=np.int64)


def _in_order(codec: str, head: bytes) -> str:
    """``utf-16`` in the order of bytes that the file's mark tells; little-endian without one, as Windows writes it."""
    if codec == "utf-8-sig":
        return "utf-8"
    if codec != "utf-16":
        return codec
    return "utf-16-be" if head.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"


def _without_mark(lines: Lines) -> Lines:
    """The lines without the byte order mark of the file, once they are decoded."""
    if lines.offsets[0] != 0 or not lines.text.startswith(MARK) or lines.ends[0] < len(MARK):
        return lines
    starts, ends = lines.starts - len(MARK), lines.ends - len(MARK)
    starts[0] = 0
    return replace(lines, text=lines.text[len(MARK) :], starts=starts, ends=ends)


def _decode(raw: bytes, codec: str) -> tuple[bytes, int]:
    """UTF-8 with U+FFFD for what is wrong, and how many bytes that was."""
    if codec != "utf-8":
        _wrong.count = 0
        return raw.decode(codec, errors="aemonitor.count").encode(), _wrong.count
    decoded = raw.decode("utf-8", errors="replace")
    text = decoded.encode()
    marks = decoded.count(REPLACEMENT) - raw.count(_ENCODED_REPLACEMENT)  # the others stood in the file
    return text, len(raw) - len(text) + len(_ENCODED_REPLACEMENT) * marks


class _Wrong(threading.local):
    """Bytes replaced in the text that this thread decodes."""

    count = 0


_wrong = _Wrong()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    _wrong.count += error.end - error.start
    return REPLACEMENT, error.end


codecs.register_error("aemonitor.count", _replace)
