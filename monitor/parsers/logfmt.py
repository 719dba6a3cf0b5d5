"""logfmt: ``key=value`` pairs between blanks; values with blanks stand in quotes, a key alone is true."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from monitor.core.arrays import Column
from monitor.core.arrow import pa
from monitor.core.columns import MOST_FIELDS, lines, typed
from monitor.core.cuts import Block, patch
from monitor.core.records import Field, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import LEAST_SHARE, Suggestion
from monitor.parsers._logfmt_tokens import Tokens

EXAMPLE = "{}\n"

LONGEST_NAME = 256
"""Characters of a key that the parser finds by itself."""
_SHOWN_CHARACTERS = 40

# Key, then "=value" with its equals sign (empty for a key alone), or else a run that is neither. Nothing is tried a
# second time (``++``, ``*+``), and a bad run is taken whole, so the time is linear in the line whatever it holds.
_PAIR = re.compile(r'([^\s="]++)(="(?:[^"\\]++|\\.)*+"|=(?!")\S*+)?+(?=\s|\Z)|(\S++)', re.ASCII | re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_IDENTIFIER = re.compile(r"[A-Za-z_@][\w.\-/@]*", re.ASCII)

_BAD = ""
"""In the pairs of a line, the key under which a run that is no pair stands."""


class Config(StrictModel):
    """logfmt has no options."""


def build(config: Config, fields: Sequence[Field] | None) -> Logfmt:
    """The parser."""
    del config
    return Logfmt(fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """logfmt, when in half of the lines most words are pairs, at least two, with identifiers for keys."""
    looks = sum(_is_evident(line) for line in lines(raw).to_pylist())
    share = looks / max(1, len(raw))
    return Suggestion(options={}, share=share, rank=40) if share >= LEAST_SHARE else None


class Logfmt:
    """Finds wanted keys by array operations and reads odd lines one by one; the last of equal keys counts."""

    def __init__(self, fields: Sequence[Field] | None) -> None:
        self._fields = fields

    def parse(self, raw: RawBatch) -> RecordBatch:
        if self._fields is None:
            return self._parse_all(raw)
        block = Block(raw.data, raw.starts, raw.ends)
        tokens = Tokens(block)
        odd = np.flatnonzero(~tokens.plain)
        rows, reasons = read_lines(block.texts(odd))
        found = {
            name: patch(tokens.column(name), odd, [value_of(pairs.get(name)) for pairs in rows])
            for name in {field.name for field in self._fields}
        }
        return self._batch(raw, found, {int(odd[row]): reason for row, reason in reasons.items()})

    def _parse_all(self, raw: RawBatch) -> RecordBatch:
        rows, reasons = read_lines(lines(raw).to_pylist())
        found = {key: pa.array([value_of(pairs.get(key)) for pairs in rows], pa.string()) for key in _keys(rows)}
        return self._batch(raw, found, reasons)

    def _batch(self, raw: RawBatch, found: Mapping[str, Column], reasons: Mapping[int, str]) -> RecordBatch:
        ok = np.ones(len(raw), dtype=np.bool_)
        ok[list(reasons)] = False
        return RecordBatch(raw, typed(found, self._fields, len(raw)), ok, reasons)


# The slow path: one line at a time. It defines what a line means; the fast path gives the same for the lines it takes.


def read_lines(texts: Iterable[str]) -> tuple[list[dict[str, str]], dict[int, str]]:
    """The pairs of every line, none where it cannot be read, and the reasons why not."""
    rows: list[dict[str, str]] = []
    reasons: dict[int, str] = {}
    for row, text in enumerate(texts):
        pairs = _pairs(text)
        if fault := _fault(text, pairs):
            reasons[row] = fault
            pairs = {}
        rows.append(pairs)
    return rows, reasons


def _pairs(line: str) -> dict[str, str]:
    """Values, with their equals sign, by key."""
    return {key: value or bad for key, value, bad in _PAIR.findall(line)}


def _fault(line: str, pairs: Mapping[str, str]) -> str:
    """Why the line cannot be read; empty when it can."""
    if not pairs:
        return "empty line"
    if _BAD in pairs:
        return f"not key=value: {pairs[_BAD][:_SHOWN_CHARACTERS]!r}"
    return "" if "=" in line else "no key=value pair"


def _is_evident(line: str) -> bool:
    pairs = _pairs(line)
    full = sum(value != "" and _IDENTIFIER.fullmatch(key) is not None for key, value in pairs.items())
    return not _fault(line, pairs) and full >= 2 and 2 * full > len(pairs)


def _keys(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys that occur, in order of first appearance."""
    names = dict.fromkeys(key for pairs in rows for key in pairs if len(key) <= LONGEST_NAME)
    return list(names)[:MOST_FIELDS]


def value_of(value: str | None) -> str | None:
    """The text of a value as it was found, ``=`` and quotes taken off."""
    if value is None:
        return None
    if not value:
        return "true"
    return _unescaped(value[2:-1]) if value.startswith('="') else value[1:]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), text)
    # Two \u escapes may make one character; half of such a pair alone becomes U+FFFD.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
