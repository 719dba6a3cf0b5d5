"""`aemonitor check --sample`: what a sample says of every field that is configured, and of those that are not."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from monitor.app import _sample
from monitor.app._sample_fields import Level
from monitor.app.checking import Checked, check_sample
from monitor.app.init import draft_config
from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.plugins import load_config_text

STREAM = """\
state_dir: {root}/state
limits: {{max_batch_records: 64}}
streams:
  web:
    source: stdin
    parser: {parser}
    {more}
    features: {{{features}}}
    sinks: []
"""
COUNT = 120
OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR

Write = Callable[..., Path]
Say = Callable[..., Checked]


@pytest.fixture
def sample(tmp_path: Path) -> Write:
    """Writes a sample; objects as JSON Lines."""

    def write(lines: Iterable[Any], name: str = "sample.log") -> Path:
        path = tmp_path / name
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("".join(f"{text}\n" for text in texts))
        return path

    return write


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """What files say of a stream with these features."""

    def checked(*files: Path, features: str = "x: numeric", parser: str = "json_lines", more: str = "") -> Checked:
        text = STREAM.format(root=tmp_path, features=features, parser=parser, more=more)
        return check_sample(load_config_text(text, "f", {}), "web", [str(file) for file in files])

    return checked


def said(checked: Checked, subject: str, name: str = "") -> tuple[Level, list[str]]:
    """The level of an item and its remarks."""
    (item,) = [item for item in checked.items if (item.subject, item.name) == (subject, name)]
    return item.level, [remark.text for remark in item.remarks]


def rows(make: Callable[[int], Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [make(number) for number in range(COUNT)]


NONE: Mapping[str, Any] = {}


@pytest.mark.parametrize(
    ("encoding", "make", "level", "remarks"),
    [
        ("numeric", lambda i: {"x": i % 7}, OK, ["0 to 6"]),
        ("numeric", lambda _: {"x": 5}, OK, ["always 5", "constant: a change is the loudest alert"]),
        ("numeric", lambda i: {"x": i % 7 if i % 4 else None}, OK, ["0 to 6", "missing in 25 %"]),
        ("numeric", lambda i: {"x": i % 3} if i % 4 == 0 else NONE, WARNING, ["0 to 2", "missing in 75 %"]),
        ("numeric", lambda i: {"x": i % 7 if i % 4 else "n/a"}, WARNING,
         ["0 to 6", "not a number in 25 %, such as 'n/a'"]),
        ("numeric", lambda _: {"x": "\x1b[2Jh"}, ERROR,
         [r"none of its 120 values is a number, such as '\x1b[2Jh'; `aemonitor init` would encode it as categorical"]),
        ("numeric", lambda _: {"x": float("nan")}, ERROR, ["none of its 120 values is a number, such as 'NaN'"]),
        ("ip", lambda i: {"x": f"10.0.0.{i}"}, OK, ["120 distinct", "unique in every record"]),
        ("numeric", lambda i: {"x": i}, WARNING,
         ["0 to 119", "`aemonitor init` would leave it out: only ever grows (0 to 119): a counter, new every time"]),
        ("numeric", lambda _: {"why": 1, "X1": 1}, ERROR, ["field 'x' never occurs; did you mean 'X1'?"]),
        ("categorical", lambda i: {"x": f"v{i % 3}"}, OK, ["3 distinct"]),
        ("categorical", lambda _: {"x": "a\n"}, OK, [r"always 'a\n'", "constant: a change is the loudest alert"]),
        ("categorical", lambda i: {"x": f"v{i}"}, WARNING,
         ["120 distinct", "unique in every record: any new one will be unseen; leave it out, or encode it as text"]),
        ("text", lambda i: {"x": f"job {i} done"}, OK, ["120 distinct", "unique in every record"]),
        ("{categorical: {max_values: 4}}", lambda i: {"x": f"v{i % 9}"}, OK,
         ["9 distinct", "the 4 most frequent have a column of their own"]),
        ("boolean", lambda i: {"x": i % 4 == 0}, OK, ["true in 25 %"]),
        ("boolean", lambda i: {"x": ["maybe", True, False][i % 3]}, WARNING,
         ["true in 50 %", "not true or false in 33.3 %, such as 'maybe'"]),
        ("vector", lambda _: {"x": [1, 2]}, OK, ["lists of 2"]),
        ("counts", lambda i: {"x": ["a", "b"][: 1 + i % 2]}, OK, ["lists of 1 to 2, 2 distinct texts"]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_field(
    sample: Write, say: Say, encoding: str, make: Callable[[int], Mapping[str, Any]], level: Level, remarks: list[str]
) -> None:
    checked = say(sample(rows(make)), features=f"x: {encoding}")

    assert said(checked, "feature", "x") == (level, remarks)


def test_a_single_value_is_neither_constant_nor_unique(sample: Write, say: Say) -> None:
    checked = say(sample([{"x": "a"}]), features="x: categorical")

    assert said(checked, "feature", "x") == (OK, ["always 'a'"])
    assert said(checked, "records") == (
        WARNING, ["100 % of 1 parse", "under 100 records say little of what is usual"]
    )  # fmt: skip


def test_blank_cells_are_missing_and_not_odd(sample: Write, say: Say) -> None:
    lines = ["x,y"] + [f"{number % 9 if number % 4 else ' '},b" for number in range(COUNT)]

    checked = say(sample(lines), parser="{csv_rows: {columns: [x, y]}}")

    assert checked.records == COUNT
    assert said(checked, "feature", "x") == (OK, ["0 to 8", "missing in 25 %"])


def test_of_a_feature_of_many_fields_it_is_said_how_many_have_what(sample: Write, say: Say) -> None:
    made = rows(lambda i: {"p1": i, "p2": 7, "p3": i if i % 2 else "?", "p_4": 1, **({"p5": i} if i else {})})

    checked = say(sample(made), features="p: {vector: {columns: ['p{1..5}']}}")

    assert said(checked, "feature", "p") == (
        ERROR,
        [
            "5 fields",
            "constant: 1 of 5 ('p2')",
            "not always of its type: 1 of 5 ('p3')",
            "never occurring: 1 of 5 ('p4'); did you mean 'p_4'?",
            "missing in some records: 1 of 5 ('p5')",
        ],
    )


def test_a_field_that_the_parser_ignores_is_not_looked_for_elsewhere(sample: Write, say: Say) -> None:
    checked = say(sample(["1,2"] * COUNT), parser="{csv_rows: {columns: [x, y], ignore: [x]}}")

    assert said(checked, "feature", "x") == (ERROR, ["field 'x' never occurs; the parser is told to ignore it"])


def test_fields_that_nothing_reads_are_listed_with_what_init_would_make_of_them(sample: Write, say: Say) -> None:
    made = rows(lambda i: {"x": i % 5, "at": i, "who": f"w{i % 2}", "code": i % 3, "id": f"{i:08x}"})

    checked = say(sample(made), more="time: {field: at}\n    key: who")

    assert [(c.name, c.kind, c.reason) for c in checked.unused] == [
        ("code", "categorical", "3 distinct codes"),
        ("id", None, "opaque identifiers (hexadecimal): nothing to learn from"),
    ]


# -- time and key --------------------------------------------------------------------------------------------------

START = "2026-11-22T03:00:00Z"


@pytest.mark.parametrize(
    ("times", "level", "remarks"),
    [
        (lambda i: 1_700_000_000 + i, OK, ["2023-11-14T22:13:20.000Z to 2023-11-14T22:15:19.000Z"]),
        (lambda i: 1_700_000_000 + (i if i != 60 else 0), OK,
         ["2023-11-14T22:13:20.000Z to 2023-11-14T22:15:19.000Z", "goes back 1 time"]),
        (lambda i: 1_700_000_000 + i % 2, WARNING,
         ["2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z", "goes back 59 times"]),
        (lambda i: START if i % 4 else "soon", WARNING,
         ["2026-11-22T03:00:00.000Z to 2026-11-22T03:00:00.000Z", "not a time in 25 %, such as 'soon'"]),
        (lambda i: START if i % 4 else None, WARNING,
         ["2026-11-22T03:00:00.000Z to 2026-11-22T03:00:00.000Z", "missing in 25 %"]),
        (lambda _: "22/11/2026", ERROR,
         ["none of its 120 values reads as a time, such as '22/11/2026'; give its `format`"]),
        (lambda _: None, ERROR, ["field 'at' never occurs; did you mean 'date'?"]),
    ],
)  # fmt: skip
def test_what_is_said_of_the_event_time(
    sample: Write, say: Say, times: Callable[[int], Any], level: Level, remarks: list[str]
) -> None:
    made = rows(lambda i: {"x": i % 5, "date": 1} | ({"at": at} if (at := times(i)) is not None else {}))

    assert said(say(sample(made), more="time: {field: at}"), "time", "at") == (level, remarks)


@pytest.mark.parametrize(
    ("keys", "level", "remarks"),
    [
        (lambda i: f"h{i % 4}", OK, ["4 distinct"]),
        (lambda _: "h", OK, ["1 distinct", "all records are of one"]),
        (lambda i: f"h{i % 4}" if i % 4 else None, WARNING, ["3 distinct", "missing in 25 %"]),
        (lambda i: f"h{i}", WARNING,
         ["120 distinct", "unique in every record: nothing can be remembered of a key that never comes again"]),
        (lambda _: None, ERROR, ["field 'host' never occurs; did you mean 'hosts'?"]),
    ],
)  # fmt: skip
def test_what_is_said_of_the_key(
    sample: Write, say: Say, keys: Callable[[int], Any], level: Level, remarks: list[str]
) -> None:
    made = rows(lambda i: {"x": i % 5, "hosts": 1, "host": keys(i)})

    assert said(say(sample(made), more="key: host"), "key", "host") == (level, remarks)


def test_a_feature_of_the_event_time_reads_no_field(sample: Write, say: Say) -> None:
    made = rows(lambda i: {"at": 1_700_000_000 + i})

    checked = say(sample(made), features="hour: time", more="time: {field: at}")

    assert said(checked, "feature", "hour") == (OK, ["made of the event time"])


# -- records -------------------------------------------------------------------------------------------------------


def test_lines_that_do_not_parse_are_counted_by_reason_with_the_first_of_each(sample: Write, say: Say) -> None:
    good = rows(lambda i: {"x": i % 5})
    first = sample([*good, "", "\x1b[2J garbage", "garbage"], "first.log")
    second = sample([*good, "", *good], "second.log")

    checked = say(first, second)

    assert said(checked, "records") == (
        WARNING, ["98.9 % of 364 parse", "4 do not parse as json_lines"]
    )  # fmt: skip
    assert [(r.records, Path(r.file).name, r.line, r.text) for r in checked.reasons] == [
        (2, "first.log", COUNT + 1, ""),
        (2, "first.log", COUNT + 2, r"\x1b[2J garbage"),
    ]


def test_a_sample_of_another_format_is_named(sample: Write, say: Say) -> None:
    made = rows(lambda i: {"x": i % 5})

    checked = say(sample(made), parser="access_log", features="status: categorical")

    assert said(checked, "records") == (
        ERROR, ["100 % do not parse as access_log; `aemonitor init` would read such a sample as json_lines"]
    )  # fmt: skip
    assert len(checked.items) == 1


def test_a_parser_of_the_right_kind_with_wrong_options_is_told_so(sample: Write, say: Say) -> None:
    checked = say(sample(["x,y,z"] + ["1,2,3"] * COUNT), parser="{csv_rows: {columns: [x, y]}}")

    assert said(checked, "records") == (ERROR, ["100 % do not parse as csv_rows; change its options"])


def test_only_the_first_records_are_looked_at(sample: Write, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sample, "SAMPLE_RECORDS", 60)
    made = rows(lambda i: {"x": i % 5})

    assert (say(sample(made)).records, say(sample(made)).whole) == (60, False)
    assert (say(sample(made[:60])).records, say(sample(made[:60])).whole) == (60, True)


@pytest.mark.data
@pytest.mark.parametrize("name", ["Apache", "HDFS", "Linux", "OpenSSH"])
def test_what_init_drafts_from_a_log_fits_that_log(data_dir: Path, tmp_path: Path, name: str) -> None:
    log = str(data_dir / "logs" / f"{name}_2k.log")
    text, draft = draft_config([log], stream="log", state_dir=tmp_path, listen=None)

    checked = check_sample(load_config_text(text, "f", {}), "log", [log])

    assert (checked.records, checked.errors, checked.warnings) == (2000, [], [])
    assert {c.name for c in checked.unused} == {c.name for c in draft.left_out} - {draft.time}


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    features = "status: categorical, bytes: numeric, agnet: text"
    path.write_text(STREAM.format(root=tmp_path, features=features, parser="json_lines", more="key: host"))
    return path


def requests(**changes: Any) -> list[Mapping[str, Any]]:
    made: dict[str, list[Any]] = {"status": [200, 404], "bytes": [7, 9, "-"], "agent": ["curl", "wget"], "host": ["a"]}
    return rows(lambda i: {name: values[i % len(values)] for name, values in (made | changes).items()})


def test_the_report_is_a_table_and_what_must_change_is_said_on_stderr(
    config: Path, sample: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample([*requests(), "x\x1b[2J"])

    assert execute(["check", "--offline", str(config), "--sample", str(path)]) == ExitCode.DATA

    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{config}: ok: 1 stream (web)",
        f"web: 121 records of {path}",
        "WARNING  records          json_lines   99.17 % of 121 parse; 1 do not parse as json_lines",
        rf"    1 x Expecting value: line 1 column 1 (char 0); first {path}:121: x\x1b[2J",
        "         key      host                 1 distinct; all records are of one",
        "         feature  status  categorical  2 distinct",
        "WARNING  feature  bytes   numeric      7 to 9; not a number in 33.3 %, such as '-'",
        "ERROR    feature  agnet   text         field 'agnet' never occurs; did you mean 'agent'?",
        "         unused   agent   categorical  2 distinct values",
    ]
    assert printed.err.splitlines()[-2:] == [
        f"aemonitor: {config}: streams.web.features.agnet: field 'agnet' never occurs; did you mean 'agent'?",
        "aemonitor: the configuration does not fit the sample",
    ]


def test_warnings_alone_are_no_failure_and_standard_input_is_a_sample(
    config: Path, sample: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample(requests(agnet=["x"]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))

    assert execute(["check", "-c", str(config), "--sample", "-"]) == ExitCode.OK
    assert "WARNING  feature  bytes" in capsys.readouterr().out


def test_the_report_as_json(config: Path, sample: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = sample(requests())

    assert execute(["check", "--json", str(config), "--sample", str(path), "--sample", str(path)]) == ExitCode.DATA

    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["streams"]) == (False, ["web"])
    assert [problem["key_path"] for problem in report["problems"]] == ["streams.web.features.agnet"]
    assert "streams.web.features.bytes" in {warning["key_path"] for warning in report["warnings"]}
    found = report["sample"]
    assert (found["stream"], found["records"], found["files"]) == ("web", 2 * COUNT, [str(path)] * 2)
    assert {item["name"]: item["level"] for item in found["items"] if item["subject"] == "feature"} == {
        "status": "ok", "bytes": "warning", "agnet": "error"
    }  # fmt: skip
    assert found["items"][3]["figures"]["fields"] == [
        {"field": "bytes", "type": "number", "records": 240, "missing": 0, "unreadable": 80, "distinct": 2}
    ]


def test_a_wide_stream_lists_what_is_wrong_and_counts_the_rest(
    config: Path, sample: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"f{number}" for number in range(50)]
    features = ", ".join(f"{name}: numeric" for name in names)
    config.write_text(STREAM.format(root=tmp_path, features=features, parser="json_lines", more=""))
    path = sample(rows(lambda i: {name: "?" if name == "f49" and i % 9 == 0 else i % 5 for name in names}))

    assert execute(["check", str(config), "--sample", str(path)]) == ExitCode.OK

    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-1]) == (44, "and 10 more features with nothing to warn of")
    assert lines[-2].startswith("WARNING  feature  f49")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["c.yaml", "--stream", "web"], 2, "--stream says which stream a sample is for: it goes with --sample FILE"),
        (["-", "--sample", "-"], 2, "standard input can be read once: as the configuration or as one sample"),
        (["c.yaml", "--sample", "-", "--sample", "-"], 2, "standard input can be read once"),
        (["c.yaml", "--sample", "s", "--stream", "wob"], 2, "there is no stream 'wob' in the configuration"),
        (["two.yaml", "--sample", "s"], 2, "say with --stream which stream the sample is for: web, two"),
        (["c.yaml", "--sample", "absent"], 66, "absent: there is no such file"),
        (["c.yaml", "--sample", "/dev/null"], 66, "/dev/null: there is no record in the sample"),
    ],
)
def test_a_sample_that_cannot_be_used_is_refused(
    config: Path,
    arguments: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(config.parent)
    two = "  two: {source: stdin, parser: json_lines, features: {x: numeric}}\n"
    Path("two.yaml").write_text(config.read_text() + two)

    assert execute(["check", *arguments]) == code
    assert message in capsys.readouterr().err
