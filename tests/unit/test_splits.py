"""Files in pieces: put together they are the file, batch by batch."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.errors import NoInputError
from monitor.core.input_config import InputConfig, MultilineConfig
from monitor.core.records import RawBatch
from monitor.ingest import reading, splits
from monitor.ingest.framing import Framer
from monitor.ingest.reading import read_files
from monitor.ingest.splits import Split, read_split
from monitor.ingest.splits import splits as split_files

BLOCK = 64
NEW_FRAMER = partial(Framer, 40, 5)
LINES = st.lists(
    st.one_of(st.binary(max_size=30), st.sampled_from([b"", b"\r", b"x" * 300, b"\xff" * 50, b"\0\0a"])), max_size=60
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(splits, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(splits, "LOOK_BYTES", 16)


def shown(batches: list[RawBatch]) -> list[tuple[Any, ...]]:
    """All that a batch says but for its tail, which reaches back over the beginning of a piece."""
    return [
        (
            batch.origin.file_id, batch.origin.path, batch.data, batch.starts.tolist(), batch.ends.tolist(),
            batch.offsets.tolist(), batch.next_offset, batch.truncated.tolist(), batch.replaced_bytes,
            batch.dropped_bytes, batch.skipped_bytes, batch.input_bytes,
        )
        for batch in batches
    ]  # fmt: skip


def in_pieces(path: Path, blocks: int, form: InputConfig | None = None) -> tuple[list[Split], list[RawBatch]]:
    form = form or InputConfig()
    pieces = list(split_files([path], blocks, form))
    return pieces, [batch for piece in pieces for batch in read_split(piece, partial(NEW_FRAMER, form))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(lines=LINES, ended=st.booleans(), blocks=st.integers(1, 3), bom=st.booleans())
def test_pieces_have_the_batches_of_the_whole(
    tmp_path: Path, lines: list[bytes], ended: bool, blocks: int, bom: bool
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" * bom + b"\n".join(lines) + b"\n" * ended)

    pieces, batches = in_pieces(path, blocks)

    assert shown(batches) == shown(list(read_files([path], NEW_FRAMER)))
    assert [piece.begin for piece in pieces] == sorted({piece.begin for piece in pieces})


def test_a_file_is_split_where_its_size_says(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"123456789\n" * 100)

    pieces, _ = in_pieces(path, 2)

    assert [(piece.begin, piece.end) for piece in pieces[:2]] == [(0, 128), (120, 256)]
    assert len(pieces) == 8
    assert [piece.last for piece in pieces] == [False] * 7 + [True]


def test_a_record_of_many_blocks_is_not_split(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"x" * 1000 + b"\nb\n")

    pieces, batches = in_pieces(path, 1)

    assert [str(piece) for piece in pieces] == [f"{path}, bytes 0 to 64", f"{path}, bytes 2 to 1,005"]
    assert sum(map(len, batches)) == 3


def test_what_is_written_meanwhile_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n2\n")
    (piece,) = split_files([path], 1)
    with path.open("ab") as log:
        log.write(b"3\n")

    assert sum(map(len, read_split(piece, NEW_FRAMER))) == 2


@pytest.mark.parametrize(
    "form",
    [
        InputConfig(encoding="utf-16-le"),
        InputConfig(delimiter=";"),
        InputConfig(multiline=MultilineConfig(start="^[a-z]")),
    ],
    ids=["utf-16", "delimiter", "multiline"],
)
def test_what_does_not_end_with_a_line_is_one_piece(tmp_path: Path, form: InputConfig) -> None:
    path = tmp_path / "log"
    path.write_bytes("a;\nb;\n".encode(form.encoding) * 100)

    pieces, batches = in_pieces(path, 1, form)

    assert pieces == [Split(str(path))]
    assert shown(batches) == shown(list(read_files([path], partial(NEW_FRAMER, form))))


def test_what_is_packed_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(b"1\n" * 1000))

    pieces, batches = in_pieces(path, 1)

    assert pieces == [Split(str(path))]
    assert sum(map(len, batches)) == 1000


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (piece,) = split_files([tmp_path / "none"], 1)

    with pytest.raises(NoInputError, match="none: there is no such file"):
        list(read_split(piece))
