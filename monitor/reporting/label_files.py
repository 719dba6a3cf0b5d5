"""Labels that stand in a file of their own: one a line in the order of the input, or windows of time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.core.arrays import F64
from monitor.core.errors import DataError
from monitor.core.names import quoted
from monitor.core.opening import reading
from monitor.core.printable import printable
from monitor.reporting.labels import Codes, Labels, OrderedLabels, Vocabulary
from monitor.reporting.windows import WindowLabels, Windows

ReadTimes = Callable[[Sequence[str]], F64]
"""Seconds since 1970 UTC of texts, NaN where one is no time."""

HEADER_WORDS = frozenset(
    {"label", "labels", "class", "target", "ground_truth", "is_anomaly", "is_anomalous", "is_attack", "anomaly_label"}
)
"""A first line of one of these is the name of a column."""
START_WORDS = frozenset({"start", "from", "begin", "start_time"})
PAIR = 2
EXPECTED = (
    "expected one label a line in the order of the input, or windows of time: CSV lines `start,end`, "
    "a JSON list of [start, end], or a JSON object with such a list for each file"
)


def read_labels(path: Path, vocabulary: Vocabulary, times: ReadTimes | None) -> Labels:
    """The labels in a file.

    Args:
        path: the file.
        vocabulary: what the labels mean; windows need none.
        times: reads the times of windows as the stream reads its own; None when the stream has no event time.

    Raises:
        NoInputError, PermissionDeniedError: the file cannot be read.
        DataError: it is none of the known forms, a label is not understood, or a time cannot be read.
    """
    text = _text(path)
    stripped = text.lstrip()
    if stripped.startswith(("[", "{")):
        return _from_json(path, stripped, vocabulary, times)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if len(_cells(first)) == PAIR:
        return _from_rows(path, lines, times)
    if len(_cells(first)) > PAIR:
        raise DataError(f"{path}: the first line {quoted(first)} has {len(_cells(first))} cells; {EXPECTED}")
    return OrderedLabels(_in_order(lines, vocabulary), str(path))


def _text(path: Path) -> str:
    try:
        with reading(path, "file of labels"):
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; {EXPECTED}") from None


def _cells(line: str) -> list[str]:
    """The cells of a line; none if it cannot be one of a table."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter="\t" if "\t" in line else ","), [])]
    except csv.Error:  # a cell of more than 128 KiB
        return []


def _in_order(lines: list[str], vocabulary: Vocabulary) -> Codes:
    if lines and lines[0].strip().strip('"').casefold() in HEADER_WORDS:
        lines = lines[1:]
    codes = vocabulary.read(pa.array([line.strip().strip('"') for line in lines], pa.string()))
    vocabulary.finish()
    return codes


def _from_json(path: Path, text: str, vocabulary: Vocabulary, times: ReadTimes | None) -> Labels:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON: {printable(str(error))}; {EXPECTED}") from None
    if isinstance(content, list) and content and not any(isinstance(item, list | dict) for item in content):
        return OrderedLabels(_in_order([_as_text(item) for item in content], vocabulary), str(path))
    groups = content if isinstance(content, dict) else {"": content}
    return WindowLabels({key: _windows(path, _pairs(path, items), times) for key, items in groups.items()}, str(path))


def _as_text(item: Any) -> str:
    return "" if item is None else str(item)


def _pairs(path: Path, items: Any) -> list[tuple[str, str]]:
    """The ends of windows, from lists of two or from objects with ``start`` and ``end``."""
    pairs = [_pair(item) for item in items] if isinstance(items, list) else [None]
    if None in pairs:
        raise DataError(f"{path}: {quoted(json.dumps(items))} is no list of windows; {EXPECTED}")
    return [pair for pair in pairs if pair is not None]


def _pair(item: Any) -> tuple[str, str] | None:
    if isinstance(item, Mapping):
        item = [item.get("start"), item.get("end")]
    ends = [end for end in item if isinstance(end, str | int | float)] if isinstance(item, list) else []
    return (str(ends[0]), str(ends[1])) if len(ends) == PAIR == len(item) else None


def _from_rows(path: Path, lines: Sequence[str], times: ReadTimes | None) -> Labels:
    rows = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    if rows[0][1][0].casefold() in START_WORDS:
        rows = rows[1:]
    for number, cells in rows:
        if len(cells) != PAIR:
            raise DataError(f"{path}: line {number} has {len(cells)} cells instead of start and end; {EXPECTED}")
    pairs = [(cells[0], cells[1]) for _, cells in rows]
    return WindowLabels({"": _windows(path, pairs, times)}, str(path))


def _windows(path: Path, pairs: Sequence[tuple[str, str]], times: ReadTimes | None) -> Windows:
    if times is None:
        raise DataError(
            f"{path}: holds windows of time, but the stream has no event time; say with `time:` which field it is"
        )
    ends = times([end for pair in pairs for end in pair]).reshape(-1, PAIR)  # [w, 2]
    for pair, (start, end) in zip(pairs, ends.tolist(), strict=True):
        if np.isnan(start) or np.isnan(end):
            raise DataError(f"{path}: the window {quoted(', '.join(pair))} has a time that cannot be read; {EXPECTED}")
        if end < start:
            raise DataError(f"{path}: the window {quoted(', '.join(pair))} ends before it starts")
    return Windows(ends[:, 0], ends[:, 1])
