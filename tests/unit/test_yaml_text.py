"""YAML read strictly: 1.2 scalars, located problems, bounded size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import Problem
from monitor.core.yaml_nodes import MAX_DEPTH
from monitor.core.yaml_text import Value, YamlText, dotted, read_yaml


def read(text: str, environ: Mapping[str, str] | None = None) -> YamlText:
    return read_yaml(text, environ or {})


def only_problem(text: str, environ: Mapping[str, str] | None = None) -> Problem:
    (problem,) = read(text, environ).problems
    return problem


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("none", "none"),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("00.5", 0.5),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0o18", "0o18"),
        ("2024-01-02", "2024-01-02"),
        ("1.2.3", "1.2.3"),
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("=", "="),
    ],
)
def test_scalars_are_what_yaml_1_2_says(written: str, value: Value) -> None:
    result = read(f"a: {written}\n")

    assert result.problems == ()
    assert result.value == {"a": value}
    assert type(result.value["a"]) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(read("a: .nan").value["a"])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("010", "010 is ambiguous: write 10, or 0o10 for octal, or quote it if it is text"),
        ("089", "089 is ambiguous: write 89, or quote it if it is text"),
        ("-007", "-007 is ambiguous: write 7,"),
        ("1e999", "1e999 is too large for a number"),
        ("9" * 101, "a number of 101 characters is too long; quote it"),
        ("!!python/object:os.system x", "the tag 'tag:yaml.org,2002:python/object:os.system' is not supported"),
        ("!!int 5", "the tag 'tag:yaml.org,2002:int' is not supported"),
        ("!!set {a: }", "the tag 'tag:yaml.org,2002:set' is not supported"),
        ('"\\0"', "the text has a NUL or a character that is not valid Unicode"),
    ],
)
def test_a_value_without_a_single_meaning_is_a_problem(written: str, message: str) -> None:
    problem = only_problem(f"top:\n  a: {written}\n")

    assert problem.message.startswith(message)
    assert (problem.key_path, problem.line, problem.column) == ("top.a", 2, 6)


def test_places_of_keys_and_values_count_from_one() -> None:
    result = read("a:\n  b: [x, y]\n  'ü c': {d: 1}\n")

    assert result.keys[("a",)] == (1, 1)
    assert result.keys[("a", "b")] == (2, 3)
    assert result.values[("a", "b", 1)] == (2, 10)
    assert result.keys[("a", "ü c", "d")] == (3, 11)
    assert result.values[("a", "ü c", "d")] == (3, 14)


def test_a_duplicate_key_is_a_problem_and_the_first_value_is_kept() -> None:
    result = read("a: 1\nb: 2\na: 3\n")

    assert result.value == {"a": 1, "b": 2}
    assert result.problems == (Problem("duplicate key 'a'; it is already on line 1", "a", 3, 1),)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("5", "a key must be text; write '5' with the quotes"),
        ("true", "a key must be text; write 'true' with the quotes"),
        ("010", "a key must be text; write '010' with the quotes"),
        ("~", "a key must be text; write '~' with the quotes"),
        ("[a]", "a key must be text, not a list"),
        ("{a: 1}", "a key must be text, not a mapping"),
        ("<<", "merge keys (`<<`) are not supported; write the keys out"),
    ],
)
def test_a_key_must_be_text(key: str, message: str) -> None:
    problem = only_problem(f"x: 1\n? {key}\n: 1\n")

    assert problem == Problem(message, "", 2, 3)


def test_words_that_were_booleans_once_are_keys() -> None:
    assert read("no: 1\non: 2\n'5': 3\n").value == {"no": 1, "on": 2, "5": 3}


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: b\n\tc: d\n", "a tab cannot indent YAML; use spaces", 2, 1),
        ("a: b: c\n", "a second `: ` cannot stand here", 1, 5),
        ("a:\n  b: 1\n c: 2\n", "the indentation fits no line above", 3, 2),
        ("- a\nb: 1\n", "this list goes on with a line that does not start with `-`", 2, 1),
        ("k: v\nfoo\nb: 1\n", "expected `key: value`; a colon is missing here or on the line above", 3, 1),
        ("a: [1, 2\nb: 3\n", "expected a comma or the closing bracket (opened on line 1)", 2, 2),
        ("a: 'x\n", "a quote is never closed (opened on line 1)", 2, 1),
        ('a: "\\q"\n', "unknown escape after a backslash", 1, 5),
        ("a: @x\n", "this character cannot begin a value; quote the value", 1, 4),
        ("a: {b: ${env:X}}\n", 'inside { } or [ ] a reference needs quotes: "${env:NAME}"', 1, 9),
        ("a: [1,\n", "a value or a closing bracket is missing here", 2, 1),
        ("a: \x07\n", "the character '\\x07' is not allowed in YAML text", 1, 4),
        ("{a: 1}}\n", "this is not valid YAML: ", 1, 7),
        ("a: 1\n---\nb: 1\n", "a second document begins here", 2, 1),
        ("a: *x\n", "the alias *x has no anchor &x before it", 1, 4),
        ("a: &x [*x]\n", "the alias *x stands inside the value it refers to", 1, 8),
        ("[" * 100_000, f"nested deeper than {MAX_DEPTH} levels", 1, MAX_DEPTH + 1),
    ],
)
def test_faults_of_syntax_are_located(text: str, message: str, line: int, column: int) -> None:
    problem = only_problem(text)

    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == (line, column)


def test_an_alias_is_the_value_of_its_anchor() -> None:
    result = read("a: &x {b: [1, 2]}\nc: *x\n")

    assert result.value["c"] == {"b": [1, 2]}
    assert result.values[("c", "b", 1)] == (1, 15)  # where the text to change stands


def test_aliases_that_stand_for_billions_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]

    assert only_problem("\n".join(lines)).message == "more than 200,000 values, aliases written out"


def test_aliases_cannot_nest_deeper_than_text() -> None:
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, MAX_DEPTH + 5))]

    assert only_problem("\n".join(lines)).message == f"nested deeper than {MAX_DEPTH} levels"


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_text_is_an_empty_mapping(text: str) -> None:
    assert read(text).value == {}
    assert read(text).problems == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:PORT}", 9464),
        ("'${env:PORT}'", "9464"),
        ("localhost:${env:PORT}", "localhost:9464"),
        ("${env:UNSET:-8080}", 8080),
        ("${env:EMPTY:-text}", "text"),
        ("${env:EMPTY}", None),
        ("${env:EMPTY:-}", None),
        ("x${env:EMPTY}${env:PORT}", "x9464"),
        ("$${env:PORT}", "${env:PORT}"),
        ("${HOME} costs $5", "${HOME} costs $5"),
        ("${env:NESTED}", "${env:PORT}"),
        ("${env:YAML}", "[1, {a: b}]"),
    ],
)
def test_the_environment_is_expanded_inside_one_scalar_and_typed_as_written(written: str, value: Value) -> None:
    environ = {"PORT": "9464", "EMPTY": "", "NESTED": "${env:PORT}", "YAML": "[1, {a: b}]"}

    result = read(f"a: {written}\n", environ)

    assert result.problems == ()
    assert result.value == {"a": value}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${env:NOPE}", "the environment variable NOPE is not set; set it or write ${env:NOPE:-default}"),
        ("${env:a b}", "malformed reference: write ${env:NAME} or ${env:NAME:-default}"),
        ("x ${env:A", "malformed reference"),
        ("${env:OCTAL}", "010 is ambiguous"),
        ("${env:BYTES}", "the text has a NUL or a character that is not valid Unicode"),
    ],
)
def test_a_reference_that_cannot_be_expanded_is_located(written: str, message: str) -> None:
    problem = only_problem(f"a:\n  b: {written}\n", {"OCTAL": "010", "BYTES": "\udcff"})

    assert problem.message.startswith(message)
    assert (problem.key_path, problem.line, problem.column) == ("a.b", 2, 6)


def test_keys_are_not_expanded() -> None:
    assert read("'${env:A}': 1\n", {"A": "x"}).value == {"${env:A}": 1}


def test_what_was_written_is_kept_where_the_environment_was_expanded() -> None:
    result = read("a: ${env:A}\nb: c\n", {"A": "x"})

    assert result.written == {("a",): "${env:A}"}


def test_a_key_path_is_safe_to_show() -> None:
    assert dotted(("a", "b.c", 2, "x\x1b[31m")) == "a.'b.c'[2].'x\\x1b[31m'"


texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff\u2028\u2029"))
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(texts, documents, max_size=4))
def test_json_is_read_as_itself(document: dict[str, Value]) -> None:
    text = json.dumps(document, ensure_ascii=False).replace("${", "$ {")

    result = read(text)

    assert result.problems == ()
    assert result.value == json.loads(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1:-[]{},&*!|>'\"%@`#?~. \n\t$\\\x00é\ud800", max_size=60))
def test_no_text_whatever_raises(text: str) -> None:
    result = read(text)

    lines = text.count("\n") + 1
    assert all(1 <= problem.line <= lines + 1 for problem in result.problems)
