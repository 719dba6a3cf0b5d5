"""Syslog: every form the daemons write, fast and slow path alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.records import Chunk, Field, FieldType, Origin, RawBatch
from monitor.ingest.framing import Framer
from monitor.parsers import syslog
from tests.framed import framed

TEXTS = [Field(name, FieldType.TEXT) for name in syslog.NAMES]


def read(*lines: str) -> list[dict[str, str]]:
    """What the parser finds in each line, missing parts left out."""
    batch = syslog.build(syslog.Config(), TEXTS).parse(framed(*lines))
    columns = {field.name: column.to_pylist() for field, column in batch.columns.items()}
    return [{n: c[i] for n, c in columns.items() if c[i] is not None} for i in range(len(lines))]


def logs(path: Path) -> RawBatch:
    return Framer().push(Chunk(Origin("f", 0, str(path)), 0, path.read_bytes(), final=True))[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: failure; uid=0 ",
            {
                "time": "Jun 14 15:16:01",
                "host": "combo",
                "program": "sshd(pam_unix)",
                "pid": "19939",
                "message": "failure; uid=0 ",
            },
        ),
        (
            "<34>Oct  1 22:14:15 mymachine su: 'su root' failed",
            {
                "time": "Oct  1 22:14:15",
                "host": "mymachine",
                "program": "su",
                "message": "'su root' failed",
                "priority": "34",
                "facility": "4",
                "severity": "2",
            },
        ),
        ("Jun 9 06:06:20 h a: b", {"time": "Jun 9 06:06:20", "host": "h", "program": "a", "message": "b"}),
        (
            "2026-11-22T03:16:28.123456+00:00 host app[7]: x: y",
            {
                "time": "2026-11-22T03:16:28.123456+00:00",
                "host": "host",
                "program": "app",
                "pid": "7",
                "message": "x: y",
            },
        ),
        (
            '<165>1 2003-10-11T22:14:15.003Z h.example evntslog - ID47 [a@1 b="c] d" e="\\"f"][g] \ufeffmsg é',
            {
                "time": "2003-10-11T22:14:15.003Z",
                "host": "h.example",
                "program": "evntslog",
                "msgid": "ID47",
                "structured_data": '[a@1 b="c] d" e="\\"f"][g]',
                "message": "msg é",
                "priority": "165",
                "facility": "20",
                "severity": "5",
            },
        ),
        ("<0>1 - - - - - -", {"priority": "0", "facility": "0", "severity": "0"}),
        (
            '<13>1 2003-10-11T22:14:15Z h a 7 m [x a="1"][y b="2"] - ',
            {
                "time": "2003-10-11T22:14:15Z",
                "host": "h",
                "program": "a",
                "pid": "7",
                "msgid": "m",
                "structured_data": '[x a="1"][y b="2"]',
                "message": "- ",
                "priority": "13",
                "facility": "1",
                "severity": "5",
            },
        ),
        (
            "Jun 14 15:16:01 combo last message repeated 2 times",
            {"time": "Jun 14 15:16:01", "host": "combo", "message": "last message repeated 2 times"},
        ),
        (
            "Jul  7 08:06:15 combo  -- root[2421]: ROOT LOGIN ON tty2",
            {
                "time": "Jul  7 08:06:15",
                "host": "combo",
                "program": "-- root",
                "pid": "2421",
                "message": "ROOT LOGIN ON tty2",
            },
        ),
        (
            "Jun 19 04:09:11 combo syslogd 1.4.1: restart.",
            {"time": "Jun 19 04:09:11", "host": "combo", "program": "syslogd 1.4.1", "message": "restart."},
        ),
        (
            "Jun 19 04:09:11 sshd[7]: no host",
            {"time": "Jun 19 04:09:11", "program": "sshd", "pid": "7", "message": "no host"},
        ),
        (
            "Jun 19 2026 04:09:11.125: h a[7]:glued",
            {"time": "Jun 19 2026 04:09:11.125", "host": "h", "program": "a", "pid": "7", "message": "glued"},
        ),
        ("Jun 19 04:09:11 ::1 a:", {"time": "Jun 19 04:09:11", "host": "::1", "program": "a"}),
        ("Jun 19 04:09:11 h", {"time": "Jun 19 04:09:11", "host": "h"}),
        ("<13>only this", {"priority": "13", "facility": "1", "severity": "5", "message": "only this"}),
        ("<13>", {}),
        ("", {}),
        ("    at java.lang.Thread.run(Thread.java:745)", {}),
        ("Foo 14 15:16:01 combo a: b", {}),
        ("Jun 14 15:16:0x combo a: b", {}),
        ("2026-11-22 03:16:28 host a: b", {}),
    ],
)
def test_a_line_is_taken_apart(line: str, expected: dict[str, str]) -> None:
    assert read(line) == [expected]


def test_lines_of_all_forms_stand_in_one_batch_and_keep_their_rows() -> None:
    batch = syslog.build(syslog.Config(), [Field("program", FieldType.TEXT)]).parse(
        framed(
            "Jun 14 15:16:01 h a[1]: x",
            "garbage",
            "<34>1 2003-10-11T22:14:15.003Z h b 1 - - x",
            "2026-11-22T03:16:28+00:00 h c[1]: x",
            "Jun 14 15:16:01 h d 1.0: x",
        )
    )

    assert batch.column("program", FieldType.TEXT).to_pylist() == ["a", None, "b", "c", "d 1.0"]
    assert batch.ok.tolist() == [True, False, True, True, True]
    assert batch.reasons == {1: "not a syslog line"}


def test_numbers_and_unknown_fields_come_as_asked_for() -> None:
    fields = [Field("pid", FieldType.NUMBER), Field("severity", FieldType.NUMBER), Field("nowhere", FieldType.TEXT)]

    batch = syslog.build(syslog.Config(), fields).parse(framed("<34>Oct 11 22:14:15 h su[77]: x", "nothing"))

    assert [column.to_pylist() for column in batch.columns.values()] == [[77.0, None], [2.0, None], [None, None]]
    assert list(batch.columns) == fields


def test_without_fields_all_that_occur_are_found() -> None:
    batch = syslog.build(syslog.Config(), None).parse(framed("Oct 11 22:14:15 h su[77]: x"))

    assert set(batch.columns) == {
        Field("time", FieldType.TEXT),
        Field("host", FieldType.TEXT),
        Field("program", FieldType.TEXT),
        Field("pid", FieldType.NUMBER),
        Field("message", FieldType.TEXT),
    }


def test_an_empty_batch_gives_empty_columns() -> None:
    batch = syslog.build(syslog.Config(), TEXTS).parse(framed())

    assert {len(column) for column in batch.columns.values()} == {len(batch)} == {0}


TAGS = ["a", "h", "-", ":", "::1", "a:", "a[1]:", "a[1]", "[1]:", "a[]:", "a[1]b[2]:", "]:", "1.2.3:", "a[1]:x"]
TIMES = ["Jun 14 15:16:01", "Jun  9 06:06:20", "Jun 9 06:06:20", "2003-10-11T22:14:15.003Z", "2003-10-11T22:14:15"]
DATA = ['[x a="b"]', '[x a="] "]', '[x a="\\"]"]', "[x]", '"', "\\", "\ufeffm", "]", "[", "", "\r", "x\0", "\tat", "é"]
HEADS = ["<34>Jun 14 15:16:01", "<34>1 2003-10-11T22:14:15.003Z h a 7 m", "<34>1 - - - - -", "<34>", "<1>1", "<1>Jun"]
words = st.sampled_from([*TAGS, *TIMES, *DATA, *HEADS])
lines = st.one_of(
    st.lists(words, min_size=1, max_size=9).map(" ".join),
    st.tuples(
        st.sampled_from(["Jun 14 15:16:01 h ", "<34>1 2003-10-11T22:14:15.003Z h a 7 m ", "<34>1 - - - - - "]),
        st.lists(words, max_size=4).map(" ".join),
    ).map("".join),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(lines, min_size=1, max_size=8))
@example(['<34>1 - - - - - [x a="] "] m', '<34>1 - - - - - [x a="b"]', "Jun 14 15:16:01 h a[1]b[2]: x"])
def test_the_fast_path_reads_what_the_slow_path_reads(batch: list[str]) -> None:
    of_priority = {"facility", "severity"}

    found = [{n: v for n, v in row.items() if n not in of_priority} for row in read(*batch)]

    assert found == [syslog.read_line(line) for line in batch]


@pytest.mark.parametrize("hostile", ["[" * 200_000, '<1>1 - - - - - [x a="' + "\\" * 200_000, "a " * 100_000])
def test_long_hostile_lines_are_read_in_linear_time(hostile: str) -> None:
    assert len(read(hostile, "Jun 14 15:16:01 h " + hostile)) == 2


@pytest.mark.data
def test_every_line_of_a_linux_log_is_read(data_dir: Path) -> None:
    batch = syslog.build(syslog.Config(), TEXTS).parse(logs(data_dir / "logs/Linux_2k.log"))

    programs = Counter(batch.column("program", FieldType.TEXT).to_pylist())
    assert batch.ok.all()
    assert programs["ftpd"] == 916
    assert programs["sshd(pam_unix)"] == 677
    assert programs["su(pam_unix)"] == 172
    assert programs["syslogd 1.4.1"] == 7
    assert programs["-- root"] == 1
    assert None not in programs
    assert batch.column("message", FieldType.TEXT).null_count == 0
    assert set(batch.column("host", FieldType.TEXT).to_pylist()) == {"combo"}


@pytest.mark.data
def test_every_line_of_an_openssh_log_is_read(data_dir: Path) -> None:
    batch = syslog.build(syslog.Config(), TEXTS).parse(logs(data_dir / "logs/OpenSSH_2k.log"))

    assert batch.ok.all()
    assert set(batch.column("program", FieldType.TEXT).to_pylist()) == {"sshd"}
    assert batch.column("pid", FieldType.TEXT).null_count == 0


@pytest.mark.data
@pytest.mark.parametrize(("name", "share"), [("Linux", 1.0), ("OpenSSH", 1.0), ("Apache", None), ("HDFS", None)])
def test_syslog_suggests_itself_for_syslog_only(data_dir: Path, name: str, share: float | None) -> None:
    suggestion = syslog.suggest(logs(data_dir / f"logs/{name}_2k.log"))

    assert (suggestion.share if suggestion else None) == share


def test_a_mere_priority_is_no_evidence_for_syslog() -> None:
    assert syslog.suggest(framed("<b>bold</b>", "<13>x", "<13>y")) is None
    assert syslog.suggest(framed()) is None
