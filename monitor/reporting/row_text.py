"""Tables as JSON Lines and CSV, written column by column, so that a stream of millions of records is not held up."""

# The functions of pyarrow.compute are made at import time; no checker can see them.
from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.arrays import Column

_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON cannot carry inside quotes as it is."""

MOST_EXACT = 2.0**53
"""From here on not every whole number has a float64 of its own."""


def as_jsonl(table: Any, omit: Collection[str] = ()) -> str:
    """One JSON object a row of a ``pyarrow.Table``; whole numbers without ``.0``, NaN and infinity as null.

    A value that is missing is null, or left out if its column is named in ``omit``.

    >>> as_jsonl(pa.table({"a": [1.0, 2.5], "b": ["x", None], "c": [None, True]}), omit=["b"])
    '{"a":1,"b":"x","c":null}\\n{"a":2.5,"c":true}\\n'
    """
    rows: int = table.num_rows
    if not table.num_columns:
        return "{}\n" * rows
    pieces = [_member(name, table.column(name).combine_chunks(), name in omit) for name in table.column_names]
    bodies: Column = pc.binary_join_element_wise(*pieces, "")
    # Every member ends in a comma, since any of them may be left out; the last one goes here.
    lines: list[str] = pc.binary_join_element_wise("{", pc.utf8_rtrim(bodies, ","), "}", "").to_pylist()
    return "".join(f"{line}\n" for line in lines)


def as_csv(table: Any, *, header: bool) -> str:
    """Comma-separated, with the column names first if ``header``; missing is empty, lists are JSON.

    >>> as_csv(pa.table({"a": [1.0, None], "b": [[1.0, 2.5], None]}), header=True)
    'a,b\\n1,"[1,2.5]"\\n,\\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(table.column_names)
    cells = [cell_texts(table.column(name).combine_chunks()).to_pylist() for name in table.column_names]
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def cell_texts(column: Column) -> Column:
    """Values as text [n], null where missing: what a CSV file holds."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_list(kind):
        return json_texts(column)
    return _numbers(column) if pa.types.is_floating(kind) else column.cast(pa.string())


def json_texts(column: Column) -> Column:
    """Values as JSON [n], null (not the text) where missing.

    >>> json_texts(pa.array(['a"b', None])).to_pylist(), json_texts(pa.array([[1.0, None], []])).to_pylist()
    (['"a\\\\"b"', None], ['[1,null]', '[]'])
    """
    kind = column.type
    if pa.types.is_string(kind):
        return _quoted(column)
    if pa.types.is_list(kind):
        return _lists(column)
    if not pa.types.is_floating(kind):
        return column.cast(pa.string())
    return pc.if_else(pc.is_finite(column), _numbers(column), pa.scalar("null"))


def _member(name: str, column: Column, omitted: bool) -> Column:
    """``"name":value,`` of each row, empty where a missing value is left out."""
    start = f"{msgspec.json.encode(name).decode()}:"
    members = pc.binary_join_element_wise(start, json_texts(column), ",", "")
    return pc.fill_null(members, "" if omitted else f"{start}null,")


def _quoted(texts: Column) -> Column:
    if pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py():
        encode = msgspec.json.encode
        return pa.array([None if text is None else encode(text).decode() for text in texts.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")


def _numbers(column: Column) -> Column:
    """The shortest text that gives the same number again; whole numbers as such, not ``1e+10``."""
    whole = pc.fill_null(pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), MOST_EXACT)), False)
    integers = pc.if_else(whole, column, pa.scalar(0, column.type)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, integers, column.cast(pa.string()))


def _lists(column: Column) -> Column:
    """``[1,2]`` of each row. Rebuilt from its parts, since a column may be a slice of another."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    entries = pc.fill_null(json_texts(column.flatten()), "null")
    lists = pa.ListArray.from_arrays(offsets, entries, mask=pc.is_null(column))
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
