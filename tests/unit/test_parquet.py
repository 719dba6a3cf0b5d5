"""Parquet is read as lines of JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.core.errors import DataError
from monitor.ingest.reading import read_files


def written(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def lines(path: Path) -> list[str]:
    return [batch.line(row) for batch in read_files([path]) for row in range(len(batch))]


def test_a_row_is_a_line_with_its_columns(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.parquet",
        at=[datetime(2026, 11, 1, 12, tzinfo=UTC), None],
        day=[date(2026, 11, 1), None],
        number=[1.5, float("nan")],
        text=["a\nb", None],
        flag=[True, False],
        exact=[Decimal("1.25"), None],
        inner=[{"x": [1, 2]}, None],
    )

    assert [json.loads(line) for line in lines(path)] == [
        {
            "at": "2026-11-01T12:00:00Z", "day": "2026-11-01", "number": 1.5, "text": "a\nb", "flag": True,
            "exact": "1.25", "inner": {"x": [1, 2]},
        },
        {"at": None, "day": None, "number": None, "text": None, "flag": False, "exact": None, "inner": None},
    ]  # fmt: skip


def test_more_rows_than_are_unpacked_at_once_come_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", n=list(range(30_000)))

    assert [json.loads(line)["n"] for line in lines(path)] == list(range(30_000))


def test_no_rows_are_no_lines(tmp_path: Path) -> None:
    assert lines(written(tmp_path / "a.parquet", n=pa.array([], pa.int64()))) == []


@pytest.mark.parametrize("keep", [20, 200])
def test_a_damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path / "a.parquet", n=list(range(1000)))
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(DataError, match=r"a.parquet: cannot be read to its end: no sound Parquet file"):
        lines(path)
