r"""Web server access lines in the common and the combined format of Apache, nginx and their kin.

Fields: remote_addr, ident, user, time (without its brackets), request, status, bytes, referer, agent; and of the
request line: method, path (without the query), query, protocol. A ``-`` is missing. Further columns are ignored.
``\"`` , ``\\`` and ``\xHH`` are undone, so that one request reads alike whichever server wrote it.

A request that is not HTTP (``\x16\x03\x01``, ``GET``, an empty one) is a record like any other: its request is kept,
and method, path, query and protocol are missing as far as it has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import I64, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.columns import typed
from monitor.core.cuts import Block, Marks, Span, cut, like, patch, word
from monitor.core.records import Field, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import LEAST_SHARE, Suggestion

LINE = ("remote_addr", "ident", "user", "time", "request", "status", "bytes")
REQUEST = ("method", "path", "query", "protocol")
COMBINED = ("referer", "agent")
FIELDS = (*LINE, *REQUEST, *COMBINED)
"""All there are: `init` names those that never occur in its sample."""
RANK = 80

Kind = Literal["auto", "common", "combined"]

EXAMPLE = "format: combined\n"


class Config(StrictModel):
    """Options of the access log parser."""

    format: Kind = Option(
        default="auto",
        description="`combined` demands referer and agent on every line, `common` ignores them, `auto` takes them "
        "where they are.",
    )


def build(config: Config, fields: Sequence[Field] | None) -> AccessLogParser:
    """A parser for these fields; all that occur when None."""
    return AccessLogParser(config.format, fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """Access log, when at least half of the lines are in one of the formats; which one, each line says by itself."""
    share = float(AccessLogParser("auto", ()).parse(raw).ok.sum()) / max(1, len(raw))
    return Suggestion(options={}, share=share, rank=RANK) if share >= LEAST_SHARE else None


class AccessLogParser:
    """Cuts well-formed lines by array operations and reads the odd ones one by one."""

    def __init__(self, kind: Kind, fields: Sequence[Field] | None) -> None:
        self._fields = fields
        self._kind = kind
        self._read = read_combined if kind == "combined" else read_line
        names = (*LINE, *REQUEST) if kind == "common" else FIELDS
        self._names = [n for n in names if fields is None or n in {field.name for field in fields}]
        self._reason = f"not a line of the {'common' if kind == 'auto' else kind} access log format"

    def parse(self, raw: RawBatch) -> RecordBatch:
        block = Block(raw.data, raw.starts, raw.ends)
        fits, combined, spans = _line_spans(block, self._names)
        if self._kind == "combined":
            fits &= combined
        odd = np.flatnonzero(~fits)
        read = [self._read(line) for line in block.texts(odd)]
        ok = np.ones(len(raw), dtype=np.bool_)
        ok[odd] = [bool(found) for found in read]

        def text(name: str) -> Column:
            escaped = patch(cut(block, spans[name], fits), odd, [found.get(name) for found in read])
            return _unescaped(escaped) if b"\\" in raw.data else escaped

        found = {name: text(name) for name in self._names}
        if self._fields is None:
            found = {name: column for name, column in found.items() if column.null_count < len(raw)}
        return RecordBatch(
            raw=raw,
            columns=typed(found, self._fields, len(raw)),
            ok=ok,
            reasons=dict.fromkeys(np.flatnonzero(~ok).tolist(), self._reason),
        )


# The slow path: one line at a time. It defines what a line means; the fast path gives the same for the lines it takes.

_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = re.compile(
    r"((?:[^ ]+, )*[^ ]*[^ ,]) ([^ ]+) ([^ ]+|[^\[]*[^\[ ]) "  # a list of addresses; a user with spaces
    rf'\[([^"]*)\] {_QUOTED} ([0-9]{{3}}|-) ([^ "]+)(?: {_QUOTED} {_QUOTED})?(?= |$)',
    re.DOTALL,
)
_METHOD = re.compile(r"[A-Z][A-Z-]{2,19}")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f", b'"': b'"', b"\\": b"\\"}


def read_line(line: str) -> dict[str, str]:
    """The parts of one line that are there, escapes and all; empty when it is not an access line."""
    match = _LINE.match(line)
    return _parts(match) if match else {}


def read_combined(line: str) -> dict[str, str]:
    """As ``read_line``, but empty for lines without referer and agent."""
    match = _LINE.match(line)
    return _parts(match) if match and match[9] is not None else {}


def _parts(match: re.Match[str]) -> dict[str, str]:
    values = zip((*LINE, *COMBINED), match.groups(), strict=True)
    found = {name: value for name, value in values if value and value != "-"}
    return found | _request_parts(found.get("request", ""))


def _request_parts(request: str) -> dict[str, str]:
    """Method, path, query and protocol of a request line, as far as it is one."""
    method, _, rest = request.partition(" ")
    if not _METHOD.fullmatch(method):
        return {}
    target, _, protocol = rest.rpartition(" ")
    if not protocol.startswith("HTTP/"):  # HTTP/0.9, or somebody's fantasy
        target, protocol = rest, ""
    path, _, query = target.partition("?")
    parts = {"method": method, "path": path, "query": query, "protocol": protocol}
    return {name: value for name, value in parts.items() if value}


def _unescaped(column: Column) -> Column:
    """The column with the escapes undone; costs about a microsecond for each value that has some."""
    flags = pc.call_function("match_substring", [column], pc.MatchSubstringOptions("\\"))
    rows = np.flatnonzero(pc.fill_null(flags, False).to_numpy(zero_copy_only=False))
    return patch(column, rows, [unescape(text) for text in column.take(pa.array(rows)).to_pylist()])


def unescape(text: str) -> str:
    r"""Undo the escapes of nginx (bytes as ``\xHH``) and of Apache (also ``\"``, ``\\``, ``\n``); others stay.

    >>> unescape(r"/\xC3\xA9?q=\x22\"\d")
    '/é?q=""\\d'
    """
    return _ESCAPE.sub(_octets, text.encode("utf-8")).decode("utf-8", errors="replace")


def _octets(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode("ascii")) if escape[1] else _LETTERS.get(escape[2], escape[0])


# The fast path: places of all lines at once, [n] each.

METHODS = (
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PROPFIND MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT PRI DEBUG"
)
_METHOD_WORDS = np.sort([word(method) for method in METHODS.split()])
_FIRST = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)  # masks of the first bytes


def _line_spans(block: Block, names: Sequence[str]) -> tuple[Bools, Bools, dict[str, Span]]:
    """Which lines the fast path takes, which of them have referer and agent, and where the named fields stand."""
    spaces, quotes = block.marks(" "), block.marks('"')
    index = spaces.index(block.starts)
    address, ident, user = (spaces.nth(index + i) for i in range(3))  # where each of them stops
    first_quote = quotes.index(block.starts)
    q0, q1, q2, q3, q4, q5 = (quotes.nth(first_quote + i) for i in range(6))
    index = spaces.index(q1)
    status, size = spaces.nth(index + 1), np.minimum(spaces.nth(index + 2), block.ends)
    fits = block.in_order(block.starts + 1, address, ident, user, q0, q1, status, size)
    fits &= (address + 1 < ident) & (ident + 1 < user) & (user + 4 <= q0) & (block.at(address - 1) != ord(","))
    fits &= like(block.words(user), " [") & like(block.words(q0 - 2), "] ")
    fits &= like(block.words(q1), '" 000 ') & (status == q1 + 5)
    fits &= (status + 1 < size) & (size <= q2) & block.lacking('\\"')
    combined = (size < block.ends) & (q2 == size + 1) & _is_column(block, q3) & (q4 == q3 + 2) & _is_column(block, q5)
    columns = {
        "remote_addr": (block.starts, address),
        "ident": (address + 1, ident),
        "user": (ident + 1, user),
        "time": (user + 2, q0 - 2),
        "request": (q0 + 1, q1),
        "status": (q1 + 2, status),
        "bytes": (status + 1, size),
        "referer": (q2 + 1, q3),
        "agent": (q4 + 1, q5),
    }
    spans = {name: Span(*columns[name], _is_there(block, *columns[name])) for name in names if name in columns}
    for name in spans.keys() & set(COMBINED):
        spans[name] = spans[name]._replace(present=spans[name].present & combined)
    if not set(REQUEST).isdisjoint(names):
        plain, parts = _request_spans(block, spaces, index, (q0 + 1, q1))
        return fits & plain, combined, spans | parts
    return fits, combined, spans


def _is_column(block: Block, quotes: I64) -> Bools:
    """Which closing quotes end a column of their line."""
    ends: Bools = (quotes + 1 == block.ends) | ((quotes < block.ends) & (block.at(quotes + 1) == ord(" ")))
    return ends


def _is_there(block: Block, starts: I64, stops: I64) -> Bools:
    """Which columns hold more than nothing or a lonely ``-``."""
    there: Bools = (starts < stops) & ((stops != starts + 1) | (block.at(starts) != ord("-")))
    return there


def _request_spans(
    block: Block, spaces: Marks, space_behind: I64, request: tuple[I64, I64]
) -> tuple[Bools, dict[str, Span]]:
    """Which request lines have a common method, or no part at all, and where their parts stand.

    ``space_behind`` is the number, in ``spaces``, of the first one behind each request.
    """
    starts, stops = request
    method_stop, last_space = spaces.after(starts), spaces.nth(space_behind - 1)
    length = method_stop - starts
    method = block.words(starts) & _FIRST[np.clip(length, 0, 8)]
    known = _METHOD_WORDS[np.searchsorted(_METHOD_WORDS[:-1], method)] == method
    known &= (length <= 8) & (method_stop < stops)
    has_protocol = like(block.words(last_space + 1), "HTTP/")
    target_start, target_stop = method_stop + 1, np.where(has_protocol, last_space, stops)
    question = block.marks("?").after(target_start)
    path_stop = np.minimum(question, target_stop)
    bare = (block.at(starts) < ord("A")) | (block.at(starts) > ord("Z"))
    return known | bare, {
        "method": Span(starts, method_stop, known),
        "path": Span(target_start, path_stop, known & (target_start < path_stop)),
        "query": Span(question + 1, target_stop, known & (question + 1 < target_stop)),
        "protocol": Span(last_space + 1, stops, known & has_protocol),
    }
