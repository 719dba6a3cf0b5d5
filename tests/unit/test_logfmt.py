"""logfmt: pairs, quotes and escapes; whatever is neither pair nor key marks the line."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.columns import MOST_FIELDS
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.parsers import logfmt
from tests.framed import framed

TEXT, NUMBER = FieldType.TEXT, FieldType.NUMBER


def parse(*lines: str, fields: list[Field] | None = None) -> RecordBatch:
    return logfmt.build(logfmt.Config(), fields).parse(framed(*lines))


def text(line: str, key: str) -> str | None:
    batch = parse(line, fields=[Field(key, TEXT)])
    assert batch.ok.all(), batch.reasons
    value: str | None = batch.column(key, TEXT)[0].as_py()
    return value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("k=v", "v"), ("  k=v\t", "v"), ('k="a b"', "a b"), ('k="a \\"b\\" \\\\"', 'a "b" \\'),
        ("k=", ""), ('k=""', ""),
        ("k x=1", "true"), ("x=1", None), ("k=1 k=2", "2"), ("k=a=b", "a=b"), ("k=http://h/?q=1&r=2", "http://h/?q=1&r=2"),
        ('k=5"', '5"'), ('k="\\n\\t\\r\\x"', "\n\t\rx"), ('k="\\u00e9"', "é"), ('k="\\ud83d\\ude00"', "\U0001f600"),
        ('k="\\ud800"', "\ufffd"), ('k="=" x=1', "="), ("k=a\u00a0b", "a\u00a0b"), ('x="k=1" y=2', None),
        ("k=\0", "\0"),
        ('k="two\nlines"', "two\nlines"), ("k=\\", "\\"), ("k=1\rx=2", "1"), ("k=1 k", "true"), ("k x=1 k=", ""),
    ],
)  # fmt: skip
def test_values(line: str, value: str | None) -> None:
    assert text(line, "k") == value


@pytest.mark.parametrize("key", ["a.b", "a-b", "@t", "é", "a\0", "a\\", "[x]", "a,b"])
def test_a_key_is_any_run_without_blanks_quotes_and_equals_signs(key: str) -> None:
    assert text(f"x=1 {key}=v", key) == "v"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "^empty line$"), (" \t ", "^empty line$"), ("only words here", "^no key=value pair$"),
        ("=v", "not key=value: '=v'"),
        ('k="open', "not key=value: 'k=\"open'"), ('k="a"b', "not key=value"), ('"k"=v', "not key=value"),
        ('a"b x=1', "not key=value"),
        ('k="a\\', "not key=value"), ('k="a\\" x=1', "not key=value"), ("x=1 " + '"' * 90, "^not key=value: '\"{40}'$"),
        ("x=1 =\x1b[31m", r"not key=value: '=\\x1b\[31m'"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_marked_with_the_reason(line: str, reason: str) -> None:
    batch = parse("x=1", line, fields=[Field("x", NUMBER)])

    assert batch.ok.tolist() == [True, False]
    assert batch.column("x", NUMBER).to_pylist() == [1.0, None]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(batch.reasons[1])


def test_all_keys_are_found_in_order_with_their_natural_types() -> None:
    batch = parse('at=info ms=12.5 ok=true v="[1, 2]"', "ms=1e3 up", "k=")

    assert list(batch.columns) == [
        Field("at", TEXT), Field("ms", NUMBER), Field("ok", FieldType.BOOLEAN), Field("v", FieldType.VECTOR),
        Field("up", FieldType.BOOLEAN), Field("k", TEXT),
    ]  # fmt: skip
    assert batch.column("ms", NUMBER).to_pylist() == [12.5, 1000.0, None]


def test_a_flood_of_keys_is_bounded_when_fields_are_searched_for() -> None:
    assert len(parse(" ".join(f"k{i}={i}" for i in range(10_000))).columns) == MOST_FIELDS


@pytest.mark.parametrize(
    "line",
    [
        "k" * 300_000, "k=" * 150_000, 'k="' * 100_000, '"' * 300_000, 'k="' + "a" * 300_000, 'k="' + '\\"' * 150_000,
        "k" * 150_000 + '="' + "v" * 150_000 + '"x', 'a="b c"d ' * 30_000, "=" * 300_000, " " * 300_000,
        'k="\\' * 80_000,
    ],
)  # fmt: skip
def test_hostile_lines_take_time_in_proportion_to_their_length(line: str) -> None:
    # Quadratic work on 300 kB would run into the timeout of the test run.
    batch = parse(*[line] * 20)

    assert len(batch) == 20


keys = st.text(alphabet=string.ascii_letters + string.digits + "._-é", min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, st.text(alphabet='ab "=\\\n\té\U0001f600', max_size=8), min_size=1, max_size=5))
def test_what_was_written_with_quotes_and_escapes_is_read_back(record: dict[str, str]) -> None:
    escaped = {
        key: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for key, value in record.items()
    }
    line = " ".join(f'{key}="{value}"' for key, value in escaped.items())

    assert {key: text(line, key) for key in record} == record


@pytest.mark.parametrize(
    ("lines", "share"),
    [
        (["level=info msg=ok", 'level=warn msg="not ok"'], 1.0),
        (["level=info msg=ok", "garbage line", "at=x status=200 up"], 2 / 3),
        (
            ["authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=1.2.3.4 and more words here"],
            None,
        ),
        (["just some prose with x=1 in it"], None),
        (["a=1,b=2,c=3"], None),
        (["GET /x?a=1 HTTP/1.1"], None),
        (['{"a": 1}', "[section]"], None),
    ],
)
def test_logfmt_suggests_itself_where_lines_are_mostly_pairs(lines: list[str], share: float | None) -> None:
    suggestion = logfmt.suggest(framed(*lines))

    assert (suggestion.share if suggestion else None) == share


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(alphabet='kl="" \\\t\n\rvé', max_size=16),
            st.lists(
                st.sampled_from(
                    [
                        "k=v",
                        "k",
                        'k="a b"',
                        "l=",
                        'l=""',
                        'k="=" ',
                        "kk=1",
                        'k=5"',
                        'k="a"b',
                        "k=C:\\x",
                        "=k",
                        "longer_key=1",
                    ]
                ),
                max_size=5,
            ).map(" ".join),
        ),
        max_size=6,
    )
)
def test_wanted_keys_have_the_values_that_are_found_line_by_line(lines: list[str]) -> None:
    names = ["k", "l", "kk", "v", "é", "longer_key", "", "a b", '"']

    wanted = parse(*lines, fields=[Field(name, TEXT) for name in names])

    pairs, reasons = logfmt.read_lines(lines)
    assert wanted.reasons == reasons
    for name in names:
        assert wanted.column(name, TEXT).to_pylist() == [logfmt.value_of(found.get(name)) for found in pairs]
