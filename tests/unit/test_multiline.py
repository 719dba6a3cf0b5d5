"""Records of several lines: however bytes and restarts fall, the same groups come out."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.input_config import InputConfig
from monitor.core.records import Chunk, Origin, RawBatch
from monitor.ingest.framing import Framer
from tests.framing_reference import Expected, reference

ORIGIN = Origin("f", 0, "/var/log/x")
CAP = 12
JAVA = b"""2026-11-22 03:00:01 ERROR pool-1 failed
java.lang.IllegalStateException: no
\tat com.example.Pool.take(Pool.java:71)
Caused by: java.io.IOException: gone
\t... 12 more
2026-11-22 03:00:02 INFO pool-1 back
"""
FORMS = [
    InputConfig.model_validate({"multiline": options, **others})
    for options in (
        {"start": "^[0-9]"},
        {"continuation": r"^(\s|$)"},
        {"start": "^[0-9]", "max_lines": 2},
        {"continuation": "^[^0-9]", "max_bytes": 5},
        {"start": "x$", "max_lines": 1},
    )
    for others in ({}, {"encoding": "utf-16-le"}, {"delimiter": "\r\n"}, {"delimiter": ";"})
]


def form(**options: object) -> InputConfig:
    return InputConfig.model_validate({"multiline": options or {"start": r"^\d{4}-"}})


def flat(batches: list[RawBatch]) -> list[Expected]:
    return [
        Expected(int(batch.offsets[row]), batch.line(row), bool(batch.truncated[row]))
        for batch in batches
        for row in range(len(batch))
    ]


def push(framer: Framer, data: bytes, start: int = 0, **flags: bool) -> list[Expected]:
    return flat(framer.push(Chunk(ORIGIN, start, data, **flags)))


def quiet(framer: Framer, offset: int, seconds: float) -> list[Expected]:
    return flat(framer.push(Chunk(ORIGIN, offset, b"", quiet_seconds=seconds)))


words = st.sampled_from(
    ["1", "22 x", " a", "\n", "\r\n", "\n\n", ";", "é", "x", "\t\n", "0123456789abcdef", "\0", "7\n"]
)


@settings(max_examples=1000, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    pieces=st.lists(words, max_size=16),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    batch_records=st.integers(1, 4),
)
@example(form=FORMS[0], pieces=["1\n a\n", " b\r\n", "2\n"], cuts=[3, 8], batch_records=1)
def test_any_split_and_any_restart_give_the_same_groups(
    form: InputConfig, pieces: list[str], cuts: list[int], batch_records: int
) -> None:
    data = "".join(pieces).encode(form.encoding)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    framer = Framer(CAP, batch_records, form)
    whole = Framer(CAP, form=form).push(Chunk(ORIGIN, 0, data, final=True))

    split = [batch for a, b in pairwise(places) for batch in framer.push(Chunk(ORIGIN, a, data[a:b]))]
    split += framer.push(Chunk(ORIGIN, len(data), b"", final=True))

    expected = reference(data, CAP, form)
    assert flat(split) == flat(whole) == expected
    for field in ("replaced_bytes", "dropped_bytes", "skipped_bytes", "input_bytes"):
        assert sum(getattr(b, field) for b in split) == sum(getattr(b, field) for b in whole)
    reached = 0
    for batch in split:
        assert (batch.offsets[0], batch.input_bytes) == (reached, batch.next_offset - reached)
        assert batch.tail == data[max(0, batch.next_offset - 256) : batch.next_offset]
        assert {batch.data[end:start] for end, start in zip(batch.ends[:-1], batch.starts[1:], strict=True)} <= {b"\n"}
        reached = batch.next_offset
        rest = Chunk(replace(ORIGIN, head=data), reached, data[reached:], final=True)
        assert flat(Framer(CAP, form=form).push(rest)) == [each for each in expected if each.offset >= reached]
    assert reached == len(data)


@pytest.mark.parametrize("options", [{"start": r"^\d{4}-"}, {"continuation": r"^(\s|Caused by:|java\.)"}])
def test_a_stack_trace_is_one_record(options: dict[str, str]) -> None:
    (first, second) = push(Framer(form=form(**options)), JAVA, final=True)

    assert first.text == JAVA.decode().partition("\n2026-11-22 03:00:02")[0]
    assert second.text == "2026-11-22 03:00:02 INFO pool-1 back"


def test_the_last_group_is_held_back_and_progress_stops_before_it() -> None:
    framer = Framer(form=form())

    batches = framer.push(Chunk(ORIGIN, 0, JAVA + b"\tat half"))

    start = JAVA.index(b"2026-11-22 03:00:02")
    assert [(len(batch), batch.next_offset, batch.tail) for batch in batches] == [(1, start, JAVA[:start][-256:])]


def test_a_group_is_complete_when_nothing_followed_for_the_timeout() -> None:
    framer = Framer(form=form(start="^[0-9]", timeout_seconds=3))
    assert push(framer, b"1 a\n b\nhal") == []

    assert quiet(framer, 10, 2.9) == []
    batches = framer.push(Chunk(ORIGIN, 10, b"", quiet_seconds=3.0))

    assert flat(batches) == [(0, "1 a\n b", False)]
    assert (batches[0].next_offset, batches[0].tail) == (7, b"1 a\n b\n")
    assert push(framer, b"f\n2 c\n", 10) == [(7, "half", False)]


def test_a_line_without_delimiter_is_complete_when_that_is_configured_alone() -> None:
    patient, hasty = Framer(), Framer(form=InputConfig(force_flush_after_seconds=2.0))
    for framer in (patient, hasty):
        assert push(framer, b"half") == []

    assert quiet(patient, 4, math.inf) == []
    assert quiet(hasty, 4, 1.9) == []
    assert quiet(hasty, 4, 2.0) == [(0, "half", False)]
    assert push(hasty, b" more\n", 4) == [(4, " more", False)]


def test_half_a_character_is_not_forced_out() -> None:
    framer = Framer(form=InputConfig(encoding="utf-16-le", force_flush_after_seconds=2.0))
    assert push(framer, b"a\0b") == []

    assert quiet(framer, 3, 2.0) == []
    assert push(framer, b"\0\n\0", 3) == [(0, "ab", False)]


def test_groups_beyond_the_limits_are_cut_and_counted_in_constant_memory() -> None:
    framer = Framer(form=form(start="^start", max_lines=1000, max_bytes=10_000))
    block = b"continued line of a group without end\n" * 5000
    framer.push(Chunk(ORIGIN, 0, b"start\n"))
    offset, most_held = 6, 0

    tracemalloc.start()
    for _ in range(100):  # 19 MB
        assert framer.push(Chunk(ORIGIN, offset, block)) == []
        offset += len(block)
        most_held = max(most_held, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    (batch,) = framer.push(Chunk(ORIGIN, offset, b"start\n"))

    assert most_held < 100_000
    assert (len(batch.line(0)), batch.truncated.tolist()) == (10_000, [True])
    assert batch.dropped_bytes == offset - 1 - 10_000


def test_bytes_of_a_group_that_are_wrong_are_counted_with_it() -> None:
    framer = Framer(form=form(start="^[0-9]"))

    first = framer.push(Chunk(ORIGIN, 0, b"1 \xff\n \xff\xff\n2 \xff\n \xff"))
    second = framer.push(Chunk(ORIGIN, 14, b"\n", final=True))

    assert [batch.replaced_bytes for batch in first + second] == [3, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"multiline": {}}, "give either `start`.*or `continuation`"),
        ({"multiline": {"start": "a", "continuation": "b"}}, "give either `start`"),
        ({"multiline": {"start": "(?=a)"}}, r"RE2 cannot run this pattern: .*look-ahead"),
        ({"encoding": "utf8x"}, "there is no encoding 'utf8x'"),
        ({"encoding": "utf-7"}, "there is no encoding 'utf-7'"),
        ({"encoding": "latin-1", "delimiter": "→"}, "the delimiter '→' does not exist in latin-1"),
        ({"encoding": "gbk", "delimiter": "|"}, r"'\|' may be part of a character in gbk"),
    ],
)
def test_input_that_cannot_be_read_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        InputConfig.model_validate(options)
