"""Regular expressions and raw text: fields from named groups, in RE2's linear time."""

from __future__ import annotations

import pytest

from monitor.core.records import Field, FieldType, RecordBatch
from monitor.parsers import raw_text, regex
from tests.framed import framed

NUMBER, TEXT = FieldType.NUMBER, FieldType.TEXT


def parse(pattern: str, *lines: str, fields: list[Field] | None = None) -> RecordBatch:
    return regex.build(regex.Config(pattern=pattern), fields).parse(framed(*lines))


def test_every_named_group_is_a_field_of_its_natural_type() -> None:
    batch = parse(
        r"^(?P<level>\w+) took (?P<ms>\d+)(?: for (?P<user>\w*))?$", "info took 12", "warn took 3 for al", "?"
    )

    assert list(batch.columns) == [Field("level", TEXT), Field("ms", NUMBER), Field("user", TEXT)]
    assert batch.column("ms", NUMBER).to_pylist() == [12.0, 3.0, None]
    assert batch.column("user", TEXT).to_pylist() == [None, "al", None]
    assert batch.reasons == {2: "does not match the pattern"}


def test_the_pattern_is_searched_anywhere_unless_anchored() -> None:
    fields = [Field("n", NUMBER)]

    assert parse(r"n=(?P<n>\d+)", "x n=5 y", fields=fields).column("n", NUMBER).to_pylist() == [5.0]
    assert not parse(r"^n=(?P<n>\d+)$", "x n=5 y", fields=fields).ok.any()


def test_a_group_named_in_another_script_and_digits_of_another_script() -> None:
    batch = parse(r"(?P<größe>.+)", "٣", fields=[Field("größe", TEXT), Field("größe", NUMBER)])

    assert repr([column.to_pylist() for column in batch.columns.values()]) == "[['٣'], [nan]]"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(?P<a>x)\1", r"RE2 cannot run this pattern: invalid escape sequence: \\1 \(it has no backreferences"),
        (r"(?P<a>x)(?P=a)", "RE2 cannot run this pattern: .* no backreferences"),
        (r"(?=x)(?P<a>y)", r"invalid perl operator: \(\?= \(it has no backreferences and no look-ahead or look-behind"),
        (r"(?<!x)(?P<a>y)", "no look-ahead or look-behind"),
        (r"(?P<a>x", "missing \\)"),
        (r"(?P<a>x{5000})", "invalid repetition size"),
        (r"(x)(?P<a>y)", r"every group needs a name, \(\?P<name>...\); write \(\?:...\)"),
        (r"no group", "the pattern has no named group"),
        ("", "the pattern has no named group"),
        (r"(?P<a>x)(?P<a>y)", "names the group 'a' more than once"),
    ],
)
def test_a_pattern_that_cannot_run_is_refused_with_the_reason(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regex.Config(pattern=pattern)


@pytest.mark.parametrize("pattern", [r"^(?P<a>(?:x+)+)$", r"(?P<a>(?:a|aa)+)!$", r"(?P<a>.*.*.*.*=.*)"])
def test_patterns_that_hang_a_backtracking_engine_do_not_hang(pattern: str) -> None:
    batch = parse(pattern, *["x" * 20_000 + "a" * 20_000] * 10, fields=[Field("a", TEXT)])

    assert not batch.ok.any()


def test_a_pattern_is_never_guessed() -> None:
    assert regex.suggest(framed("a 1", "b 2")) is None


def test_raw_text_is_the_line_whatever_it_holds() -> None:
    lines = ["12", "", " \t", "a\0b", "\ufffd", "x" * 100_000, "two\nlines", "\r"]

    batch = raw_text.build(raw_text.Config(), None).parse(framed(*lines))

    assert batch.ok.all()
    assert list(batch.columns) == [Field("message", TEXT)]
    assert batch.column("message", TEXT).to_pylist() == lines


def test_raw_text_of_numbers_stays_text_unless_numbers_are_wanted() -> None:
    wanted = [Field("message", NUMBER), Field("other", TEXT)]

    natural = raw_text.build(raw_text.Config(), None).parse(framed("1", "2"))
    asked = raw_text.build(raw_text.Config(), wanted).parse(framed("1", "2"))

    assert natural.column("message", TEXT).to_pylist() == ["1", "2"]
    assert [column.to_pylist() for column in asked.columns.values()] == [[1.0, 2.0], [None, None]]


def test_raw_text_suggests_itself_with_the_lowest_rank() -> None:
    suggestion = raw_text.suggest(framed("anything"))

    assert suggestion is not None
    assert (suggestion.options, suggestion.share, suggestion.rank) == ({}, 1.0, 0)
