"""Delimited rows: fast where a row has one reading, exact where it has odd quotes or line ends, marked where none."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.records import HEADER, Field, FieldType, RawBatch, RecordBatch
from monitor.parsers import csv_rows
from monitor.parsers._csv_text import Dialect, UnreadableRowError
from tests.framed import framed

NUMBER, TEXT = FieldType.NUMBER, FieldType.TEXT
AB = ["a", "b"]


def parse(*lines: str, fields: list[Field] | None = None, **options: Any) -> RecordBatch:
    return parse_batch(framed(*lines), fields=fields, **options)


def parse_batch(raw: RawBatch, *, fields: list[Field] | None = None, **options: Any) -> RecordBatch:
    return csv_rows.build(csv_rows.Config.model_validate({"columns": AB, **options}), fields).parse(raw)


def texts(batch: RecordBatch, name: str) -> list[str | None]:
    values: list[str | None] = batch.column(name, TEXT).to_pylist()
    return values


BOTH_AS_TEXT = [Field("a", TEXT), Field("b", TEXT)]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("1,x", ["1", "x"]), (",", [None, None]), ('"1","x"', ["1", "x"]), ('"",x', [None, "x"]),
        ('"a, ""b"" c",x', ['a, "b" c', "x"]), ('5" disk,x', ['5" disk', "x"]), ('5" x 3" y,z', ['5" x 3" y', "z"]),
        ("a\rb,x", ["a\rb", "x"]), ("a\nb,x", ["a\nb", "x"]), ('"a\nb",x', ["a\nb", "x"]), ("\0,x", ["\0", "x"]),
        (" 1 , x ", [" 1 ", " x "]), ('"""",x', ['"', "x"]), ("\ufeff1,x", ["1", "x"]), ("NULL,nan", ["NULL", "nan"]),
        ("x" * 200_000 + ',"', None), ('"' + "x" * 200_000 + '",5"', ["x" * 200_000, '5"']),
    ],
)  # fmt: skip
@pytest.mark.parametrize("neighbours", [[], ["1,2"], ['"q",2'], ["1"], ["", "\r"]])
def test_cells_are_the_same_whatever_stands_around(line: str, cells: list[str] | None, neighbours: list[str]) -> None:
    batch = parse(*neighbours, line, *neighbours, fields=BOTH_AS_TEXT)
    row = len(neighbours)

    assert batch.ok[row] == (cells is not None)
    for place, name in enumerate(AB):
        assert texts(batch, name)[row] == (cells and cells[place])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "^empty line$"), ("1", "^expected 2 columns, found 1$"), ("1,2,3", "^expected 2 columns, found 3$"),
        ('"1,2', "^quote not closed$"), ('1,"2', "^quote not closed$"), ('"1"x,2', "^text after a closing quote$"),
        ("a,b", f"^{HEADER}$"), ('"a","b"', f"^{HEADER}$"), ('a,"b"', f"^{HEADER}$"), ("\ufeffa,b", f"^{HEADER}$"),
        ("\r", "^expected 2 columns, found 1$"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("neighbour", ["1,2", '"1","2"', "1", '"'])
def test_a_row_that_cannot_be_read_is_marked_with_the_reason(line: str, reason: str, neighbour: str) -> None:
    batch = parse(neighbour, line, fields=[Field("a", NUMBER), Field("b", NUMBER)])

    assert not batch.ok[1]
    assert [column[1].as_py() for column in batch.columns.values()] == [None, None]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(batch.reasons[1])


def test_a_header_is_recognised_wherever_a_file_repeats_it() -> None:
    batch = parse("a,b", "1,2", "a,b", "3,4", "a,c", fields=[Field("b", NUMBER), Field("a", TEXT)])

    assert batch.reasons == {0: HEADER, 2: HEADER}
    assert texts(batch, "a") == [None, "1", None, "3", "a"]


def test_a_header_whose_names_need_quotes_is_recognised() -> None:
    columns = ["a,b", 'say "hi"', ""]

    batch = parse('"a,b","say ""hi""",', "1,2,3", columns=columns)

    assert batch.reasons == {0: HEADER}
    assert [field.name for field in batch.columns] == columns[:2]


@pytest.mark.parametrize("neighbour", ["1,1", "x,x", '"1",1', "1"])
def test_numbers_in_a_number_column(neighbour: str) -> None:
    fields = [Field("a", NUMBER), Field("b", NUMBER)]

    batch = parse(neighbour, "+1.5, 2 ", "1e400,-inf", ",", "n/a,٣", "  ,0x1", fields=fields)

    a, b = (column.to_pylist()[1:] for column in batch.columns.values())
    assert repr(a) == repr([1.5, math.inf, None, math.nan, None])
    assert repr(b) == repr([2.0, -math.inf, None, math.nan, math.nan])


def test_one_column_wanted_as_two_types_is_read_as_both() -> None:
    fields = [Field("a", NUMBER), Field("a", TEXT), Field("a", FieldType.BOOLEAN)]

    batch = parse("1,", "x,", fields=fields)

    assert repr([column.to_pylist() for column in batch.columns.values()]) == "[[1.0, nan], ['1', 'x'], [True, None]]"


def test_ignored_and_unnamed_columns_are_left_out() -> None:
    batch = parse("1,2,3,4", columns=["a", "", "label", ""], ignore=["label"])
    asked = parse("1,2,3,4", columns=["a", "", "label", ""], ignore=["label"], fields=[Field("label", NUMBER)])

    assert [field.name for field in batch.columns] == ["a"]
    assert asked.columns[Field("label", NUMBER)].to_pylist() == [None]


def test_quotes_mean_nothing_when_there_is_no_quote() -> None:
    batch = parse('"1;"x', '";"', delimiter=";", quote=None)

    assert batch.ok.all()
    assert texts(batch, "a") == ['"1', '"']


@pytest.mark.parametrize("records", [["1,x", "2,y"], ['"1","x"', '2,"y"'], ["1,x", "2,y", ""], ["1,x", "\r", "2"]])
@pytest.mark.parametrize("final", [True, False])
def test_windows_line_ends_are_no_part_of_the_cells(records: list[str], final: bool) -> None:
    raw = framed(*records)
    shift = np.arange(len(raw))
    data = raw.data.replace(b"\n", b"\r\n") if final else raw.data[:-1].replace(b"\n", b"\r\n")
    windows = replace(raw, data=data, starts=raw.starts + shift, ends=raw.ends + shift)

    batch, expected = parse_batch(windows, fields=BOTH_AS_TEXT), parse(*records, fields=BOTH_AS_TEXT)

    assert batch.columns == expected.columns
    assert batch.reasons == expected.reasons


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ",,"}, "delimiter must be one ASCII character and no line end, not ',,'"),
        ({"delimiter": "\n"}, "delimiter must be one ASCII character"),
        ({"delimiter": "§"}, "delimiter must be one ASCII character"),
        ({"quote": ""}, "quote must be one ASCII character"),
        ({"quote": ","}, "delimiter and quote are both ','"),
        ({"columns": ["a", "b", "a"]}, "columns names 'a' more than once"),
        ({"columns": []}, "at least 1 item"),
        ({"ignore": ["c"]}, "ignore names 'c', which is not one of the columns"),
        ({"columns": ["v{1..3}", "v2"]}, "columns names 'v2' more than once"),
        ({"columns": ["v{3..1}"]}, r"the range in 'v\{3..1\}' runs backwards"),
        ({"columns": ["v{1..2}x{1..2}"]}, r"'v\{1..2\}x\{1..2\}' has more than one range"),
        ({"columns": ["a", "v{1..65536}"]}, r"more than 65,536 names, up to 'v\{1..65536\}'"),
        ({"columns": ["v{0..999999999999999999}"]}, "more than 65,536 names"),
        ({"columns": ["v{1..3}"], "ignore": ["v{3..4}"]}, "ignore names 'v4', which is not one of the columns"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        csv_rows.Config.model_validate({"columns": AB, **options})


@pytest.mark.parametrize("name", ["pixel{1..}", "{a..b}", "{1...3}", "x{-1..3}", "pixel{1..784"])
def test_what_looks_like_a_range_and_is_none_is_refused(name: str) -> None:
    with pytest.raises(
        ValidationError, match=r"is no range; a range has whole numbers and is written like pixel\{1..784\}"
    ):
        csv_rows.Config(columns=[name])


def test_ranges_stand_for_many_columns() -> None:
    columns = ["label", "pixel{08..10}.x", "v{x}"]

    batch = parse("label,pixel08.x,pixel09.x,pixel10.x,v{x}", "5,1,2,3,4", columns=columns, ignore=["pixel{08..09}.x"])

    assert batch.reasons == {0: HEADER}
    found = {field.name: column.to_pylist() for field, column in batch.columns.items()}
    assert found == {"label": [None, 5.0], "pixel10.x": [None, 3.0], "v{x}": [None, 4.0]}


rows = st.text(alphabet='"",,;ab1 \r\n\0é\ufeff', max_size=14)


@settings(max_examples=400, deadline=None)
@given(st.lists(rows, max_size=8), st.sampled_from([",", ";"]), st.sampled_from(['"', None]), st.integers(1, 3))
def test_every_row_has_the_cells_that_splitting_it_alone_gives(
    lines: list[str], delimiter: str, quote: str | None, width: int
) -> None:
    names = ["x", "y", "z"][:width]
    fields = [Field(name, TEXT) for name in names]

    batch = parse(*lines, columns=names, delimiter=delimiter, quote=quote, fields=fields)

    for row, line in enumerate(lines):
        try:
            cells = Dialect(delimiter, quote).split(line.removeprefix("\ufeff")) if line else []
        except UnreadableRowError:
            cells = []
        assert batch.ok[row] == (len(cells) == width and bool(cells))
        if batch.ok[row]:
            assert [texts(batch, name)[row] for name in names] == [cell or None for cell in cells]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet='",; ab\né', max_size=5), min_size=1, max_size=5))
def test_what_a_csv_writer_wrote_is_split_as_it_was(cells: list[str]) -> None:
    class Line:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    line = Line()
    csv.writer(line, lineterminator="").writerow(cells)

    assert Dialect(",", '"').split(line.text) == cells


@pytest.mark.parametrize(
    ("sample", "options"),
    [
        (["time,cpu", "2026-01-01,1", "2026-01-02,2"], {"delimiter": ",", "columns": ["time", "cpu"]}),
        (["2026-01-01;1;x", "2026-01-02;2;y"], {"delimiter": ";", "columns": ["column_1", "column_2", "column_3"]}),
        (['\ufeff"t"\t"v 1"', '"a"\t1', '"b"\t'], {"delimiter": "\t", "columns": ["t", "v 1"]}),
        ([",v", "0,1.5", "1,NaN"], {"delimiter": ",", "columns": ["", "v"]}),
        (["host|user|shell", "a|root|sh", "b|bin|no"], {"delimiter": "|", "columns": ["host", "user", "shell"]}),
        (["a;b", "1,5;2", "2,5;3"], {"delimiter": ";", "columns": ["a", "b"]}),
    ],
)
def test_a_sample_tells_delimiter_header_and_columns(sample: list[str], options: dict[str, Any]) -> None:
    suggestion = csv_rows.suggest(framed(*sample))

    assert suggestion is not None
    assert suggestion.options == options
    assert (suggestion.share, suggestion.rank) == (1.0, 30)


@pytest.mark.parametrize(
    "sample",
    [
        ["Hello, world", "Well, yes", "So, what"],
        ["First, we came", "then, we saw", "at last, we won"],
        ["2026-01-01 10:00:00,123 INFO started", "2026-01-01 10:00:01,456 WARN slow"],
        ["Jun 14 15:16:01 combo sshd[1]: failure; logname= uid=0", "Jun 14 15:16:02 combo sshd[2]: pass; user unknown"],
        ['{"a": 1, "b": 2}', '{"a": 3, "b": 4}'],
        ["a=1, b=2", "a=3, b=4"],
        ["1", "2"],
        ["", ""],
        ["a,b"],
    ],
)
def test_prose_and_other_formats_are_not_taken_for_csv(sample: list[str]) -> None:
    assert csv_rows.suggest(framed(*sample)) is None


@pytest.mark.data
@pytest.mark.parametrize("name", ["Apache", "HDFS", "Linux", "OpenSSH"])
def test_system_logs_are_not_taken_for_csv(data_dir: Path, name: str) -> None:
    lines = (data_dir / "logs" / f"{name}_2k.log").read_text(errors="replace").splitlines()

    assert all(csv_rows.suggest(framed(*lines[i : i + 20])) is None for i in range(0, 2000, 20))
    assert csv_rows.suggest(framed(*lines)) is None


@pytest.mark.data
def test_every_row_of_the_payload_set_is_read_as_the_standard_library_reads_it(data_dir: Path) -> None:
    text = (data_dir / "web" / "payload_train.csv").read_bytes().decode()
    records = text.split("\r\n")[:-1]
    suggestion = csv_rows.suggest(framed(*records))
    assert suggestion is not None

    batch = parse(*records, fields=[Field("payload", TEXT), Field("length", NUMBER)], **suggestion.options)

    assert batch.reasons == {0: HEADER}
    expected = list(csv.reader(records))
    assert texts(batch, "payload")[1:] == [cells[0] or None for cells in expected[1:]]
    assert batch.column("length", NUMBER).to_pylist()[1:] == [float(cells[1]) for cells in expected[1:]]


@pytest.mark.data
def test_the_time_series_sets_are_recognised_with_and_without_their_header(data_dir: Path) -> None:
    files = sorted((data_dir / "nab" / "data").glob("*/*.csv"))

    for file in files:
        records = file.read_text().splitlines()
        headed, bare = csv_rows.suggest(framed(*records)), csv_rows.suggest(framed(*records[1:]))

        assert headed is not None
        assert headed.options == {"delimiter": ",", "columns": ["timestamp", "value"]}
        assert bare is not None
        assert bare.options["columns"] == ["column_1", "column_2"]
        batch = parse(*records, **headed.options)
        assert batch.reasons == {0: HEADER}
        assert [field.type for field in batch.columns] == [TEXT, NUMBER]
    assert files
