"""Framing: however bytes are split into chunks, the same records come out."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.input_config import InputConfig
from monitor.core.records import Chunk, Origin, RawBatch
from monitor.ingest.framing import Framer
from tests.framing_reference import Expected, reference

ORIGIN = Origin("f", 0, "/var/log/x")
CAP = 8


def frame(*pieces: bytes, start: int = 0, final: bool = True, framer: Framer | None = None) -> list[RawBatch]:
    framer = framer or Framer()
    batches: list[RawBatch] = []
    offset = start
    for i, piece in enumerate(pieces):
        batches += framer.push(Chunk(ORIGIN, offset, piece, final=final and i == len(pieces) - 1))
        offset += len(piece)
    return batches


def lines(batches: list[RawBatch]) -> list[str]:
    return [batch.line(row) for batch in batches for row in range(len(batch))]


def flat(batches: list[RawBatch]) -> list[Expected]:
    return [
        Expected(int(batch.offsets[row]), batch.line(row), bool(batch.truncated[row]))
        for batch in batches
        for row in range(len(batch))
    ]


def assert_promises(batch: RawBatch) -> None:
    batch.data.decode("utf-8")
    gaps = [batch.data[batch.ends[i] : batch.starts[i + 1]] for i in range(len(batch) - 1)]
    assert set(gaps) <= {b"\n", b"\r\n"}
    assert (batch.starts <= batch.ends).all()
    assert batch.data[: batch.starts[0]] == b""
    assert batch.data[batch.ends[-1] :] in {b"", b"\n", b"\r\n", b"\r"}


pieces_of_bytes = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff", b"\x00"]),
        st.binary(max_size=12),
        st.sampled_from(["é;".encode(), b"\n\n", b"\x83\x5c", b"\x81\x30\x81\x30", b"\0\0\0", b"\n\0", b"\0\n"]),
        st.sampled_from([text.encode("utf-16-le") for text in ("\ufeff", "ab\n", "\r\n", "é\r\n", "\U0001f600")]),
        st.sampled_from([text.encode("utf-16-be") for text in ("\ufeff", "abcde\n", "\r\n", "é\r\n", "\0")]),
        st.sampled_from([b"abcdefg", b"abcdefgh", b"abcdefghi", b"abcdefgh\r\n", b"abcdefgh\r\r\n"]),
    ),
    max_size=14,
)


FORMS = [
    InputConfig(encoding=encoding, delimiter=delimiter)
    for encoding, delimiter in (
        ("utf-8", "\n"), ("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("utf-8", "\0"), ("utf-8", "\n\n"), ("utf-8", "\r"),
        ("utf-8", "é;"), ("utf-16", "\n"), ("utf-16-le", "\r\n"), ("utf-16-be", "\n"), ("latin-1", "\n"),
        ("cp1252", "\0"), ("shift-jis", "\n"), ("gb18030", "\r\n"), ("ascii", "\n"),
    )
]  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    pieces=pieces_of_bytes,
    cuts=st.lists(st.integers(0, 60), max_size=8),
    batch_records=st.integers(1, 5),
)
@example(form=FORMS[0], pieces=[b"abcdefgh\r\n"], cuts=[9], batch_records=1)
@example(form=FORMS[0], pieces=[b"abcdefgh", b"\xc3\xa9\r\n", b"x\xff"], cuts=[1, 9, 10, 11], batch_records=2)
@example(form=FORMS[0], pieces=[b"\0" * 20, b"abc\n"], cuts=[3, 7], batch_records=1)
@example(form=FORMS[0], pieces=[b"a\n", b"\0" * 20, b"\n\0"], cuts=[], batch_records=5)
def test_any_split_into_chunks_gives_the_same_records(
    form: InputConfig, pieces: list[bytes], cuts: list[int], batch_records: int
) -> None:
    data = b"".join(pieces)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    chunks = [data[a:b] for a, b in pairwise(places)] or [b""]

    whole = frame(data, framer=Framer(CAP, form=form))
    split = frame(*chunks, framer=Framer(CAP, batch_records, form))

    assert flat(split) == flat(whole) == reference(data, CAP, form)
    for field in ("replaced_bytes", "dropped_bytes", "skipped_bytes"):
        assert sum(getattr(b, field) for b in split) == sum(getattr(b, field) for b in whole)
    for batch in split:
        assert_promises(batch)
        assert len(batch) <= batch_records
        assert batch.tail == data[max(0, batch.next_offset - 256) : batch.next_offset]


@settings(max_examples=200, deadline=None)
@given(form=st.sampled_from(FORMS), pieces=pieces_of_bytes, size=st.integers(1, 9))
def test_raw_ranges_cover_the_input_exactly(form: InputConfig, pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)

    batches = frame(*[data[i : i + size] for i in range(0, len(data), size)] or [b""], framer=Framer(CAP, form=form))

    reached = 0
    for batch in batches:
        assert batch.offsets[0] == reached
        assert batch.input_bytes == batch.next_offset - reached
        reached = batch.next_offset
    assert reached == len(data)


@settings(max_examples=200, deadline=None)
@given(form=st.sampled_from(FORMS), pieces=pieces_of_bytes, batch_records=st.integers(1, 3))
def test_what_follows_any_commit_is_read_the_same_after_a_restart(
    form: InputConfig, pieces: list[bytes], batch_records: int
) -> None:
    data = b"".join(pieces)
    records = reference(data, CAP, form)

    for batch in frame(data, framer=Framer(CAP, batch_records, form)):
        rest = Chunk(replace(ORIGIN, head=data), batch.next_offset, data[batch.next_offset :], final=True)
        again = flat(Framer(CAP, form=form).push(rest))

        assert again == [record for record in records if record.offset >= batch.next_offset]


def test_an_unfinished_record_waits_for_its_delimiter() -> None:
    framer = Framer()

    first = framer.push(Chunk(ORIGIN, 0, b"one\ntw"))
    pending = framer.pending_bytes
    second = framer.push(Chunk(ORIGIN, 6, b"o\n"))

    assert (lines(first), first[0].next_offset, pending) == (["one"], 4, 2)
    assert (lines(second), second[0].offsets.tolist(), framer.pending_bytes) == (["two"], [4], 0)


def test_the_final_chunk_completes_the_last_record() -> None:
    framer = Framer()
    assert framer.push(Chunk(ORIGIN, 0, b"half")) == []

    batches = framer.push(Chunk(ORIGIN, 4, b"", final=True))

    assert (lines(batches), batches[0].next_offset) == (["half"], 4)


def test_nothing_is_made_of_an_empty_end() -> None:
    assert lines(frame(b"one\n", b"")) == ["one"]
    assert frame(b"") == []


def test_one_carriage_return_is_stripped_wherever_the_chunk_ends() -> None:
    assert lines(frame(b"a\r", b"\nb\r\r\n\r\nc\r")) == ["a", "b\r", "", "c"]


def test_bytes_that_are_not_utf8_are_replaced_and_counted() -> None:
    batches = frame(b"ok\nbad \xff\xfe\xc3 \xef\xbf\xbd\r\nnext\n")

    assert lines(batches) == ["ok", "bad \ufffd\ufffd\ufffd \ufffd", "next"]
    assert batches[0].replaced_bytes == 3
    assert (batches[0].offsets.tolist(), batches[0].next_offset) == ([0, 3, 16], 21)


def test_a_character_split_over_chunks_stays_whole() -> None:
    batches = frame(b"caf\xc3", b"\xa9\n")

    assert (lines(batches), batches[0].replaced_bytes) == (["café"], 0)


def test_nul_bytes_within_a_record_stay() -> None:
    assert lines(frame(b"a\0b\nc\0\n")) == ["a\0b", "c\0"]


def test_a_hole_before_a_record_is_left_out_and_counted() -> None:
    batches = frame(b"one\n" + bytes(10), bytes(20), b"\0two\nthree\n")

    assert lines(batches) == ["one", "two", "three"]
    assert sum(batch.skipped_bytes for batch in batches) == 31
    assert [batch.offsets.tolist() for batch in batches] == [[0], [4, 39]]


def test_a_byte_order_mark_is_dropped_at_file_offset_0_only() -> None:
    marked = b"\xef\xbb\xbfone\n"

    assert lines(frame(marked + marked)) == ["one", "\ufeffone"]
    assert lines(frame(marked, start=7)) == ["\ufeffone"]
    assert frame(marked)[0].offsets.tolist() == [0]


def test_an_over_long_record_keeps_its_first_bytes_and_counts_the_rest() -> None:
    batches = frame(b"short\n" + b"x" * 20 + b"\r\nnext\n", framer=Framer(CAP))

    assert flat(batches) == [(0, "short", False), (6, "x" * 8, True), (28, "next", False)]
    assert batches[0].dropped_bytes == 12


def test_an_over_long_record_is_not_cut_inside_a_character() -> None:
    batches = frame("abcdefgé rest\n".encode(), framer=Framer(CAP))

    assert (lines(batches), batches[0].replaced_bytes, batches[0].dropped_bytes) == (["abcdefg"], 0, 7)


def test_a_line_without_end_is_held_in_constant_memory() -> None:
    cap, piece = 262_144, b"y" * 65_536
    framer = Framer(cap)
    most_held = 0

    tracemalloc.start()
    for i in range(1600):  # 100 MiB
        assert framer.push(Chunk(ORIGIN, i * len(piece), piece)) == []
        most_held = max(most_held, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    batches = framer.push(Chunk(ORIGIN, 1600 * len(piece), b"\nafter\n"))

    assert most_held <= 2 * cap
    assert [len(batches[0].line(0)), batches[0].line(1)] == [cap, "after"]
    assert batches[0].dropped_bytes == 1600 * len(piece) - cap
    assert batches[0].truncated.tolist() == [True, False]


def test_batches_hold_at_most_the_number_of_records_asked_for() -> None:
    batches = frame(b"a\nb\nc\nd\ne", framer=Framer(max_batch_records=2))

    assert [len(b) for b in batches] == [2, 2, 1]
    assert [b.next_offset for b in batches] == [4, 8, 9]


def test_the_tail_reaches_back_over_chunks_and_batches() -> None:
    data = b"".join(b"line %04d\n" % i for i in range(100))

    batches = frame(*[data[i : i + 7] for i in range(0, len(data), 7)], framer=Framer(max_batch_records=3))

    for batch in batches:
        assert batch.tail == data[max(0, batch.next_offset - 256) : batch.next_offset]


def test_the_tail_grows_from_a_resumed_offset() -> None:
    batches = frame(b"new\nmore\n", start=1000, framer=Framer(max_batch_records=1))

    assert [b.tail for b in batches] == [b"new\n", b"new\nmore\n"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Chunk(ORIGIN, 5, b"x"), r"/var/log/x .*: chunk at offset 5, expected 4"),
        (Chunk(Origin("f", 1, "/var/log/x"), 4, b"x"), r"one epoch of one origin; got /var/log/x \(f, epoch 1\)"),
        (Chunk(Origin("g", 0, "/var/log/y"), 4, b"x"), r"one epoch of one origin; got /var/log/y \(g, epoch 0\)"),
    ],
)
def test_a_chunk_that_does_not_follow_is_refused(second: Chunk, message: str) -> None:
    framer = Framer()
    framer.push(Chunk(ORIGIN, 0, b"one\n"))

    with pytest.raises(ValueError, match=message):
        framer.push(second)


def test_nothing_may_follow_the_final_chunk() -> None:
    framer = Framer()
    framer.push(Chunk(ORIGIN, 0, b"one\n", final=True))

    with pytest.raises(ValueError, match="a chunk follows the final one"):
        framer.push(Chunk(ORIGIN, 4, b"x"))


def test_senseless_caps_are_refused() -> None:
    with pytest.raises(ValueError, match="max_record_bytes must be at least 4 and max_batch_records at least 1"):
        Framer(max_record_bytes=3)


def test_a_moved_file_keeps_its_framer_and_reports_its_new_path() -> None:
    framer = Framer()
    framer.push(Chunk(ORIGIN, 0, b"one\nt"))

    batches = framer.push(Chunk(Origin("f", 0, "/var/log/x.1", head=b"one\nt"), 5, b"wo\n"))

    assert (lines(batches), batches[0].origin.path) == (["two"], "/var/log/x.1")
