"""From text to typed columns, column by column: the same cell means the same value whichever parser read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from monitor.core.arrays import Column
from monitor.core.arrow import pa, pc
from monitor.core.records import Field, FieldType, RawBatch

MOST_FIELDS = 4096
"""Fields a parser finds by itself in one batch; a hostile line must not become a million columns."""


@cache
def arrow_type(kind: FieldType) -> pa.DataType:
    """How columns of a type are stored."""
    types = {
        FieldType.NUMBER: pa.float64(),
        FieldType.TEXT: pa.string(),
        FieldType.BOOLEAN: pa.bool_(),
        FieldType.VECTOR: pa.list_(pa.float64()),
        FieldType.TEXTS: pa.list_(pa.string()),
    }
    return types[kind]


# Only ASCII digits are numbers, and the patterns run in RE2: linear in the length of the cell.
_FINITE = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = rf"^(?:{_FINITE}|[+-]?(?i:inf|infinity|nan))$"
_NUMBER_LIST = rf"^\[\s*{_FINITE}(?:\s*,\s*{_FINITE})*\s*\]$"
_BRACKETED = r"^\[[^\[\]]*\]$"
_NO_BRACKETS = r"^[^\[\]]+$"
_SEPARATORS = r"\s*[,;|]\s*|\s+"
_ONE_SEPARATOR = {" ": r"[,;|\t\n\f\r]|  ", ",": r"[;|\s]"}
"""Separators, and what must not occur for them to be the only one."""
_TRUE, _FALSE, _TRUE_OR_FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0"), ("true", "false")


def nulls(kind: FieldType, rows: int) -> Column:
    """A column in which every value is missing."""
    return pa.nulls(rows, arrow_type(kind))


def to_number(strings: Column) -> Column:
    """Text to float64: empty or blank is missing, anything else that is no number is NaN.

    Signs, exponents, surrounding blanks and the spellings of NaN and infinity are read; what is too large for a
    double is an infinity.
    """
    try:
        return strings.cast(pa.float64())
    except pa.ArrowInvalid:
        return _some_numbers(pc.ascii_trim_whitespace(strings))


def _some_numbers(trimmed: Column) -> Column:
    readable = pc.match_substring_regex(trimmed, _NUMBER)
    # The plus goes because a cast may refuse it; the pattern has seen to it that there is only one.
    numbers = pc.if_else(readable, pc.ascii_ltrim(trimmed, "+"), None).cast(pa.float64())
    return pc.if_else(pc.equal(trimmed, ""), None, pc.coalesce(numbers, np.nan))


def to_boolean(strings: Column) -> Column:
    """Text to bool: true, yes, on, 1 and false, no, off, 0 in any case; everything else is missing."""
    words = pc.ascii_lower(pc.ascii_trim_whitespace(strings))
    known = pc.or_(pc.is_in(words, _set(_TRUE)), pc.is_in(words, _set(_FALSE)))
    return pc.if_else(known, pc.is_in(words, _set(_TRUE)), pa.scalar(None, pa.bool_()))


@cache
def _set(words: tuple[str, ...]) -> Column:
    return pa.array(words)


def to_text(strings: Column) -> Column:
    """Text as it is; here so that every type has its conversion."""
    return strings


def to_vector(strings: Column) -> Column:
    """Text to lists of float64: ``[1, 2]``, or numbers between commas, semicolons, bars or blanks.

    An element that is no number is NaN and keeps its place. Missing is what is empty, nested, cut off, or written
    without brackets and has no number at all (prose).
    """
    trimmed = pc.ascii_trim_whitespace(strings)
    bracketed = pc.match_substring_regex(trimmed, _BRACKETED)
    plain = pc.match_substring_regex(trimmed, _NO_BRACKETS)
    inner = pc.if_else(pc.or_(bracketed, plain), pc.ascii_trim(trimmed, "[] \t\r\n\v\f"), None)
    texts = _split(inner)
    numbers = pc.fill_null(to_number(texts.values), np.nan)
    lists = pa.ListArray.from_arrays(texts.offsets, numbers, mask=pc.is_null(texts))
    lists = pc.if_else(pc.equal(inner, ""), pa.scalar([], arrow_type(FieldType.VECTOR)), lists)
    return pc.if_else(pc.or_(bracketed, _any_number(lists)), lists, None)


def to_texts(strings: Column) -> Column:
    """Text to lists of texts: always missing. Only formats that have lists of their own can tell where one ends."""
    return nulls(FieldType.TEXTS, len(strings))


def _split(inner: Column) -> Column:
    """The elements of each text as text. One and the same separator throughout is split five times faster."""
    if _any(pc.match_substring(inner, ", ")):
        inner = pc.replace_substring(inner, ", ", ",")  # the usual way to write them, and it means the same
    for separator, anything_else in _ONE_SEPARATOR.items():
        if not _any(pc.match_substring_regex(inner, anything_else)):
            return _split_at(inner, separator)
    return pc.split_pattern(pc.replace_substring_regex(inner, _SEPARATORS, ","), ",")


def _split_at(strings: Column, separator: str) -> Column:
    """What ``split_pattern`` does, many times faster: all elements at once, by the places of the separators."""
    if strings.null_count or not len(strings):
        return pc.split_pattern(strings, separator)
    bounds = np.frombuffer(strings.buffers()[1], dtype=np.int32)[strings.offset :][: len(strings) + 1]
    text = np.frombuffer(strings.buffers()[2] or b"", dtype=np.uint8)[bounds[0] : bounds[-1]]
    places = np.flatnonzero(text == ord(separator))
    ends = bounds[1:] - bounds[0]
    before = np.searchsorted(places, ends)  # separators up to the end of each text
    # An element ends at a separator or with its text; all ends move up when the separators go.
    stops = np.insert(places - np.arange(len(places)), before, ends - before)
    offsets = pa.py_buffer(np.append(0, stops).astype(np.int32))
    bare = text.tobytes().translate(None, separator.encode())
    elements = pa.StringArray.from_buffers(len(stops), offsets, pa.py_buffer(bare))
    firsts = np.append(0, before + np.arange(1, len(ends) + 1))
    return pa.ListArray.from_arrays(pa.array(firsts, pa.int32()), elements)


def _any_number(lists: Column) -> Column:
    """Which of the lists hold at least one number that is not NaN."""
    numbers = np.zeros(len(lists), dtype=np.bool_)
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    numbers[parents[~np.isnan(lists.flatten().to_numpy(zero_copy_only=False))]] = True
    return pa.array(numbers)


_CONVERSIONS = {
    FieldType.NUMBER: to_number,
    FieldType.TEXT: to_text,
    FieldType.BOOLEAN: to_boolean,
    FieldType.VECTOR: to_vector,
    FieldType.TEXTS: to_texts,
}


def convert(strings: Column, kind: FieldType) -> Column:
    """A column of text as the wanted type; never fails (see the conversion of each type)."""
    return _CONVERSIONS[kind](strings)


def natural(strings: Column) -> tuple[FieldType, Column]:
    """The type that every present cell has, and the column converted to it; text when they have none in common."""
    kind = _natural_type(strings)
    return kind, convert(strings, kind)


def _natural_type(strings: Column) -> FieldType:
    trimmed = pc.ascii_trim_whitespace(strings)
    present = trimmed.filter(pc.not_equal(trimmed, ""))
    if len(present) == 0:
        return FieldType.TEXT
    if _all(pc.match_substring_regex(present, _NUMBER)) and pc.any(pc.is_finite(to_number(present))).as_py():
        return FieldType.NUMBER
    if _all(pc.is_in(pc.ascii_lower(present), _set(_TRUE_OR_FALSE))):
        return FieldType.BOOLEAN
    return FieldType.VECTOR if _all(pc.match_substring_regex(present, _NUMBER_LIST)) else FieldType.TEXT


def _all(flags: Column) -> bool:
    return bool(pc.all(flags).as_py())


def _any(flags: Column) -> bool:
    return bool(pc.any(flags).as_py())


def typed(found: Mapping[str, Column], fields: Sequence[Field] | None, rows: int) -> dict[Field, Column]:
    """The columns a parser returns, from the text it found under each name.

    With ``fields`` exactly these, all-null where nothing was found; with None everything found, in its natural type.
    """
    if fields is None:
        kinds = {name: natural(strings) for name, strings in found.items()}
        return {Field(name, kind): column for name, (kind, column) in kinds.items()}
    return {f: convert(found[f.name], f.type) if f.name in found else nulls(f.type, rows) for f in fields}


def lines(raw: RawBatch) -> Column:
    """The text of every record as one string column, without its delimiters."""
    if len(raw) == 0:
        return nulls(FieldType.TEXT, 0)
    first, last = int(raw.starts[0]), int(raw.ends[-1])
    gaps = raw.ends[:-1][raw.starts[1:] > raw.ends[:-1]] - first  # a delimiter has one byte, or two: \r\n
    long_gaps = raw.ends[:-1][raw.starts[1:] > raw.ends[:-1] + 1] - first + 1
    text = np.delete(np.frombuffer(raw.data, dtype=np.uint8)[first:last], np.concatenate([gaps, long_gaps]))
    offsets = np.concatenate([[0], np.cumsum(raw.ends - raw.starts)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(offsets), pa.py_buffer(text))
