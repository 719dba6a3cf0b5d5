"""Text cells become the same values whatever stands beside them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.columns import arrow_type, convert, lines, natural, nulls, to_boolean, to_number, to_vector, typed
from monitor.core.records import Field, FieldType
from tests.framed import framed


def texts(*cells: str | None) -> pa.Array:
    return pa.array(cells, pa.string())


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", 1.5), (" 2 ", 2.0), ("+3", 3.0), ("\t-4e2\r", -400.0), (".5", 0.5), ("5.", 5.0), ("007", 7.0),
        ("1e400", math.inf), ("-1e400", -math.inf), ("1e-400", 0.0), ("inf", math.inf), ("-Infinity", -math.inf),
        ("+INF", math.inf), ("", None), ("  ", None), (None, None), ("9" * 400, math.inf),
    ],
)  # fmt: skip
@pytest.mark.parametrize("neighbour", ["1", "no number", ""])
def test_a_number_is_read_whatever_its_neighbours_are(cell: str | None, value: float | None, neighbour: str) -> None:
    column = to_number(texts(neighbour, cell))

    assert column[1].as_py() == value
    assert column.type == pa.float64()


@pytest.mark.parametrize(
    "cell",
    ["x", "nan", "NaN", "-nan", "1,5", "1_000", "0x10", "٣", "１", "++1", "1e", "1 2", "\x001", "true", "-", "+"],
)
def test_what_is_no_number_is_nan(cell: str) -> None:
    value = to_number(texts("1", cell))[1].as_py()

    assert math.isnan(value)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(alphabet="0123456789+-.eE naifty()_x٣", max_size=8),
            st.floats().map(repr),
            st.integers().map(str),
            st.text(max_size=5),
        ),
        max_size=12,
    ),
    st.sampled_from(list(FieldType)),
)
def test_a_cell_alone_and_among_others_gives_the_same_value(cells: list[str | None], kind: FieldType) -> None:
    together = convert(texts(*cells), kind)

    assert together.type == arrow_type(kind)
    assert same(together.to_pylist(), [convert(texts(cell), kind)[0].as_py() for cell in cells])


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=False))
def test_every_double_survives_its_shortest_spelling(value: float) -> None:
    assert to_number(texts(repr(value), f" {value!r} ")).to_pylist() == [value, value]


def test_booleans_have_four_spellings_each_in_any_case() -> None:
    column = to_boolean(texts("true", "YES", " On ", "1", "False", "no", "OFF", "0", "2", "", None, "tru", "ja"))

    assert column.to_pylist() == [True] * 4 + [False] * 4 + [None] * 5
    assert column.type == pa.bool_()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("[1, 2.5,-3e2]", [1.0, 2.5, -300.0]), ("1,2", [1.0, 2.0]), ("1; 2", [1.0, 2.0]), ("1|2", [1.0, 2.0]),
        (" 1  2\t3 ", [1.0, 2.0, 3.0]), ("7", [7.0]), ("[]", []), ("[ ]", []), ("", None), (None, None),
        ("[1, 2", None), ("1]", None), ("[[1],[2]]", None), ("some prose, and more", None), ("[inf]", [math.inf]),
    ],
)  # fmt: skip
def test_vectors_are_read_from_arrays_and_from_separated_numbers(cell: str | None, value: list[float] | None) -> None:
    assert to_vector(texts("x", cell, "[1]"))[1].as_py() == value


@pytest.mark.parametrize("separator", [" ", ",", ", ", ";", "  ", " ,"])
@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5), max_size=5))
def test_vectors_are_the_same_whatever_separates_their_numbers(separator: str, vectors: list[list[float]]) -> None:
    cells = texts("cut off", *(separator.join(map(repr, vector)) for vector in vectors))[1:]

    assert to_vector(cells).to_pylist() == vectors


@pytest.mark.parametrize("cell", ["1,,3", "[1, null, 3]", "1;x;3", "1, ,3", '[1,"2",3]'])
def test_an_element_that_is_no_number_keeps_its_place_in_the_vector(cell: str) -> None:
    vector = to_vector(texts(cell))[0].as_py()

    assert len(vector) == 3
    assert (vector[0], vector[2]) == (1.0, 3.0)
    assert math.isnan(vector[1])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "", None, "2.5"], FieldType.NUMBER), (["nan", "1"], FieldType.NUMBER), (["nan"], FieldType.TEXT),
        (["inf"], FieldType.TEXT), (["true", "False", None], FieldType.BOOLEAN), (["1", "true"], FieldType.TEXT),
        (["yes", "no"], FieldType.TEXT), (["[1, 2]", "[3]"], FieldType.VECTOR), (["[1]", "1"], FieldType.TEXT),
        (["[]"], FieldType.TEXT), (["1 2"], FieldType.TEXT), ([None, None], FieldType.TEXT), ([], FieldType.TEXT),
        (["", " "], FieldType.TEXT), (["٣"], FieldType.TEXT),
    ],
)  # fmt: skip
def test_the_natural_type_is_the_one_every_present_cell_has(cells: list[str | None], kind: FieldType) -> None:
    found, column = natural(texts(*cells))

    assert found == kind
    assert column.type == arrow_type(kind)
    assert len(column) == len(cells)


def test_a_field_that_was_not_found_is_all_null_in_its_own_type() -> None:
    wanted = [Field("a", FieldType.NUMBER), Field("a", FieldType.TEXT), Field("b", FieldType.VECTOR)]

    columns = typed({"a": texts("1", "x")}, wanted, 2)

    assert list(columns) == wanted
    assert columns[wanted[1]].to_pylist() == ["1", "x"]
    assert columns[wanted[2]].equals(nulls(FieldType.VECTOR, 2))


@pytest.mark.parametrize("delimiter", ["\n", "\r\n"])
def test_lines_are_the_records_without_their_delimiters(delimiter: str) -> None:
    records = ["a", "", "Grüße", "two\nlines", " \r ", ""]
    data = delimiter.join(["before", *records, "after"]).encode()
    lengths = [len(record.encode()) for record in records]
    starts = len(delimiter) * np.arange(1, 7) + len("before") + np.cumsum([0, *lengths[:-1]])
    raw = replace(framed(*records), data=data, starts=starts, ends=starts + lengths)

    assert lines(raw).to_pylist() == records


def test_lines_of_an_empty_batch_are_an_empty_column_of_text() -> None:
    assert lines(framed()).equals(pa.array([], pa.string()))
