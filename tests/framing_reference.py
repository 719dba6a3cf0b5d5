"""Framing as one would write it for a file that fits in memory: the slow and obvious way, to compare with."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from monitor.core.input_config import InputConfig, MultilineConfig


class Expected(NamedTuple):
    """One record: where it starts in the file, its text, whether it was cut."""

    offset: int
    text: str
    truncated: bool


def reference(data: bytes, cap: int, form: InputConfig, offset: int = 0) -> list[Expected]:
    """The records of a file from an offset on."""
    lines = _lines(data, cap, form, offset)
    return lines if form.multiline is None else _groups(lines, form.multiline, cap)


def _lines(data: bytes, cap: int, form: InputConfig, offset: int) -> list[Expected]:
    codec = codecs.lookup(form.encoding).name.removesuffix("-sig")
    if codec == "utf-16":
        codec = "utf-16-be" if data.startswith(b"\xfe\xff") else "utf-16-le"
    found: list[Expected] = []
    for start, raw in _split(data, offset, form.delimiter.encode(codec), 2 if "16" in codec else 1):
        content = raw.removesuffix("\r".encode(codec)) if form.delimiter == "\n" else raw
        while content.startswith("\0".encode(codec)):
            content = content.removeprefix("\0".encode(codec))
        kept = _whole(content[:cap], codec) if len(content) > cap else content
        text = kept.decode(codec, errors="replace")
        text = text.removeprefix("\ufeff") if start == 0 else text
        found.append(Expected(start, text, len(content) > cap))
    return found


def _split(data: bytes, offset: int, delimiter: bytes, unit: int) -> list[tuple[int, bytes]]:
    pieces: list[tuple[int, bytes]] = []
    begin = place = offset
    while place < len(data):
        if data.startswith(delimiter, place):
            pieces.append((begin, data[begin:place]))
            begin = place = place + len(delimiter)
        else:
            place += unit
    return [*pieces, (begin, data[begin:])] if begin < len(data) else pieces


def _whole(text: bytes, codec: str) -> bytes:
    """Without a character that the end cuts through: what a decoder still waits for."""
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    decoder.decode(text)
    return text.removesuffix(decoder.getstate()[0])


def _groups(lines: list[Expected], config: MultilineConfig, cap: int) -> list[Expected]:
    groups: list[list[Expected]] = []
    for line in lines:
        matches = re.search((config.start or config.continuation or "").replace("$", r"\Z"), line.text) is not None
        begins = matches == (config.start is not None)
        if begins or not groups:
            groups.append([])
        groups[-1].append(line)
    return [_group(group, config.max_lines, min(cap, config.max_bytes or cap)) for group in groups]


def _group(lines: list[Expected], max_lines: int, max_bytes: int) -> Expected:
    text = "\n".join(line.text for line in lines[:max_lines])
    kept = text.encode()
    if len(kept) > max_bytes:
        kept = _whole(kept[:max_bytes], "utf-8")
    cut = len(kept) < len(text.encode()) or len(lines) > max_lines
    return Expected(lines[0].offset, kept.decode(), cut or any(line.truncated for line in lines))
