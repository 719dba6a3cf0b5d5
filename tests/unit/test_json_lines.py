"""JSON Lines: wanted fields typed, odd records looked at one by one, none lost or shifted."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.columns import MOST_FIELDS
from monitor.core.errors import DataError
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.parsers import json_lines
from tests.framed import framed

NUMBER, TEXT, BOOLEAN, VECTOR = FieldType.NUMBER, FieldType.TEXT, FieldType.BOOLEAN, FieldType.VECTOR


def parse(*lines: str, fields: list[Field] | None = None) -> RecordBatch:
    return json_lines.build(json_lines.Config(), fields).parse(framed(*lines))


def cell(line: str, name: str, kind: FieldType) -> Any:
    """The value of one field of one record, which must be readable."""
    batch = parse(line, fields=[Field(name, kind)])
    assert batch.ok.all(), batch.reasons
    return batch.column(name, kind)[0].as_py()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1.0), ("-2.5e3", -2500.0), ("null", None), ('"12.5"', 12.5), ('""', None), ("9007199254740993", 2.0**53),
        ("18446744073709551616", 2.0**64), ("1e999", math.inf), ("-1e999", -math.inf), ("1e-999", 0.0),
        ("Infinity", math.inf), ("-Infinity", -math.inf), ("9" * 400, math.inf), ("-" + "9" * 5000, -math.inf),
        ("9" * 250, float("9" * 250)),
    ],
)  # fmt: skip
def test_numbers_of_any_spelling_and_size(written: str, value: float | None) -> None:
    assert cell(f'{{"a": {written}}}', "a", NUMBER) == value


@pytest.mark.parametrize(
    "written", ['"abc"', "true", "false", "[]", "[1]", "{}", '{"b": 1}', "NaN", '"NaN"', '"\\ud800"']
)
def test_what_is_no_number_is_nan_in_a_number_field(written: str) -> None:
    assert math.isnan(cell(f'{{"a": {written}}}', "a", NUMBER))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"x"', "x"), ('""', ""), ("200", "200"), ("-1", "-1"), ("1.50", "1.5"), ("true", "true"), ("null", None),
        ('{"b": [1, "é", null]}', '{"b":[1,"é",null]}'), ("[]", "[]"), ('"a\\u00e9\\n"', "aé\n"), ("NaN", "NaN"),
        ('"\\ud800x"', "\ufffdx"), ('"\\ud83d\\ude00"', "\U0001f600"),
        ('{"\\udfff": "\\udfff"}', '{"\ufffd":"\ufffd"}'),
        ("1e999", "1e999"), ("9" * 5000, "9" * 5000), ("1234567890" * 3, "1234567890" * 3),
    ],
)  # fmt: skip
def test_a_text_field_is_the_text_or_the_json_as_written(written: str, value: str | None) -> None:
    assert cell(f'{{"a": {written}}}', "a", TEXT) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("1", True),
        ("0.0", False),
        ('"yes"', True),
        ("2", None),
        ("null", None),
        ("[]", None),
    ],
)
def test_booleans(written: str, value: bool | None) -> None:
    assert cell(f'{{"a": {written}}}', "a", BOOLEAN) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("[1, 2.5]", [1.0, 2.5]), ("[]", []), ("null", None), ("3", None), ('"1 2"', [1.0, 2.0]), ('"no"', None),
        ("{}", None), ("[1e999]", [math.inf]), ('["7"]', [7.0]),
    ],
)  # fmt: skip
def test_vectors(written: str, value: list[float] | None) -> None:
    assert cell(f'{{"a": {written}}}', "a", VECTOR) == value


@pytest.mark.parametrize("element", ["null", "true", '"x"', "[2]", "{}", "NaN"])
def test_an_element_that_is_no_number_is_nan_in_its_place(element: str) -> None:
    vector = cell(f'{{"a": [1, {element}, 3]}}', "a", VECTOR)

    assert (vector[0], vector[2]) == (1.0, 3.0)
    assert math.isnan(vector[1])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('["a", null, "b"]', ["a", None, "b"]), ("[]", []), ("null", None), ('"a"', None), ('{"a": 1}', None),
        ('["a", 5, 2.5, true, [1], "\\ud800"]', ["a", "5", "2.5", "true", "[1]", "\ufffd"]),
    ],
)  # fmt: skip
def test_lists_of_texts(written: str, value: list[str | None] | None) -> None:
    assert cell(f'{{"a": {written}}}', "a", FieldType.TEXTS) == value


def test_fields_that_the_parser_finds_by_itself_stand_in_the_order_of_the_records() -> None:
    batch = parse('{"b": 1, "long_name": 2, "a": {"y": 1, "x": 2}}', '{"c": 1, "b": 2}')

    assert [field.name for field in batch.columns] == ["b", "long_name", "a.y", "a.x", "c"]


@pytest.mark.parametrize(
    "line",
    [
        '{"a": {"b": {"c": 1}}}', '{"a.b": {"c": 1}}', '{"a": {"b.c": 1}}', '{"a.b.c": 1}',
        '{"a": 5, "a.b": {"c": 1}}', '{"a.b.c": null, "a": {"b": {"c": 1}}}', '{"a": {"b": {"c": 2}}, "a.b.c": 1}',
    ],
)  # fmt: skip
def test_a_dotted_name_is_found_however_its_parts_are_nested(line: str) -> None:
    assert cell(line, "a.b.c", NUMBER) == 1.0


def test_an_object_can_be_wanted_whole_and_in_parts() -> None:
    fields = [Field("a", TEXT), Field("a.b", NUMBER)]

    batch = parse('{"a": {"b": 1}}', '{"a": "x"}', '{"a": [1]}', '{"a": {"b": NaN}}', fields=fields)

    assert batch.columns[fields[0]].to_pylist() == ['{"b":1}', "x", "[1]", '{"b":NaN}']
    assert repr(batch.columns[fields[1]].to_pylist()) == "[1.0, None, None, nan]"


@pytest.mark.parametrize("name", ["", " ", ".", "a.", ".a", "é", "日本", "a b", "class", "f0", "__init__", "x" * 300])
def test_any_key_json_can_hold_unescaped_can_be_a_field(name: str) -> None:
    assert cell(json.dumps({name: 1}), name, NUMBER) == 1.0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\ud800"])
def test_a_name_that_cannot_be_decoded_is_refused_when_the_parser_is_built(name: str) -> None:
    with pytest.raises(DataError, match="quotes, backslashes or control characters are not read"):
        parse(fields=[Field(name, NUMBER)])


def test_of_a_key_given_twice_the_last_value_counts_on_every_path() -> None:
    fields = [Field("a", NUMBER), Field("b.c", NUMBER)]
    line = '{"a": 1, "b": {"c": 1}, "a": 2, "b": {"d": 1}}'

    for lines in ((line,), (line, "garbage"), (line[:-1] + ', "z": NaN}',)):
        batch = parse(*lines, fields=fields)

        assert [column[0].as_py() for column in batch.columns.values()] == [2.0, None]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "^empty line$"), (" \t", "^empty line$"), ("[1]", "object"), ("3", "object"), ("null", "object"),
        ('{"a": 1', "delimiter|truncated"), ('{"a": 1} {"a": 2}', "Extra data"), ("x", "Expecting value"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "^nested too deeply$"), ("[" * 100_000, "^nested too deeply$"),
        ('{"a": "\t"}', "control character"),
    ],
)  # fmt: skip
def test_a_record_that_is_no_object_is_marked_with_the_reason(line: str, reason: str) -> None:
    batch = parse(line, '{"a": 1}', fields=[Field("a", NUMBER)])

    assert batch.ok.tolist() == [False, True]
    assert batch.columns[Field("a", NUMBER)].to_pylist() == [None, 1.0]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(batch.reasons[0])


@pytest.mark.parametrize(
    "lines",
    [
        ('{"a":1}{"a":2}', ""), ("", '{"a":1}{"a":2}'), ('{"a":', '1}{"a":2}'), ('{"a":1}{"a":2}', "x"),
        ('{"a":1}{"a":2}', '{"a":[{}', "{}]}"), ('{"b":"', '"}{"a":2}'), ('{"a":1} {}', "{", "}"),
    ],
)  # fmt: skip
def test_as_many_values_as_lines_does_not_make_them_one_each(lines: tuple[str, ...]) -> None:
    assert not parse(*lines, fields=[Field("a", NUMBER)]).ok.any()


def test_a_byte_order_mark_before_the_object_is_no_fault() -> None:
    assert cell('\ufeff{"a": 1}', "a", NUMBER) == 1.0


def test_an_object_over_several_lines_is_one_record() -> None:
    assert cell('{"a":\n  1\n}', "a", NUMBER) == 1.0


def test_all_fields_are_found_flattened_with_their_natural_types() -> None:
    batch = parse(
        '{"n": 1, "t": "1", "b": true, "v": [1, 2], "o": {"x": {"y": 2.5}}, "e": {}, "mixed": 1, "list": ["a"]}',
        '{"n": null, "o": {"x": {"y": 3}, "z": null}, "mixed": {"k": 1}, "v": [], "a\\"b": 1}',
        "garbage",
    )

    types = {field.name: field.type for field in batch.columns}
    assert types == {
        "n": NUMBER, "t": TEXT, "b": BOOLEAN, "v": VECTOR, "o.x.y": NUMBER, "o.z": TEXT, "mixed": TEXT,
        "mixed.k": NUMBER, "list": FieldType.TEXTS,
    }  # fmt: skip
    assert batch.column("o.x.y", NUMBER).to_pylist() == [2.5, 3.0, None]


def test_a_flood_of_keys_is_bounded_when_fields_are_searched_for() -> None:
    line = json.dumps({f"k{i}": i for i in range(10_000)})

    assert len(parse(line).columns) == MOST_FIELDS


def test_objects_nested_deeper_than_the_limit_are_one_text_field() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = {"a": deep}

    (field,) = parse(json.dumps(deep)).columns

    assert field.name.count("a") == json_lines.MOST_LEVELS
    assert field.type == TEXT


def test_json_lines_suggests_itself_for_objects_only() -> None:
    suggestion = json_lines.suggest(framed('{"a": 1}', "{}", "no", '{"a": NaN}'))

    assert suggestion is not None
    assert (suggestion.options, suggestion.share) == ({}, 0.75)
    assert json_lines.suggest(framed("[1]", "2", "x, y")) is None


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc."), inner, max_size=3)),
    max_leaves=5,
)
good_lines = st.dictionaries(st.sampled_from(["a", "b", "a.b", "c", "a.b.c", "z"]), json_values, max_size=5).map(
    json.dumps
)
garbage = st.one_of(
    st.sampled_from(
        ["", " ", "{", "}", '{"a":1}{"b":2}', '{"a":', '"b"}', "[]", "null", '{"a":1,}', '{"a" "b"}', "NaN"]
    ),
    st.text(alphabet='{}[]",:ab1.\\u \n', max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(good_lines, garbage), max_size=8))
def test_every_line_has_the_values_it_has_alone(lines: list[str]) -> None:
    fields = [Field(name, kind) for name in ("a", "b", "a.b", "a.b.c", "c") for kind in FieldType]
    together = parse(*lines, fields=fields)

    for row, line in enumerate(lines):
        alone = parse(line, fields=fields)
        assert together.ok[row] == alone.ok[0]
        for field in fields:
            assert repr(together.columns[field][row]) == repr(alone.columns[field][0])


@settings(max_examples=80, deadline=None)
@given(good_lines)
def test_the_values_are_those_of_the_standard_library(line: str) -> None:
    record = json.loads(line)
    value = record.get("a")

    if isinstance(value, int | float) and not isinstance(value, bool):
        assert repr(cell(line, "a", NUMBER)) == repr(float(value))
    if isinstance(value, str):
        assert cell(line, "a", TEXT) == value
    if isinstance(value, bool) or value is None:
        assert cell(line, "a", BOOLEAN) is value
