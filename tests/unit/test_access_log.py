"""Access log lines: common, combined, and what attackers make of them; fast and slow path alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.records import Chunk, Field, FieldType, Origin, RecordBatch
from monitor.ingest.framing import Framer
from monitor.parsers import access_log
from tests.framed import framed

NAMES = (*access_log.LINE, *access_log.REQUEST, *access_log.COMBINED)
TEXTS = [Field(name, FieldType.TEXT) for name in NAMES]
COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?x=1 HTTP/1.0" 200 2326'
COMBINED = COMMON + ' "http://h/start.html" "Mozilla/4.08 [en]"'
LINE = {
    "remote_addr": "127.0.0.1",
    "user": "frank",
    "time": "10/Oct/2000:13:55:36 -0700",
    "request": "GET /a.gif?x=1 HTTP/1.0",
    "method": "GET",
    "path": "/a.gif",
    "query": "x=1",
    "protocol": "HTTP/1.0",
    "status": "200",
    "bytes": "2326",
}
PAGE = {"referer": "http://h/start.html", "agent": "Mozilla/4.08 [en]"}


def parse(*lines: str, **options: Any) -> RecordBatch:
    return access_log.build(access_log.Config(**options), TEXTS).parse(framed(*lines))


def read(*lines: str, **options: Any) -> list[dict[str, str]]:
    """What the parser finds in each line, missing parts left out."""
    columns = {field.name: column.to_pylist() for field, column in parse(*lines, **options).columns.items()}
    return [{n: c[i] for n, c in columns.items() if c[i] is not None} for i in range(len(lines))]


def request(text: str) -> dict[str, str]:
    """The parts that the parser finds in a request line."""
    found = read(f'1.1.1.1 - - [22/Nov/2026:03:00:05 +0000] "{text}" 400 0 "-" "-"')[0]
    assert found["status"] == "400"
    return {name: found[name] for name in ("request", *access_log.REQUEST) if name in found}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (COMMON, LINE),
        (COMBINED, LINE | PAGE),
        (COMBINED + ' "10.0.0.1" 0.005', LINE | PAGE),
        (COMMON + " 0.005", LINE),
        (COMMON + ' "one column"', LINE),
        (COMMON.replace("2326", "-"), {k: v for k, v in LINE.items() if k != "bytes"}),
        (COMMON.replace(" 200 ", " - "), {k: v for k, v in LINE.items() if k != "status"}),
        (COMMON.replace("frank", "John Smith"), LINE | {"user": "John Smith"}),
        (COMMON.replace("127.0.0.1", "1.1.1.1, 2.2.2.2"), LINE | {"remote_addr": "1.1.1.1, 2.2.2.2"}),
        (COMMON.replace("127.0.0.1 -", "2001:db8::1 id"), LINE | {"remote_addr": "2001:db8::1", "ident": "id"}),
        (COMBINED.replace("[en]", r"\"quoted\" \\ \x41"), LINE | PAGE | {"agent": 'Mozilla/4.08 "quoted" \\ A'}),
        (COMBINED.replace("[en]", r"\xd0\x9f"), LINE | PAGE | {"agent": "Mozilla/4.08 П"}),
        ("", {}),
        ("garbage", {}),
        (COMMON.replace(" 200 ", " OK "), {}),
        (COMMON.replace('"GET', "GET"), {}),
        (COMMON.removesuffix(" 2326"), {}),
        (COMBINED[:60], {}),
    ],
)
def test_a_line_is_taken_apart(line: str, expected: dict[str, str]) -> None:
    assert read(line) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\x16\x03\x01", {"request": "\x16\x03\x01"}),
        (
            r"\x03\x00\x00/*\xE0 Cookie: mstshash=Administr",
            {"request": "\x03\x00\x00/*\ufffd Cookie: mstshash=Administr"},
        ),
        ("-", {}),
        ("", {}),
        ("GET", {"request": "GET", "method": "GET"}),
        ("GET /", {"request": "GET /", "method": "GET", "path": "/"}),
        ("GET /?", {"request": "GET /?", "method": "GET", "path": "/"}),
        ("GET HTTP/1.1", {"request": "GET HTTP/1.1", "method": "GET", "protocol": "HTTP/1.1"}),
        (
            "GET /a b?c d HTTP/1.1",
            {
                "request": "GET /a b?c d HTTP/1.1",
                "method": "GET",
                "path": "/a b",
                "query": "c d",
                "protocol": "HTTP/1.1",
            },
        ),
        (
            "PRI * HTTP/2.0",
            {"request": "PRI * HTTP/2.0", "method": "PRI", "path": "*", "protocol": "HTTP/2.0"},
        ),
        (
            "M-SEARCH * HTTP/1.1",
            {"request": "M-SEARCH * HTTP/1.1", "method": "M-SEARCH", "path": "*", "protocol": "HTTP/1.1"},
        ),
        ("SSH-2.0-Go", {"request": "SSH-2.0-Go"}),
        ("get / HTTP/1.1", {"request": "get / HTTP/1.1"}),
        (
            r"GET /?q=\x22\"\x3Cscript\x3E HTTP/1.1",
            {
                "request": 'GET /?q=""<script> HTTP/1.1',
                "method": "GET",
                "path": "/",
                "query": 'q=""<script>',
                "protocol": "HTTP/1.1",
            },
        ),
    ],
)
def test_a_request_that_is_not_http_is_still_a_record(text: str, expected: dict[str, str]) -> None:
    assert request(text) == expected


def test_odd_lines_between_good_ones_keep_their_rows() -> None:
    odd = COMMON.replace("/a.gif", r"/\"x\"")

    batch = parse(COMBINED, odd, "garbage", COMMON)

    assert batch.column("path", FieldType.TEXT).to_pylist() == ["/a.gif", '/"x"', None, "/a.gif"]
    assert batch.column("agent", FieldType.TEXT).to_pylist() == ["Mozilla/4.08 [en]", None, None, None]
    assert batch.ok.tolist() == [True, True, False, True]
    assert batch.reasons == {2: "not a line of the common access log format"}


def test_the_combined_format_demands_referer_and_agent() -> None:
    batch = parse(COMBINED, COMMON, COMBINED.replace("en", r"\"en\""), COMMON + ' "x"', format="combined")

    assert batch.ok.tolist() == [True, False, True, False]
    assert batch.reasons[1] == "not a line of the combined access log format"


def test_the_common_format_has_no_referer_and_agent() -> None:
    assert read(COMBINED, format="common") == [LINE]


def test_numbers_come_as_numbers() -> None:
    fields = [Field("status", FieldType.NUMBER), Field("bytes", FieldType.NUMBER), Field("nowhere", FieldType.BOOLEAN)]

    batch = access_log.build(access_log.Config(), fields).parse(framed(COMMON, COMMON.replace("2326", "-"), "x"))

    assert [c.to_pylist() for c in batch.columns.values()] == [[200, 200, None], [2326, None, None], [None] * 3]


def test_without_fields_all_that_occur_are_found() -> None:
    batch = access_log.build(access_log.Config(), None).parse(framed(COMMON, COMMON))

    assert {field.name: field.type for field in batch.columns} == dict.fromkeys(LINE, FieldType.TEXT) | {
        "status": FieldType.NUMBER,
        "bytes": FieldType.NUMBER,
    }


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValidationError, match="Input should be 'auto', 'common' or 'combined'"):
        access_log.Config(format="apache")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_an_empty_batch_gives_empty_columns() -> None:
    batch = parse()

    assert {len(column) for column in batch.columns.values()} == {len(batch)} == {0}


OPENINGS = [
    "1.1.1.1 - - [t] ",
    "1.1.1.1 - - [22/Nov/2026:03:00:05 +0000] ",
    "a, b - J S [t] ",
    "a b c[d [e [t] ",
    "a, b - [t] ",
    "-  - [t] ",
]
REQUESTS = [
    '"GET / HTTP/1.1"',
    '"GET /?a=b?c HTTP/1.1"',
    '"GET  HTTP/"',
    '"GET HTTP/1.1"',
    '"POST /a b"',
    '"GET"',
    '"-"',
]
ODD = [
    '""',
    r'"\x16\x03"',
    r'"GET /\"x HTTP/1.1"',
    r'"\\"',
    '"',
    "\\",
    '"\\',
    "GET",
    '"PROPFIND.x /"',
    '"DELETED /"',
    '"É / HTTP/1.1"',
]
TAILS = [
    " 200 1",
    " 200 -",
    " - 1",
    ' 200 1 "r" "a"',
    ' 200 1 "r" "a" "x" 1',
    ' 200 1 "r"',
    ' 200 1 "r" "a"x',
    " 200 ",
    " 20 1",
    ' 200 1"x',
]
MISPLACED = [' 200 1 "r" x "a"', ' 200 1 x "r" "a"', ' 200 1 "r"  "a"']
parts = st.sampled_from([*OPENINGS, *REQUESTS, *ODD, *TAILS, *MISPLACED, " ", "[", "]", "x\r", "é"])
lines = st.one_of(
    st.tuples(*(st.sampled_from(group) for group in (OPENINGS, [*REQUESTS, *ODD], [*TAILS, *MISPLACED]))).map("".join),
    st.lists(parts, max_size=6).map("".join),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(lines, min_size=1, max_size=8))
@example(['1.1.1.1 - - [t] "GET / HTTP/1.1" 200 1', '"', 'a - - [t] "GET /?a HTTP/1.1" 200 1 "r" "a\\\\"'])
def test_the_fast_path_reads_what_the_slow_path_reads(batch: list[str]) -> None:
    slow = [access_log.read_line(line) for line in batch]

    assert read(*batch) == [{name: access_log.unescape(text) for name, text in row.items()} for row in slow]
    assert parse(*batch).ok.tolist() == [bool(row) for row in slow]
    assert parse(*batch, format="combined").ok.tolist() == [bool(access_log.read_combined(line)) for line in batch]


@settings(max_examples=100, deadline=None)
@given(st.lists(lines, min_size=1, max_size=8), st.sampled_from(NAMES))
def test_a_column_does_not_depend_on_which_others_are_wanted(batch: list[str], name: str) -> None:
    field = Field(name, FieldType.TEXT)

    alone = access_log.build(access_log.Config(), [field]).parse(framed(*batch))

    assert alone.columns[field].equals(parse(*batch).columns[field])


@pytest.mark.parametrize("hostile", [" [" * 100_000, '"' * 200_000, "\\" * 200_001, "a, " * 70_000, " " * 200_000])
@pytest.mark.parametrize(
    "head", ["", "1.1.1.1 - ", '1.1.1.1 - - [t] "GET ', '1.1.1.1 - - [t] "GET / HTTP/1.1" 200 1 "']
)
def test_long_hostile_lines_are_read_in_linear_time(head: str, hostile: str) -> None:
    assert len(read(head + hostile, COMMON)) == 2


def test_access_log_suggests_itself_by_the_share_it_reads() -> None:
    suggestion = access_log.suggest(framed(COMBINED, COMMON, COMMON, "x"))

    assert suggestion is not None
    assert (suggestion.share, suggestion.rank, suggestion.options) == (0.75, 80, {})
    assert access_log.suggest(framed("x", "y", COMMON)) is None
    assert access_log.suggest(framed()) is None


@pytest.mark.data
@pytest.mark.parametrize("name", ["Linux", "OpenSSH", "Apache", "HDFS"])
def test_other_logs_are_not_taken_for_access_logs(data_dir: Path, name: str) -> None:
    path = data_dir / f"logs/{name}_2k.log"
    raw = Framer().push(Chunk(Origin("f", 0, str(path)), 0, path.read_bytes(), final=True))[0]

    assert access_log.suggest(raw) is None
