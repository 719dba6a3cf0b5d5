"""Sees in a sample that records have several lines, as stack traces have; where it is not plain, each line is one."""

from __future__ import annotations

import pyarrow.compute as pc

from monitor.core.columns import lines
from monitor.core.records import RawBatch

STARTS = (
    r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d",  # 2026-11-22 03:16:28
    r"^(<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ",  # Nov 22 03:16:28
)
"""How the first line of a record begins where all first lines begin with a time."""
LEAST_RECORDS, LEAST_CONTINUATIONS = 20, 5
INDENTED = 0.5
"""Of the other lines at least so many are indented: those of another log mixed into this one would not be."""


def first_line(sample: RawBatch) -> str | None:
    """The pattern of first lines, when they begin with a time and the lines between them are continuations."""
    texts = lines(sample)
    for start in STARTS:
        begins = pc.match_substring_regex(texts, start)
        others = texts.filter(pc.invert(begins))
        records = len(texts) - len(others)
        if records < LEAST_RECORDS or len(others) < LEAST_CONTINUATIONS or not begins[0].as_py():
            continue
        indented = pc.match_substring_regex(others, r"^[ \t]+\S")
        if pc.sum(indented).as_py() >= INDENTED * len(others):
            return start
    return None
