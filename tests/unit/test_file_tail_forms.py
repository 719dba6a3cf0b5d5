"""Files whose lines end otherwise than in a line feed, and records of several lines: the source asks framing."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.accounting import Position
from monitor.core.clock import ManualClock
from monitor.core.input_config import InputConfig, MultilineConfig
from monitor.core.protocols import Source, SourceContext
from monitor.core.records import Chunk
from monitor.ingest.framing import Framer
from monitor.ingest.quiet import boundary, patient
from monitor.sources import file_tail
from tests.support_files import RecordedEvents, copytruncate, truncate, write

TRACES = InputConfig(multiline=MultilineConfig(start=r"^E"))


class Reader:
    """Reads and frames as the daemon does, and commits nothing; ``records`` are in the order of their completion."""

    def __init__(self, include: str, form: InputConfig, **options: object) -> None:
        self.form, self.clock, self.events = form, ManualClock(), RecordedEvents()
        self.framers: dict[str, tuple[int, Framer]] = {}
        self.records: list[str] = []
        self.begun: list[Position] = []
        config = file_tail.Config.model_validate({"include": [include], "watch": "poll", **options})
        context = SourceContext("web", [], self.clock, self.events, wake=lambda: None)
        self.source: Source = patient(lambda context: file_tail.build(config, context), form)(context)

    def step(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        for chunk in self.source.read(1 << 20):
            assert isinstance(chunk, Chunk)
            epoch, framer = self.framers.get(chunk.origin.file_id, (-1, Framer()))
            if epoch != chunk.origin.epoch:
                framer = Framer(form=self.form)
                self.framers[chunk.origin.file_id] = (chunk.origin.epoch, framer)
            for raw in framer.push(chunk):
                self.records += [raw.data[a:b].decode() for a, b in zip(raw.starts, raw.ends, strict=True)]
        self.begun += self.source.sightings()


def test_a_group_of_lines_goes_on_in_the_copy_of_a_truncated_log(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    write(log, "E1\n at a\n")
    reader = Reader(f"{log}*", TRACES)
    reader.step()

    write(log, " at b\nE2\n")
    copytruncate(log, tmp_path / "app.log.1")
    write(log, "E3\n")
    for _ in range(8):
        reader.step()

    assert sorted(reader.records) == ["E1\n at a\n at b", "E2", "E3"]


def test_a_group_whose_log_was_truncated_without_a_copy_is_complete(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    write(log, "E1\n at a\n")
    reader = Reader(str(log), TRACES)
    reader.step()

    truncate(log)
    write(log, "E2\n")
    for _ in range(8):
        reader.step()

    assert sorted(reader.records) == ["E1\n at a", "E2"]


@pytest.mark.parametrize(
    "form",
    [
        InputConfig(encoding="utf-16"), InputConfig(encoding="utf-16-be"), InputConfig(delimiter="\0"),
        InputConfig(delimiter="\r\n"), InputConfig(delimiter=";;"), InputConfig(encoding="utf-16", delimiter="||"),
    ],
    ids=lambda form: f"{form.encoding} {form.delimiter.encode().hex()}",
)  # fmt: skip
class TestDelimiters:
    """``text`` writes lines in the form that is configured; they hold other delimiters' bytes."""

    @staticmethod
    def text(form: InputConfig, *lines: str, rest: str = "") -> bytes:
        whole = "".join(line + form.delimiter for line in lines) + rest
        return whole.encode("utf-16-le" if form.encoding == "utf-16" else form.encoding)

    def test_the_end_to_start_at_is_behind_the_last_line(self, tmp_path: Path, form: InputConfig) -> None:
        log = tmp_path / "app.log"
        write(log, self.text(form, "old", "older\u010a" if "16" in form.encoding else "older", rest="unfin"))
        reader = Reader(str(log), form, start_at="end")
        reader.step()

        write(log, self.text(form, "ished", "new"))
        reader.step()

        assert reader.records == ["unfinished", "new"]

    def test_an_unfinished_line_goes_on_in_the_copy(self, tmp_path: Path, form: InputConfig) -> None:
        log = tmp_path / "app.log"
        write(log, self.text(form, "old", rest="unfin"))
        reader = Reader(str(log), form)
        reader.step()

        write(log, self.text(form, "ished", "late"))
        copytruncate(log, tmp_path / "app.log.1")
        write(log, self.text(form, "new"))
        for _ in range(3):
            reader.step()

        assert sorted(reader.records) == sorted(["old", "unfinished", "late", "new"])

    def test_what_is_lost_of_a_line_is_counted(self, tmp_path: Path, form: InputConfig) -> None:
        log = tmp_path / "app.log"
        write(log, self.text(form, "old", rest="unfinished"))
        reader = Reader(str(log), form)
        reader.step()

        truncate(log)
        reader.step()

        assert reader.events.abandoned == [(str(log), len(self.text(form, rest="unfinished")), "truncated")]


def test_boundaries_are_those_of_framing() -> None:
    data = "a\u010ab\n\u0a00c".encode("utf-16-le")

    assert boundary(InputConfig(encoding="utf-16"))(b"", data, 0) == 8
    assert boundary(InputConfig(encoding="utf-16"))(b"", data[1:], 1) == 7
    assert boundary(InputConfig(delimiter="\n\n"))(b"", b"a\n\n\nb", 0) == 3
    assert boundary(InputConfig())(b"", b"abc", 5) is None
