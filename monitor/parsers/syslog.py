"""Syslog lines: RFC 3164 as daemons write it, the ISO-time form of newer rsyslog, and RFC 5424, also mixed.

Fields: time, host, program, pid, message; priority, facility and severity (by number) where the line has a ``<PRI>``;
msgid and structured_data of RFC 5424. A nil ``-`` of RFC 5424 or an empty part is missing. The program is the tag
without its pid; where a line has no tag (``last message repeated 2 times``) the program is missing and the message is
everything behind the host. What follows a mere ``<PRI>`` is a message. Lines that are none of these (continuation
lines, other formats) are not ok.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from monitor.core.arrays import I64, U8, Bools, Column
from monitor.core.arrow import pa
from monitor.core.columns import typed
from monitor.core.cuts import Block, Marks, Span, cut, like, patch, word
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import LEAST_SHARE, Suggestion

TIME = Field("time", FieldType.TEXT)
OF_PRIORITY: Mapping[str, Callable[[int], int]] = {"facility": lambda pri: pri >> 3, "severity": lambda pri: pri & 7}
NAMES = ("time", "host", "program", "pid", "message", "priority", *OF_PRIORITY, "msgid", "structured_data")
RANK = 70
NOT_SYSLOG = "not a syslog line"

EXAMPLE = "{}\n"


class Config(StrictModel):
    """Syslog has no options: every line says by itself in which form it is."""


def build(config: Config, fields: Sequence[Field] | None) -> SyslogParser:
    """A parser for these fields; all that occur when None."""
    del config
    return SyslogParser(fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """Syslog, when lines have a time stamp where syslog has it; a mere ``<PRI>`` is no evidence."""
    read = len(raw) - SyslogParser([TIME]).parse(raw).columns[TIME].null_count
    share = read / max(1, len(raw))
    return Suggestion(options={}, share=share, rank=RANK) if share >= LEAST_SHARE else None


class SyslogParser:
    """Cuts the lines of the common shapes by array operations and reads the odd ones one by one."""

    def __init__(self, fields: Sequence[Field] | None) -> None:
        self._fields = fields
        self._names = NAMES if fields is None else [name for name in NAMES if name in {field.name for field in fields}]

    def parse(self, raw: RawBatch) -> RecordBatch:
        block = Block(raw.data, raw.starts, raw.ends)
        fits, spans = _spans(block)
        odd = np.flatnonzero(~fits)
        read = [read_line(line) for line in block.texts(odd)]
        ok = np.ones(len(raw), dtype=np.bool_)
        ok[odd] = [bool(found) for found in read]

        def text(name: str) -> Column:
            source = "priority" if name in OF_PRIORITY else name
            column = patch(cut(block, spans[source], fits), odd, [found.get(source) for found in read])
            return _of_priority(column, OF_PRIORITY[name]) if name in OF_PRIORITY else column

        found = {name: text(name) for name in self._names}
        if self._fields is None:
            found = {name: column for name, column in found.items() if column.null_count < len(raw)}
        return RecordBatch(
            raw=raw,
            columns=typed(found, self._fields, len(raw)),
            ok=ok,
            reasons=dict.fromkeys(np.flatnonzero(~ok).tolist(), NOT_SYSLOG),
        )


def _of_priority(priorities: Column, part: Callable[[int], int]) -> Column:
    encoded = priorities.dictionary_encode()
    parts = [str(part(int(text))) for text in encoded.dictionary.to_pylist()]
    return pa.array(parts, type=pa.string()).take(encoded.indices)


# The slow path: one line at a time. It defines what a line means; the fast path gives the same for the lines it takes.

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ ]*"
_BSD = rf"(?:{'|'.join(MONTHS)}) {{1,2}}\d{{1,2}} (?:\d{{4}} )?\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?"
_PRIORITY = re.compile(r"<(\d{1,3})>", re.ASCII)
_RFC_3164 = re.compile(rf"({_ISO}|{_BSD}):? +(?=[^ ])", re.ASCII)
_RFC_5424 = re.compile(rf"\d{{1,2}} (-|{_ISO}) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ", re.ASCII)
_STRUCTURED_DATA = re.compile(r'(?:-|\[[^"\]]*(?:(?:"[^"\\]*(?:\\.[^"\\]*)*"|\](?! |$))[^"\]]*)*\])(?= |$)', re.DOTALL)
_TAG = re.compile(
    r"([^ :\[]+(?: [^ :\[]+)?)\[([^ \]]*)\]:?(?: |$|(?<=:))"  # login[7]: text; -- root[7]: text; a[7]:text
    r"|([^ :\[]+ \d+(?:\.\d+)+[^ :]*):(?: |$)",  # syslogd 1.4.1: restart
    re.DOTALL,
)


def read_line(line: str) -> dict[str, str]:
    """The parts of one line that are there; empty when it is not syslog."""
    found: dict[str, str] = {}
    start = 0
    if priority := _PRIORITY.match(line):
        found["priority"] = priority[1]
        start = priority.end()
        if head := _RFC_5424.match(line, start):
            parts = _structured(line[head.end() :])
            if parts is not None:
                named = zip(("time", "host", "program", "pid", "msgid"), head.groups(), strict=True)
                return found | {name: value for name, value in named if value != "-"} | parts
    if head := _RFC_3164.match(line, start):
        return found | {"time": head[1]} | _after_time(line[head.end() :])
    if priority and line[start:]:
        return found | {"message": line[start:]}
    return {}


def _structured(rest: str) -> dict[str, str] | None:
    """Structured data and message of RFC 5424."""
    data = _STRUCTURED_DATA.match(rest)
    if data is None:
        return None
    message = rest[data.end() + 1 :].removeprefix("\ufeff")
    return ({} if data[0] == "-" else {"structured_data": data[0]}) | ({"message": message} if message else {})


def _after_time(rest: str) -> dict[str, str]:
    """Host, tag and message of RFC 3164; ``rest`` does not begin with a space."""
    found: dict[str, str] = {}
    host, _, behind = rest.partition(" ")
    if not _ends_a_tag(host):  # a tag in the place of the host: a line of /dev/log, which has none
        found["host"] = host
        rest = behind
    return {name: value for name, value in (found | _tagged(rest)).items() if value}


def _ends_a_tag(word: str) -> bool:
    return word.endswith("]:") or (word.endswith(":") and word.count(":") == 1)


def _tagged(rest: str) -> dict[str, str]:
    """Program, pid and message. A word that ends with a colon is a tag, whatever it is made of."""
    rest = rest.lstrip(" ") if rest.startswith(" ") else rest
    word, _, message = rest.partition(" ")
    if word.endswith("]:") and "[" in word[1:]:
        program, _, pid = word[:-2].partition("[")
        if program:
            return {"program": program, "pid": pid, "message": message}
    elif word.endswith(":") and len(word) > 1:
        return {"program": word[:-1], "message": message}
    if tag := _TAG.match(rest):
        return {"program": tag[1] or tag[3], "pid": tag[2] or "", "message": rest[tag.end() :]}
    return {"message": rest}


# The fast path: places of all lines at once, [n] each.


MONTH_WORDS = np.sort([word(f"{month} ") for month in MONTHS])
_FIRST_4 = np.uint64(0xFFFFFFFF)


def _stamps(block: Block, places: I64) -> tuple[Bools, I64]:
    """Which lines have a time stamp at ``places``, and the length of it; 0 stands for "up to the next space"."""
    first, second, third = block.window(places, 24).view("<u8").T
    month = first & _FIRST_4
    named = MONTH_WORDS[np.searchsorted(MONTH_WORDS[:-1], month)] == month
    padded = (like(first, "???  0 0") | like(first, "??? 00 0")) & like(second, "0:00:00 ")
    short = like(first, "??? 0 00") & like(second, ":00:00 ")
    iso = like(first, "0000-00-") & like(second, "00T00:00") & like(third, ":00")
    nil = like(first, "- ")
    return (named & (padded | short)) | iso | nil, np.select([padded, short, nil], [15, 14, 1], default=0)


def _is_digit(octets: U8) -> Bools:
    return (octets >= ord("0")) & (octets <= ord("9"))


def _priorities(block: Block) -> Span:
    """The number in the leading ``<PRI>`` of 1 to 3 digits."""
    starts = block.starts
    present = block.at(starts) == ord("<")
    if not present.any():
        return Span(starts, starts, present)
    stops = block.marks(">").after(starts)
    present &= (stops > starts + 1) & (stops <= starts + 4)
    for place in range(1, 4):
        present &= (starts + place >= stops) | _is_digit(block.at(starts + place))
    return Span(starts + 1, stops, present)


def _spans(block: Block) -> tuple[Bools, dict[str, Span]]:
    """Which lines the fast path takes, and where their fields stand."""
    priority = _priorities(block)
    start = np.where(priority.present, priority.stops + 1, block.starts)
    versions = block.window(start, 2)
    structured = priority.present & _is_digit(versions[:, 0]) & (versions[:, 1] == ord(" "))
    start = start + 2 * structured
    stamped, length = _stamps(block, start)
    spaces = block.marks(" ")
    stop = np.where(length == 0, spaces.after(start), start + length)
    nil = length == 1
    fits = stamped & (block.at(stop) == ord(" ")) & (structured | ~nil) & (~structured | (length <= 1))
    time = Span(start, stop, ~nil)
    fits_rest, spans = _legacy_spans(block, spaces, stop)
    if structured.any():
        fits_structured, others = _structured_spans(block, spaces, stop)
        fits_rest = np.where(structured, fits_structured, fits_rest)
        spans = {name: _choose(structured, others[name], span) for name, span in spans.items()}
    return fits & fits_rest, spans | {"time": time, "priority": priority}


def _choose(mask: Bools, chosen: Span, other: Span) -> Span:
    return Span(*(np.where(mask, a, b) for a, b in zip(chosen, other, strict=True)))


def _legacy_spans(block: Block, spaces: Marks, stamp_stop: I64) -> tuple[Bools, dict[str, Span]]:
    """Host, ``program[pid]:`` and message behind the time stamp of RFC 3164."""
    index = spaces.index(stamp_stop)
    host_start, host_stop = stamp_stop + 1, spaces.nth(index + 1)
    tag_start, tag_stop = host_stop + 1, np.minimum(spaces.nth(index + 2), block.ends)
    brackets = block.marks("[").after(tag_start)
    tagged = block.at(tag_stop - 1) == ord(":")
    has_pid = tagged & (block.at(tag_stop - 2) == ord("]"))
    program_stop = np.where(has_pid, brackets, tag_stop - 1)
    pid_start, pid_stop = program_stop + 1, tag_stop - 2
    message_start = np.where(tagged, np.minimum(tag_stop + 1, block.ends), tag_start)
    fits = block.in_order(host_start, host_stop, tag_start, program_stop, tag_stop)
    fits &= (host_start < host_stop) & (tag_start < program_stop) & (~has_pid | (pid_start <= pid_stop))
    fits &= block.at(host_stop - 1) != ord(":")
    if not tagged.all():  # no tag, if the two words in its place cannot be one; otherwise the slow path looks closer
        second_stop = np.minimum(spaces.nth(index + 3), block.ends)
        fits &= tagged | ((block.at(second_stop - 1) != ord(":")) & (brackets >= second_stop))
    everywhere, nowhere = np.ones_like(fits), np.zeros_like(fits)
    return fits, {
        "host": Span(host_start, host_stop, everywhere),
        "program": Span(tag_start, program_stop, tagged),
        "pid": Span(pid_start, pid_stop, has_pid & (pid_start < pid_stop)),
        "message": Span(message_start, block.ends, message_start < block.ends),
        "msgid": Span(block.starts, block.starts, nowhere),
        "structured_data": Span(block.starts, block.starts, nowhere),
    }


def _structured_spans(block: Block, spaces: Marks, stamp_stop: I64) -> tuple[Bools, dict[str, Span]]:
    """The four words, structured data and message behind the time stamp of RFC 5424."""
    index = spaces.index(stamp_stop)
    stops = [spaces.nth(index + i) for i in range(5)]
    words = [(left + 1, right) for left, right in pairwise(stops)]
    data_start = stops[-1] + 1
    data_fits, data_stop = _structured_data(block, data_start)
    message_start = np.minimum(data_stop + 1, block.ends)
    marked = (block.window(message_start, 3) == np.frombuffer(b"\xef\xbb\xbf", dtype=np.uint8)).all(axis=1)
    message_start = message_start + 3 * marked
    fits = data_fits & block.in_order(*stops, data_start, data_stop)
    for start, stop in words:
        fits &= start < stop
    spans = {
        name: Span(start, stop, ~_is_nil(block, start, stop))
        for name, (start, stop) in zip(("host", "program", "pid", "msgid"), words, strict=True)
    }
    spans["structured_data"] = Span(data_start, data_stop, ~_is_nil(block, data_start, data_stop))
    spans["message"] = Span(message_start, block.ends, message_start < block.ends)
    return fits, spans


def _is_nil(block: Block, starts: I64, stops: I64) -> Bools:
    nil: Bools = (block.at(starts) == ord("-")) & (stops == starts + 1)
    return nil


def _structured_data(block: Block, starts: I64) -> tuple[Bools, I64]:
    """Which lines have plain structured data (no backslash), and where it stops.

    It stops behind the first ``]`` that a space or the end follows and that is outside of quotes; where the first
    such ``]`` is inside (an odd number of quotes before it) the line is left to the slow path.
    """
    first = block.at(starts)
    stops = starts + 1
    fits = first == ord("-")
    if not fits.all():
        quotes = block.marks('"')
        listed = first == ord("[")
        stops = np.where(listed, block.followed_by("]", " \r\n\0").after(starts) + 1, stops)
        even = (quotes.index(stops) - quotes.index(starts)) % 2 == 0
        fits |= listed & even & (block.marks("\\").after(starts) >= stops)
    return fits & ((stops == block.ends) | (block.at(stops) == ord(" "))), stops
