"""What people write as labels: words, files, windows of time; what is not understood is an error with its cure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.arrays import F64, Bools
from monitor.core.errors import DataError, NoInputError, PermissionDeniedError, UsageError
from monitor.core.records import Field, FieldType, Origin, RecordBatch
from monitor.core.timestamps import parse_times
from monitor.reporting.label_files import read_labels
from monitor.reporting.labels import MOST_VALUES, AllBenign, FieldLabels, OrderedLabels, Vocabulary
from monitor.reporting.windows import WindowLabels, Windows
from tests.framed import framed
from tests.records import records

PLAIN = Vocabulary((), (), "labels")


def seconds(texts: Sequence[str]) -> F64:
    return parse_times(pa.array(texts, pa.string()), format=None, timezone="UTC", reference=1.4e9)


def read(values: Sequence[str | None], vocabulary: Vocabulary) -> list[int]:
    codes: list[int] = vocabulary.read(pa.array(values, pa.string())).tolist()
    return codes


def batch(*, path: str = "a.csv", **columns: list[str | None]) -> RecordBatch:
    """Records with a label, or with a time when it is called ``times``."""
    times = columns.pop("times", None)
    rows = len(times or next(iter(columns.values())))
    typed = {Field(name, FieldType.TEXT): values for name, values in columns.items()}
    made = records(typed or {Field("x", FieldType.TEXT): [""] * rows})
    raw = replace(framed(*["x"] * rows), origin=Origin("id", 0, path))
    return replace(made, raw=raw, times=None if times is None else seconds([time or "" for time in times]))


def all_rows(count: int) -> Bools:
    return np.ones(count, dtype=np.bool_)


# -- words ---------------------------------------------------------------------------------------------------------


def test_the_usual_words_are_understood_in_any_case_and_nothing_is_no_label() -> None:
    values = ["0", "1", "1.0", "False", "TRUE", " normal.", "Attack", "", "  ", None, "yes", "benign"]

    assert read(values, Vocabulary((), (), "labels")) == [0, 1, 1, 0, 1, 0, 1, -1, -1, -1, 1, 0]


@pytest.mark.parametrize("value", ["-1", "2", "neptune", "0x1"])
def test_a_value_that_is_not_understood_is_an_error_that_lists_values_and_cure(value: str) -> None:
    with pytest.raises(
        DataError,
        match=rf"^field 'c': the label '{value}' is not understood; found are 'normal' \(2\), .*--anomalous VA",
    ):
        read(["normal", "normal", value], Vocabulary((), (), "field 'c'"))


def test_of_many_values_ten_are_listed() -> None:
    with pytest.raises(DataError, match=r"'v0' \(1\), .*'v9' \(1\) and 20 more; say"):
        read([f"v{i}" for i in range(30)], Vocabulary((), (), "labels"))


def test_of_a_field_with_countless_values_only_some_are_counted() -> None:
    with pytest.raises(DataError, match=r"and at least 990 more; say"):
        read([f"v{i}" for i in range(3000)], Vocabulary((), (), "labels"))


def test_with_anomalous_values_every_other_one_is_benign() -> None:
    assert read(["dos", "Probe", "normal", "1", ""], Vocabulary(("DOS", "probe"), (), "labels")) == [1, 1, 0, 0, -1]


def test_with_benign_values_every_other_one_is_anomalous() -> None:
    assert read(["dos", "normal.", "0", ""], Vocabulary((), ("normal",), "labels")) == [1, 0, 1, -1]


def test_with_both_lists_a_value_in_neither_is_an_error() -> None:
    with pytest.raises(DataError, match="the label '1' is not understood"):
        read(["a", "b", "1"], Vocabulary(("a",), ("b",), "labels"))


def test_a_named_value_that_never_occurs_is_an_error_with_the_nearest_one() -> None:
    vocabulary = Vocabulary(("atack",), (), "labels")
    read(["attack", "normal"], vocabulary)

    with pytest.raises(
        DataError, match=r"no record has the value 'atack' of --anomalous; did you mean 'attack'\?; fou"
    ):
        vocabulary.finish()


def test_a_named_value_behind_more_values_than_are_counted_is_found() -> None:
    vocabulary = Vocabulary(("attack",), (), "labels")

    read([f"v{i}" for i in range(MOST_VALUES + 200)], vocabulary)
    assert read(["Attack"], vocabulary) == [1]

    vocabulary.finish()


def test_a_control_character_in_a_label_cannot_reach_the_terminal() -> None:
    with pytest.raises(DataError, match=r"the label '\\x1b\[31m' is") as caught:
        read(["\x1b[31m"], Vocabulary((), (), "labels"))

    assert "\x1b" not in str(caught.value)


# -- fields and order ----------------------------------------------------------------------------------------------


def test_labels_of_a_field_leave_out_what_is_no_record() -> None:
    labels = FieldLabels("label", Vocabulary((), (), "labels"))

    codes = labels.of(batch(label=[None, "1", "0", None]), np.array([False, True, True, True]))

    assert codes.tolist() == [-1, 1, 0, -1]
    assert labels.occurs
    assert labels.finish() == []


def test_a_field_that_no_record_has_does_not_occur() -> None:
    labels = FieldLabels("label", PLAIN)
    labels.of(batch(label=[None, None]), all_rows(2))

    assert not labels.occurs


def test_labels_in_order_pass_over_headers_and_go_on_in_the_next_batch(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("label\n0\n1\n\nanomaly\n")
    labels = read_labels(tmp_path / "labels.txt", Vocabulary((), (), "labels"), None)

    first = labels.of(batch(x=["", "", ""]), np.array([False, True, True]))
    second = labels.of(batch(x=["", ""]), all_rows(2))

    assert (first.tolist(), second.tolist()) == ([-1, 0, 1], [-1, 1])
    assert labels.finish() == []


def test_more_labels_than_records_are_an_error_with_both_numbers() -> None:
    given = OrderedLabels(np.zeros(3, dtype=np.int8), "labels.txt")
    given.of(batch(x=["", ""]), all_rows(2))

    with pytest.raises(DataError, match=r"labels\.txt: has 3 labels, but the input has 2 records; one label a record"):
        given.finish()


@pytest.mark.parametrize(("labels", "rows"), [(2, 3), (0, 1)])
def test_fewer_labels_than_records_are_an_error_as_soon_as_that_is_known(labels: int, rows: int) -> None:
    given = OrderedLabels(np.zeros(labels, dtype=np.int8), "labels.txt")

    with pytest.raises(DataError, match=rf"has {labels} labels, but the input has {rows} records or more; one label"):
        given.of(batch(x=[""] * (rows + 1)), np.arange(rows + 1) > 0)


def test_without_labels_every_record_is_benign_and_that_is_said() -> None:
    labels = AllBenign()

    assert labels.of(batch(x=["", ""]), np.array([True, False])).tolist() == [0, -1]
    assert "every record counts as benign" in labels.finish()[0]


def test_a_json_list_of_labels_is_read(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text("[0, 1, true, null, 0.0]")
    labels = read_labels(tmp_path / "l.json", Vocabulary((), (), "labels"), None)

    assert labels.of(batch(x=[""] * 5), all_rows(5)).tolist() == [0, 1, 1, -1, 0]


# -- windows -------------------------------------------------------------------------------------------------------

TIMES: list[str | None] = ["2020-01-01 00:00", "2020-01-01 01:00", "2020-01-01 02:00", "2020-01-01 03:00", "late"]
WINDOWED = [0, 1, 1, 0, -1]


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01 01:00,2020-01-01 02:00\n",
        "start,end\n2020-01-01 01:00,2020-01-01 01:00\n2020-01-01 01:30,2020-01-01 02:00\n",
        '[["2020-01-01 01:00", "2020-01-01 02:00"]]',
        '{"a.csv": [["2020-01-01 01:00", "2020-01-01 02:00"]], "b.csv": []}',
        '{"real/a.csv": [{"start": "2020-01-01 01:00", "end": "2020-01-01 02:00"}]}',
        "[[1577840400, 1577844000.0]]",
    ],
)
def test_windows_are_read_in_each_form_and_both_ends_belong_to_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "windows").write_text(text)
    labels = read_labels(tmp_path / "windows", PLAIN, seconds)

    assert labels.of(batch(times=TIMES), all_rows(5)).tolist() == WINDOWED
    assert labels.finish() == []


def test_overlapping_windows_in_any_order_hold_what_any_of_them_holds() -> None:
    windows = Windows(np.array([5.0, 0.0, 2.0]), np.array([6.0, 4.0, 3.0]))

    held = windows.hold(np.array([-1.0, 0.0, 3.5, 4.5, 5.5, 6.5, np.nan]))

    assert held.tolist() == [False, True, True, False, True, False, False]


def test_windows_without_a_record_are_told_of() -> None:
    labels = WindowLabels(
        {"": Windows(seconds(["2020-01-01", "2021-01-01"]), seconds(["2020-01-02", "2021-01-02"]))}, "w"
    )
    labels.of(batch(times=TIMES), all_rows(5))

    assert labels.finish() == ["1 of 2 labelled windows hold no record of the input"]


def test_windows_that_hold_no_record_at_all_are_an_error_with_both_times() -> None:
    labels = WindowLabels({"": Windows(seconds(["2021-01-01"]), seconds(["2021-01-02"]))}, "w.csv")
    labels.of(batch(times=TIMES), all_rows(5))

    with pytest.raises(
        DataError, match=r"from 2021-01-01 00:00:00 to 2021-01-02 00:00:00, the input from 2020-01-01 00:"
    ):
        labels.finish()


def test_windows_for_an_input_without_times_are_an_error() -> None:
    labels = WindowLabels({"": Windows(seconds(["2021-01-01"]), seconds(["2021-01-02"]))}, "w.csv")
    labels.of(batch(times=["late"]), all_rows(1))

    with pytest.raises(DataError, match="no record of the input has an event time"):
        labels.finish()


def test_a_file_is_found_by_the_longest_name_that_its_path_ends_in() -> None:
    inside, outside = (Windows(seconds([day]), seconds([day])) for day in ("2020-01-01", "2020-02-01"))
    labels = WindowLabels({"a.csv": outside, "known/a.csv": inside}, "w.json")

    assert labels.of(batch(times=["2020-01-01"], path="/data/known/a.csv"), all_rows(1)).tolist() == [1]


@pytest.mark.parametrize("path", ["/data/c.csv", "/data/a.csv"])
def test_a_file_without_windows_of_its_own_is_an_error(path: str) -> None:
    none = Windows(np.empty(0), np.empty(0))
    labels = WindowLabels({"x/a.csv": none, "y/a.csv": none}, "w.json")

    with pytest.raises(
        DataError, match=rf"w\.json: has no windows for the input '{path}'; it has them for 'x/a\.csv', "
    ):
        labels.of(batch(times=["2020-01-01"], path=path), all_rows(1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", "the first line '1,2,3' has 3 cells; expected one label a line"),
        ("2020-01-01,2020-01-02\n2020-01-03\n", "line 2 has 1 cells instead of start and end"),
        ("2020-01-01,never\n", "the window '2020-01-01, never' has a time that cannot be read"),
        ("2020-01-02,2020-01-01\n", "the window '2020-01-02, 2020-01-01' ends before it starts"),
        ("[[1, 2], [3]]", "is no list of windows"),
        ('{"a.csv": 3}', "'3' is no list of windows"),
        ("[1, ", "is not JSON"),
        ("maybe\n", "the label 'maybe' is not understood"),
    ],
)
def test_a_file_of_labels_that_cannot_be_read_says_why(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text(text)

    with pytest.raises(DataError, match=message.replace("[", r"\[")):
        read_labels(tmp_path / "labels", Vocabulary((), (), "labels"), seconds)


def test_windows_need_an_event_time(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps([["2020-01-01", "2020-01-02"]]))

    with pytest.raises(DataError, match="holds windows of time, but the stream has no event time; say with `time:`"):
        read_labels(tmp_path / "w.json", PLAIN, None)


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NoInputError, match="there is no such file of labels"):
        read_labels(tmp_path / "absent.csv", PLAIN, None)
    with pytest.raises(NoInputError, match="is a directory; name a file of labels"):
        read_labels(tmp_path, PLAIN, None)
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_labels(tmp_path / "binary", PLAIN, None)

    def refused(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(PermissionDeniedError, match="this user may not read it"):
        read_labels(tmp_path / "binary", PLAIN, None)


def test_a_value_of_both_lists_is_refused() -> None:
    with pytest.raises(UsageError, match="'1' stands in --anomalous and in --benign"):
        Vocabulary(["1"], ["1.0"], "labels")


def test_a_line_too_long_for_a_cell_is_a_label_that_is_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_text("x" * 200_000)

    with pytest.raises(DataError, match="is not understood"):
        read_labels(path, Vocabulary([], [], "big.txt"), None)
