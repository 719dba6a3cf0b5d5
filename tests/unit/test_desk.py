"""What stands around a record is found wherever its file is, and shows no secret; a model that fits no more is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from monitor.app.surroundings import LINES, REACH_BYTES
from monitor.core.accounting import Counts, Outcome
from monitor.core.alerts import Alert, SourceRef
from monitor.core.drifted import Drifted, Usual
from monitor.telemetry import Seen, StreamOverview
from tests.support_files import alert, position
from tests.support_pages import Place

KEY = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEA7", "bRUtG0sZ", "-----END RSA PRIVATE KEY-----"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.ledger.close()


def logged(place: Place, lines: list[str], number: int, *, end: str = "\n", encoding: str = "utf-8") -> Alert:
    """A log that was read to its end, and the alert of one of its lines."""
    log = place.config.with_name("app.log")
    parts = [(line + end).encode(encoding) for line in lines]
    data = b"".join(parts)
    log.write_bytes(data)
    counts = Counts(read=len(lines), scored=len(lines), bytes=len(data))
    place.ledger.commit([Outcome("web", [position(len(data), path=str(log), tail=data[-256:])], counts)])
    source = SourceRef(path=str(log), offset=sum(map(len, parts[:number])), file_id="f", epoch=0)
    return msgspec.structs.replace(alert(1), source=source, raw=lines[number])


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


@pytest.mark.parametrize(("number", "before", "after"), [(10, 3, 3), (0, 0, 3), (1, 1, 3), (19, 3, 0), (18, 3, 1)])
def test_the_records_around_are_those_before_and_after(place: Place, number: int, before: int, after: int) -> None:
    found = place.desk.surroundings(logged(place, numbered(20), number))

    assert found.before == tuple(numbered(20)[number - before : number])
    assert found.after == tuple(numbered(20)[number + 1 : number + 1 + after])
    assert found.note == ""


@pytest.mark.parametrize(
    ("end", "encoding"), [("\r\n", "utf-8"), ("\n", "utf-8"), ("\n", "utf-16-le"), (";;", "latin-1")]
)
def test_they_are_read_as_the_stream_is(place: Place, end: str, encoding: str) -> None:
    form = {"encoding": encoding, "delimiter": "\n" if end == "\r\n" else end}
    place.config.write_text(f"{place.config.read_text()}    input: {json.dumps(form)}\n")
    texts = [f"ligne é {number}" for number in range(9)]

    found = place.desk.surroundings(logged(place, texts, 4, end=end, encoding=encoding))

    assert (found.before, found.after) == (tuple(texts[1:4]), tuple(texts[5:8]))


def test_a_record_of_several_lines_is_not_among_those_around_it(place: Place) -> None:
    made = logged(place, numbered(9), 4)

    found = place.desk.surroundings(msgspec.structs.replace(made, raw="line 4\nline 5"))

    assert found.after == ("line 6", "line 7", "line 8")


def test_a_long_line_before_does_not_hide_the_others_and_is_cut(place: Place) -> None:
    found = place.desk.surroundings(logged(place, ["x" * 2 * REACH_BYTES, "y" * 5000, "z", "record", "end"], 3))

    assert found.before == ("y" * 1000, "z")
    assert found.after == ("end",)


def test_no_secret_is_shown_whichever_of_its_lines_alerts(place: Place) -> None:
    lines = ["start", *KEY, "login password=hunter2", "record", "token: abc", "end"]
    for number in range(len(lines)):
        found = place.desk.surroundings(logged(place, lines, number))
        shown = "\n".join([*found.before, *found.after])
        assert "hunter2" not in shown
        assert "abc" not in shown
        if number not in (2, 3):  # the alert itself stands in the middle of the key
            assert "bRUtG0sZ" not in shown
        place.config.with_name("app.log").unlink()
        place.ledger.close()
        for file in place.state.glob("ledger.sqlite3*"):
            file.unlink()
        place.ledger = place.opened()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_rotated_file_is_found_and_named(place: Place, compressed: bool) -> None:
    made = logged(place, numbered(20), 10)
    log = Path(made.source.path)
    moved = log.with_name("app.log.1.gz" if compressed else "app.log.1")
    moved.write_bytes(gzip.compress(log.read_bytes()) if compressed else log.read_bytes())
    log.write_text("another file\n")

    found = place.desk.surroundings(made)

    assert found.before == ("line 7", "line 8", "line 9")
    assert found.note == f"As they stand in {moved} today."


def test_where_there_is_nothing_to_show_it_is_said(place: Place) -> None:
    made = logged(place, numbered(20), 10)
    elsewhere = [
        msgspec.structs.replace(made, source=msgspec.structs.replace(made.source, epoch=1)),
        msgspec.structs.replace(made, source=msgspec.structs.replace(made.source, file_id="pipe")),
        msgspec.structs.replace(made, stream="gone"),
    ]
    Path(made.source.path).unlink()

    for each in (*elsewhere, made):
        found = place.desk.surroundings(each)
        assert (found.before, found.after) == ((), ())
        assert found.note.startswith("The records around it cannot be shown")


def test_so_many_lines_are_shown() -> None:
    assert LINES == 3


def test_a_stream_whose_records_are_others_by_now_is_said_to_drift(place: Place) -> None:
    usual = Usual({"level": 0.1}, 0.0)
    fits = Drifted(1000, 0, 0.0, {"level": 0.1}, usual)
    overview = StreamOverview("web", "v1", 1.0, 0, 0, 0, 0, 0, 0, model_created=place.clock.now())

    def sign(drifted: Drifted | None) -> str | None:
        return place.desk.sign_of_drift(replace(overview, seen=Seen(drifted=drifted)))

    assert sign(None) is None
    assert sign(fits) is None
    strayed = sign(replace(fits, errors={"level": 0.5}))
    assert strayed == "errors in level are 5.0 times what they were: retrain if that is normal"
