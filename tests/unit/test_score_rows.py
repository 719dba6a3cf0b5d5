"""Rows and tables as text and files, and the choice of the rows that are shown."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.app.cleaning import as_found
from monitor.app.ranking import Best
from monitor.core.records import FieldType
from monitor.reporting.row_text import as_csv, as_jsonl, cell_texts
from monitor.reporting.score_rows import FieldValues, ScoreRow, as_table
from monitor.reporting.score_rows import as_jsonl as rows_as_jsonl
from monitor.reporting.table_files import table_writer

NUMBERS = st.none() | st.floats()
TEXTS = st.none() | st.text()


def plain(value: Any) -> Any:
    """What JSON can say of a value."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- text --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(NUMBERS, TEXTS, st.none() | st.booleans(), st.none() | st.lists(NUMBERS, max_size=3))))
def test_json_lines_read_back_are_the_rows(rows: list[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    kinds = (pa.float64(), pa.string(), pa.bool_(), pa.list_(pa.float64()))
    arrays = [pa.array(c, k, from_pandas=False) for c, k in zip(columns, kinds, strict=True)]
    names = ["number", 'te"xt', "flag", "list"]

    lines = as_jsonl(pa.table(arrays, names)).split("\n")

    assert lines.pop() == ""
    assert [tuple(json.loads(line).values()) for line in lines] == [tuple(map(plain, row)) for row in rows]


def test_missing_values_are_left_out_where_that_was_asked_for() -> None:
    table = pa.table({"a": pa.array([1.0, None]), "b": pa.array([None, None], pa.string())})

    assert as_jsonl(table, omit=("a", "b")) == '{"a":1}\n{}\n'
    assert as_jsonl(pa.table({})) == ""


def test_a_part_of_a_longer_table_is_written_as_what_it_is() -> None:
    table = pa.table({"v": [[1.0], None, [2.0, 3.0], []], "t": ["a", "b\n", "c", None]})

    assert as_jsonl(table.slice(1, 2)) == '{"v":null,"t":"b\\n"}\n{"v":[2,3],"t":"c"}\n'


def test_large_whole_numbers_have_no_exponent() -> None:
    numbers = pa.array([1.7e12, -(2.0**53) + 1, 2.0**53, -0.0, 1e300])

    assert cell_texts(numbers).to_pylist() == [
        "1700000000000",
        "-9007199254740991",
        "9.007199254740992e+15",
        "0",
        "1e+300",
    ]


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False),
            st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")),
        )
    )
)
def test_csv_read_back_has_the_numbers_and_texts(rows: list[tuple[float, str]]) -> None:
    table = pa.table(
        {"n": pa.array([n for n, _ in rows], pa.float64()), "t": pa.array([t for _, t in rows], pa.string())}
    )

    read = list(csv.reader(io.StringIO(as_csv(table, header=True))))

    assert read[0] == ["n", "t"]
    assert [(float(n), t) for n, t in read[1:]] == rows


def test_csv_cells_that_are_missing_are_empty_and_lists_are_json() -> None:
    table = pa.table({"n": [None, 2.5], "b": [True, None], "v": [[1.0, 2.5], None]})

    assert as_csv(table, header=False) == ',true,"[1,2.5]"\n2.5,,\n'


# -- files -------------------------------------------------------------------------------------------------------


def written(form: str, *tables: Any) -> tuple[bytes, dict[str, int]]:
    file = io.BytesIO()
    writer = table_writer(form, file, None)
    for table in tables:
        writer.write(table)
    writer.close()
    return file.getvalue(), dict(writer.lost)


FIRST = pa.table({"a": [1.0, 2.0], "t": ["x", None], "v": [[1.0], [2.0]], "b": [True, False]})
LATER = pa.table({"new": ["y", None], "a": ["3", "high"], "v": ["4 5", "prose"], "b": ["false", "maybe"]})


def test_json_lines_keep_whatever_columns_and_types_a_later_batch_has() -> None:
    data, lost = written("jsonl", FIRST, LATER)

    assert [json.loads(line) for line in data.splitlines()][2:] == [
        {"new": "y", "a": "3", "v": "4 5", "b": "false"},
        {"a": "high", "v": "prose", "b": "maybe"},
    ]
    assert lost == {}


def test_csv_keeps_its_columns_and_counts_what_has_none() -> None:
    data, lost = written("csv", FIRST, LATER)

    assert data.decode().splitlines() == [
        "a,t,v,b",
        "1,x,[1],true",
        "2,,[2],false",
        "3,,4 5,false",
        "high,,prose,maybe",
    ]
    assert lost == {"new": 1}


def test_parquet_keeps_its_types_and_counts_the_values_that_have_another() -> None:
    data, lost = written("parquet", FIRST, LATER)

    assert pq.read_table(io.BytesIO(data)).to_pylist() == [
        {"a": 1.0, "t": "x", "v": [1.0], "b": True},
        {"a": 2.0, "t": None, "v": [2.0], "b": False},
        {"a": 3.0, "t": None, "v": [4.0, 5.0], "b": False},
        {"a": None, "t": None, "v": None, "b": None},
    ]
    assert lost == {"new": 1, "a": 1, "v": 1, "b": 1}


def test_numbers_become_text_where_the_column_is_text() -> None:
    data, lost = written("parquet", pa.table({"t": ["a"]}), pa.table({"t": [2.0]}), pa.table({"t": [[1.0, 2.5]]}))

    assert pq.read_table(io.BytesIO(data)).column("t").to_pylist() == ["a", "2", "[1,2.5]"]
    assert lost == {}


def test_a_parquet_file_nobody_wrote_to_has_no_content() -> None:
    assert written("parquet") == (b"", {})


# -- rows --------------------------------------------------------------------------------------------------------


def row(line: int = 1, **changes: Any) -> ScoreRow:
    facts: dict[str, Any] = {
        "file": "f",
        "line": line,
        "group": "top",
        "score": 1.5,
        "error": 0.5,
        "squared_error": None,
        "mean_squared_error": None,
        "alert": False,
    }
    return ScoreRow(**(facts | changes))


def test_a_row_carries_its_fields_with_what_the_network_made_of_them() -> None:
    fields = {
        "age": FieldValues(41.0, 37.5, decoded=True),
        "path": FieldValues("/a"),
        "x": FieldValues(None, 2.0, True),
    }

    line = rows_as_jsonl([row(fields=fields, alert=True, summary="s")])

    assert json.loads(line) == {
        "file": "f",
        "line": 1,
        "group": "top",
        "score": 1.5,
        "error": 0.5,
        "alert": True,
        "summary": "s",
        "fields": {
            "age": {"actual": 41, "reconstructed": 37.5},
            "path": {"actual": "/a"},
            "x": {"actual": None, "reconstructed": 2},
        },
    }


def test_squared_errors_stand_in_a_row_only_if_they_were_asked_for() -> None:
    assert "squared_error" not in rows_as_jsonl([row()])
    assert '"squared_error":4.0,"mean_squared_error":2.0' in rows_as_jsonl(
        [row(squared_error=4.0, mean_squared_error=2.0)]
    )


def test_a_flat_table_has_a_column_for_each_field_and_its_reconstruction() -> None:
    first = row(fields={"age": FieldValues(41.0, 37.0, decoded=True), "note": FieldValues("a")})
    second = row(2, fields={"age": FieldValues("old", 37.0, decoded=True)})

    table = as_table([first, second])

    assert table.column_names[-3:] == ["age", "age.reconstructed", "note"]
    assert table.slice(0, 2).to_pylist()[1] == {
        "file": "f", "line": 2, "group": "top", "score": 1.5, "error": 0.5, "alert": False, "summary": "",
        "age": "old", "age.reconstructed": 37.0, "note": None,
    }  # fmt: skip
    assert table.column("age").to_pylist() == ["41", "old"]


def test_a_field_called_like_another_column_gets_a_name_of_its_own() -> None:
    fields = {"score": FieldValues(7.0), "a": FieldValues(1.0, 2.0, True), "a.reconstructed": FieldValues(3.0)}

    (only,) = as_table([row(fields=fields)]).to_pylist()

    assert (only["score"], only["field.score"]) == (1.5, 7.0)
    assert (only["a"], only["a.reconstructed"], only["field.a.reconstructed"]) == (1.0, 2.0, 3.0)


def test_a_table_without_rows_has_its_columns() -> None:
    assert as_csv(as_table([]), header=True) == "file,line,group,score,error,alert,summary\n"


# -- types -------------------------------------------------------------------------------------------------------


def test_decoded_categories_become_numbers_again_only_if_all_of_them_are_numbers() -> None:
    assert as_found(pa.array(["200", None]), FieldType.NUMBER).to_pylist() == [200.0, None]
    assert as_found(pa.array(["200", "<rare>"]), FieldType.NUMBER).to_pylist() == ["200", "<rare>"]
    assert as_found(pa.array(["true", "no"]), FieldType.BOOLEAN).to_pylist() == [True, False]
    assert as_found(pa.array(["true", "maybe"]), FieldType.BOOLEAN).to_pylist() == ["true", "maybe"]
    assert as_found(pa.array(["200"]), FieldType.TEXT).to_pylist() == ["200"]
    assert as_found(pa.array([1.5]), FieldType.TEXT).to_pylist() == [1.5]


# -- ranking -----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(-5, 5).map(float), st.booleans()), max_size=60),
    st.integers(1, 8),
    st.integers(1, 20),
)
def test_the_best_are_those_a_stable_sort_of_everything_puts_first(
    figures: list[tuple[float, bool]], count: int, batch: int
) -> None:
    best = Best[int](count)
    for start in range(0, len(figures), batch):
        part = figures[start : start + batch]
        values = np.array([figure for figure, _ in part])
        usable = np.flatnonzero(np.array([ok for _, ok in part]))
        for index in best.candidates(values, usable).tolist():
            best.add(part[index][0], start + index)

    order = sorted((i for i, (_, ok) in enumerate(figures) if ok), key=lambda i: -figures[i][0])
    assert best.ranked() == order[:count]


def test_a_batch_offers_no_more_rows_than_are_kept() -> None:
    assert Best[int](3).candidates(np.arange(1000.0), np.arange(1000)).tolist() == [997, 998, 999]


def test_lists_of_texts_stay_lists_of_texts_and_what_is_none_is_counted() -> None:
    texts, numbers = pa.table({"v": [["a"], []]}), pa.table({"v": [[1.0, None], None]})

    data, lost = written("parquet", texts, pa.table({"v": ["[]", '["b", null]', "prose", "1"]}), numbers)
    assert pq.read_table(io.BytesIO(data)).column("v").to_pylist() == [
        ["a"], [], [], ["b", None], None, None, ["1", None], None
    ]  # fmt: skip
    assert lost == {"v": 2}

    data, lost = written("parquet", numbers, texts)
    assert pq.read_table(io.BytesIO(data)).column("v").to_pylist() == [[1.0, None], None, None, None]
    assert lost == {"v": 2}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_every_batch_is_out_when_it_was_written(form: str) -> None:
    file = io.BytesIO()
    writer = table_writer(form, file)
    writer.write(FIRST)
    before = len(file.getvalue())

    writer.write(FIRST)

    assert len(file.getvalue()) > before > 0
