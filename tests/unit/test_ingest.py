"""Ingest: the same bytes give the same records, whatever way they come in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor.core.clock import ManualClock
from monitor.core.errors import DataError, NoInputError, PermissionDeniedError
from monitor.core.input_config import InputConfig, MultilineConfig
from monitor.core.records import Chunk, Field, FieldType, Origin, RawBatch
from monitor.ingest.framing import Framer
from monitor.ingest.reading import BLOCK_BYTES, Ingest, TimeColumn, read_files, wanted_fields
from monitor.parsers import access_log, syslog
from tests.framed import framed

LINE = '10.0.0.1 - - [22/Nov/2026:03:00:05 +0000] "GET / HTTP/1.1" 200 1'
CONTENT = b"".join(b"%07d caf\xc3\xa9 %s\r\n" % (i, b"x" * (i % 200)) for i in range(20_000)) + b"unfinished \xff"


def same(left: list[RawBatch], right: list[RawBatch]) -> bool:
    """Whether batches are equal but for where they come from."""
    nowhere = Origin("", 0, "")
    return len(left) == len(right) and all(
        repr(replace(a, origin=nowhere)) == repr(replace(b, origin=nowhere))
        and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("starts", "ends", "offsets", "truncated"))
        for a, b in zip(left, right, strict=True)
    )


def records(batches: list[RawBatch]) -> list[tuple[int, str]]:
    return [(int(batch.offsets[row]), batch.line(row)) for batch in batches for row in range(len(batch))]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.log"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["packed.log", "packed.gz"])
def test_a_compressed_file_gives_the_batches_of_the_plain_one(
    plain: Path, pack: Callable[[bytes], bytes], name: str
) -> None:
    packed = plain.with_name(name)
    packed.write_bytes(pack(CONTENT))

    assert len(CONTENT) > 2 * BLOCK_BYTES
    assert same(list(read_files([packed])), list(read_files([plain])))


def test_a_gzip_file_of_several_members_is_read_to_its_end(plain: Path, tmp_path: Path) -> None:
    packed = tmp_path / "rotated.gz"
    packed.write_bytes(gzip.compress(CONTENT[:500_000]) + gzip.compress(CONTENT[500_000:]))

    assert same(list(read_files([packed])), list(read_files([plain])))


def test_standard_input_gives_the_batches_of_the_file_and_stays_open(plain: Path) -> None:
    stdin = io.BytesIO(CONTENT)

    piped = list(read_files(["-"], stdin=stdin))

    assert same(piped, list(read_files([plain])))
    assert piped[0].origin.path == "-"
    assert not stdin.closed


def test_chunks_of_any_size_give_the_records_of_the_file(plain: Path) -> None:
    framer = Framer()
    batches: list[RawBatch] = []
    for start in range(0, len(CONTENT), 65_536):
        piece = CONTENT[start : start + 65_536]
        batches += framer.push(Chunk(Origin("f", 0, "x"), start, piece, final=start + 65_536 >= len(CONTENT)))

    assert records(batches) == records(list(read_files([plain])))


def test_files_follow_each_other_and_are_told_apart(plain: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.write_bytes(b"one\n\n")
    (tmp_path / "empty.log").write_bytes(b"")

    batches = list(read_files([other, tmp_path / "empty.log", plain]))

    assert records(batches)[:3] == [(0, "one"), (4, ""), (0, "0000000 café ")]
    assert len({batch.origin.file_id for batch in batches}) == 2
    assert batches[0].origin.head == b"one\n\n"


def test_the_identity_of_a_file_does_not_depend_on_the_working_directory(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plain.parent)

    relative, absolute = (next(iter(read_files([path]))).origin.file_id for path in (plain.name, plain))

    assert relative == absolute


def test_limits_of_framing_are_obeyed(plain: Path) -> None:
    batches = list(read_files([plain], partial(Framer, 16, 100)))

    assert max(len(batch) for batch in batches) == 100
    assert max(int((batch.ends - batch.starts).max()) for batch in batches) <= 16
    assert batches[0].truncated.any()


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("gone", None, NoInputError, "gone: there is no such file"),
        ("file/below", None, NoInputError, "below: there is no such file"),
        ("", None, NoInputError, "is a directory; name a file"),
        ("cut.gz", gzip.compress(CONTENT)[:-50], DataError, "cut.gz: cannot be read to its end: Compressed file ended"),
        (
            "bad.gz",
            gzip.compress(CONTENT)[:100] + b"\xff" * 99,
            DataError,
            "bad.gz: cannot be read to its end: Error -3",
        ),
        ("bad.xz", lzma.compress(CONTENT)[:100] + b"\0" * 99, DataError, "bad.xz: cannot be read to its end: Corrupt"),
        ("bad.bz2", bz2.compress(CONTENT)[:100] + b"\0" * 99, DataError, "bad.bz2: cannot be read to its end"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "file").touch()

    with pytest.raises(error, match=message):
        list(read_files([tmp_path / name]))


def test_a_file_without_permission_is_named(monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, as in a container, may read everything

    with pytest.raises(PermissionDeniedError, match=r"plain.log: this user may not read it"):
        list(read_files([plain]))


def test_standard_input_that_is_closed_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what python makes of <&-

    with pytest.raises(NoInputError, match=r"^-: standard input is closed$"):
        list(read_files(["-"]))


def test_times_and_keys_are_added() -> None:
    time = TimeColumn("time")
    wanted = wanted_fields([Field("status", FieldType.NUMBER)], time=time, key="remote_addr")
    ingest = Ingest(access_log.build(access_log.Config(), wanted), time=time, key="remote_addr")

    batch = ingest.parse(framed(LINE, "garbage", LINE.replace("+0000", "+0100")))

    assert batch.times is not None
    assert batch.times.tolist() == pytest.approx([1_795_316_405.0, np.nan, 1_795_312_805.0], nan_ok=True)
    assert batch.keys is not None
    assert batch.keys.to_pylist() == ["10.0.0.1", None, "10.0.0.1"]
    assert batch.column("status", FieldType.NUMBER).to_pylist() == [200.0, None, 200.0]
    assert batch.ok.tolist() == [True, False, True]


def test_a_stream_without_time_and_key_has_none() -> None:
    batch = Ingest(access_log.build(access_log.Config(), []), time=None, key=None).parse(framed(LINE))

    assert (batch.times, batch.keys) == (None, None)


def test_a_time_without_year_lies_near_the_clock() -> None:
    time = TimeColumn("time", timezone="Europe/Paris")
    parser = syslog.build(syslog.Config(), wanted_fields([], time=time, key=None))
    ingest = Ingest(parser, time=time, key=None, clock=ManualClock(1_798_800_000.0))  # 1 January 2027

    batch = ingest.parse(framed("Dec 31 23:00:00 h a: b"))

    assert batch.times is not None
    assert batch.times.tolist() == [1_798_754_400.0]


def test_a_time_that_cannot_be_read_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="there is no time zone 'Nowhere'"):
        Ingest(access_log.build(access_log.Config(), []), time=TimeColumn("time", timezone="Nowhere"), key=None)


def test_every_field_is_wanted_once_and_in_order() -> None:
    number, text = Field("a", FieldType.NUMBER), Field("a", FieldType.TEXT)

    assert wanted_fields([text, number, text], time=TimeColumn("z"), key="a") == [
        number,
        text,
        Field("z", FieldType.TEXT),
    ]
    assert wanted_fields([], time=None, key=None) == []


@pytest.mark.parametrize(
    "form",
    [
        InputConfig(multiline=MultilineConfig(continuation="[37] café")),
        InputConfig(encoding="utf-16", delimiter="\r\n"),
        InputConfig(encoding="cp1252", delimiter="\0"),
    ],
)
def test_every_form_of_input_is_the_same_by_file_gzip_and_pipe(tmp_path: Path, form: InputConfig) -> None:
    text = CONTENT[:-1].decode().replace("\r\n", "\r\n" if form.delimiter == "\n" else form.delimiter)
    content = text.encode(form.encoding) + b"\xff\0\n"
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))

    from_file = list(read_files([tmp_path / "plain"], partial(Framer, form=form)))

    assert same(list(read_files([tmp_path / "packed"], partial(Framer, form=form))), from_file)
    assert same(list(read_files(["-"], partial(Framer, form=form), stdin=io.BytesIO(content))), from_file)
    assert sum(map(len, from_file)) > 10_000
    assert from_file[-1].next_offset == len(content)
