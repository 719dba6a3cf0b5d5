"""The law of parsers, run on every module of ``monitor/parsers``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.columns import arrow_type
from monitor.core.protocols import Parser
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.suggestion import LEAST_SHARE
from monitor.plugins import kinds, module, summary
from tests.framed import framed

PARSERS = kinds("parsers")

GOOD = [
    '{"time": "2026-01-02T03:04:05Z", "level": "info", "cpu": 0.5, "up": true, "load": [1, 2], "user": {"id": 7}}',
    '{"status": 200, "message": "ok", "cpu": 1, "user": {"id": "x"}}',
    "2026-01-02T03:04:05Z,0.5,12,ok",
    '2026-01-02T03:04:05Z,"0.5",,"a, ""b"""',
    'time=2026-01-02T03:04:05Z level=info msg="all \\"good\\"" cpu=0.5 up',
    "2026-01-02T03:04:05Z INFO app.server: started in 12 ms",
    '192.0.2.1 - alice [02/Jan/2026:03:04:05 +0000] "GET /a?b=1 HTTP/1.1" 200 512',
    '192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11)"',
    "Jan  2 03:04:05 host sshd[42]: Accepted publickey for alice from 192.0.2.1 port 22",
    "<34>1 2026-01-02T03:04:05.003Z host.example su 42 ID47 - 'su root' failed",
]
HOSTILE = [
    "", " ", "\t \t", "\0", "a\0b=\0", "\ufffd", "\ufeff", "\ufeff{}", "a\rb", "\r", "x,y\rz,1", "two\nlines",
    '{"a":\n1}',
    "x" * 100_000, '"' * 100_001, "," * 100_000, '{"a":' * 20_000, "[" * 100_000, "a=" * 50_000, 'k="' * 33_333,
    '"', '"a', 'a"b', '"a"b,c,d,e', 'a="b', 'a="b"c', '="x"', "{", "}", '{"a":1}{"a":2}', '{"a":1', "null", "[1]", "3",
    '{"cpu": NaN, "user.id": 1e999, "level": "\\ud800"}', '{"cpu": 9007199254740993, "status": ' + "9" * 5000 + "}",
    '{"cpu": "x", "cpu": {"a": []}, "level": {"b": null}, "up": 3, "load": [true, "x", null, {}]}',
    "٣,٤,٥,٦", "cpu=٣ up=１", "1e400,nan,inf,-0", "cpu=1e400 status=", "<999>x", "<>", "[[[", "\x1b[31mred",
    "\u2028\u0085",
    '1.2.3.4 - - [99/Foo/2026:25:61:61 +9999] "" 99999999999999999999 -', '- - - [] "\\" - -', "Feb 30 25:61:61 h x:",
]  # fmt: skip
NAMES = [
    "time", "level", "cpu", "memory", "label", "component", "message", "up", "load", "user.id", "user", "status", "msg",
    "remote_addr", "path", "agent", "bytes", "host", "program", "pid", "no such field", "",
]  # fmt: skip
ASKED = [Field(name, kind) for name in NAMES for kind in FieldType]

lines = st.lists(
    st.one_of(
        st.sampled_from(GOOD),
        st.sampled_from([line for line in HOSTILE if len(line) < 1000]),
        st.text(alphabet='ab1=,;"\\{}[]: \t\r\0٣', max_size=20),
        st.tuples(st.sampled_from(GOOD), st.integers(0, 120)).map(lambda cut: cut[0][: cut[1]]),
    ),
    max_size=6,
)


def build(plugin: ModuleType, fields: Sequence[Field] | None) -> Parser:
    options = yaml.safe_load(plugin.EXAMPLE) or {}
    parser: Parser = plugin.build(plugin.Config.model_validate(options), fields)
    return parser


def row(batch: RecordBatch, index: int) -> list[str]:
    """Everything a batch says of one record, comparable even where it is NaN."""
    values = [repr(column[index].as_py()) for column in batch.columns.values()]
    return [str(batch.ok[index]), batch.reasons.get(index, ""), *values]


def rows(batch: RecordBatch) -> list[list[str]]:
    return [row(batch, index) for index in range(len(batch))]


def assert_lawful(batch: RecordBatch, count: int) -> None:
    assert len(batch) == count
    assert batch.ok.dtype == np.bool_
    assert set(batch.reasons) == set(np.flatnonzero(~batch.ok).tolist())
    assert all(0 < len(reason) <= 200 for reason in batch.reasons.values())
    for field, column in batch.columns.items():
        assert column.type == arrow_type(field.type)
        assert len(column) == count
        column.validate(full=True)
        assert all(value is None for value, ok in zip(column.to_pylist(), batch.ok, strict=True) if not ok)


@pytest.fixture(params=PARSERS)
def plugin(request: pytest.FixtureRequest) -> ModuleType:
    return module("parsers", request.param)


def test_a_parser_describes_itself_and_every_option(plugin: ModuleType) -> None:
    kind = plugin.__name__.rpartition(".")[2]

    assert summary("parsers", kind).endswith((".", ","))
    assert all(option.description for option in plugin.Config.model_fields.values())


def test_unknown_options_are_refused(plugin: ModuleType) -> None:
    options: dict[str, Any] = yaml.safe_load(plugin.EXAMPLE) or {}

    with pytest.raises(ValueError, match="no_such_option"):
        plugin.Config.model_validate({**options, "no_such_option": 1})


def test_the_example_reads_at_least_one_of_the_good_lines(plugin: ModuleType) -> None:
    assert build(plugin, ASKED).parse(framed(*GOOD)).ok.any()


def test_hostile_lines_are_marked_and_never_raise(plugin: ModuleType) -> None:
    for fields in (ASKED, None):
        batch = build(plugin, fields).parse(framed(*GOOD, *HOSTILE))

        assert_lawful(batch, len(GOOD) + len(HOSTILE))


def test_exactly_the_fields_asked_for_come_back_in_that_order(plugin: ModuleType) -> None:
    asked = [Field("no such field", FieldType.NUMBER), Field("message", FieldType.TEXT), Field("a", FieldType.VECTOR)]

    for fields in (asked, asked[:1], []):
        batch = build(plugin, fields).parse(framed(*GOOD))

        assert list(batch.columns) == fields


def test_a_field_that_never_occurs_is_all_null(plugin: ModuleType) -> None:
    asked = [Field("no such field", kind) for kind in FieldType]

    batch = build(plugin, asked).parse(framed(*GOOD))

    assert [column.null_count for column in batch.columns.values()] == [len(GOOD)] * len(asked)


def test_fields_found_without_asking_have_the_same_values_when_asked_for(plugin: ModuleType) -> None:
    found = build(plugin, None).parse(framed(*GOOD))

    asked = build(plugin, list(found.columns)).parse(framed(*GOOD))

    assert found.columns
    assert rows(asked) == rows(found)


def test_a_record_is_read_alike_alone_and_among_hostile_ones(plugin: ModuleType) -> None:
    parser = build(plugin, ASKED)
    mixed = [line for pair in zip(HOSTILE, GOOD * len(HOSTILE), strict=False) for line in pair]

    together = parser.parse(framed(*mixed))

    for index, line in enumerate(mixed):
        assert row(together, index) == row(parser.parse(framed(line)), 0), line[:200]


def test_an_empty_batch_has_the_columns_and_no_rows(plugin: ModuleType) -> None:
    batch = build(plugin, ASKED).parse(framed())

    assert_lawful(batch, 0)
    assert list(batch.columns) == ASKED
    assert_lawful(build(plugin, None).parse(framed()), 0)


def test_parsing_twice_gives_the_same(plugin: ModuleType) -> None:
    parser = build(plugin, ASKED)

    assert rows(parser.parse(framed(*GOOD, *HOSTILE))) == rows(parser.parse(framed(*GOOD, *HOSTILE)))


def test_windows_line_ends_change_nothing(plugin: ModuleType) -> None:
    parser = build(plugin, ASKED)

    assert rows(parser.parse(with_crlf(GOOD))) == rows(parser.parse(framed(*GOOD)))


def with_crlf(records: Iterable[str]) -> RawBatch:
    raw = framed(*records)
    index = np.arange(len(raw))
    data = raw.data.replace(b"\n", b"\r\n")
    return replace(raw, data=data, starts=raw.starts + index, ends=raw.ends + index)


def test_a_suggestion_can_be_built_and_reads_what_it_promises(plugin: ModuleType) -> None:
    for line in [*GOOD, *HOSTILE]:
        raw = framed(*[line] * 20)
        suggestion = plugin.suggest(raw)

        if suggestion is not None:
            assert LEAST_SHARE <= suggestion.share <= 1.0
            parser = plugin.build(plugin.Config.model_validate(suggestion.options), None)
            assert parser.parse(raw).ok.mean() >= suggestion.share


def test_no_parser_makes_a_suggestion_for_an_empty_sample(plugin: ModuleType) -> None:
    assert plugin.suggest(framed()) is None


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=20, deadline=None)
@given(batch=lines)
def test_any_lines_give_lawful_rows_that_do_not_depend_on_each_other(kind: str, batch: list[str]) -> None:
    parser = build(module("parsers", kind), ASKED)

    together = parser.parse(framed(*batch))

    assert_lawful(together, len(batch))
    assert rows(together) == [row(parser.parse(framed(line)), 0) for line in batch]
