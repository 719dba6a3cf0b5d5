"""Messages of a broker as records: each whole, with the broker's number, whatever its bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.input_config import InputConfig
from monitor.core.records import Messages, Origin, RawBatch
from monitor.ingest.framing import Framer

TOPIC = Origin("kafka-logs-3", 0, "kafka:logs[3]")


def framed(payloads: list[bytes], cap: int = 1000, encoding: str = "utf-8", first: int = 40) -> RawBatch:
    numbers = range(first, first + len(payloads))
    framer = Framer(cap, form=InputConfig(encoding=encoding))
    [raw] = framer.whole(Messages(TOPIC, payloads, numbers, numbers[-1] + 1))
    return raw


def lines(raw: RawBatch) -> list[str]:
    return [raw.line(row) for row in range(len(raw))]


@given(st.lists(st.binary(max_size=12).filter(lambda each: not each.endswith(b"\n")), min_size=1))
def test_each_message_is_one_record_as_it_would_be_alone(payloads: list[bytes]) -> None:
    assert lines(framed(payloads)) == [payload.decode("utf-8", errors="replace") for payload in payloads]


@given(
    st.lists(st.text("ab\n\r\u010d", max_size=6).filter(lambda each: not each.endswith("\n")), min_size=1),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "iso-8859-2"]),
)
def test_line_feeds_within_a_message_stay_in_every_encoding(texts: list[str], encoding: str) -> None:
    assert lines(framed([text.encode(encoding) for text in texts], encoding=encoding)) == texts


def test_numbers_are_places_and_the_next_one_is_progress() -> None:
    raw = framed([b"a", b"b", b"c"], first=7)

    assert raw.offsets.tolist() == [7, 8, 9]
    assert (raw.next_offset, raw.tail, raw.input_bytes, raw.origin) == (10, b"", 3, TOPIC)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_one_line_end_behind_a_message_is_no_part_of_it(ending: bytes) -> None:
    assert lines(framed([b"a" + ending, b"b\n" + ending, b"c"])) == ["a", "b\n", "c"]


def test_of_a_long_message_whole_characters_are_kept_and_the_rest_is_counted() -> None:
    raw = framed([b"short", "\u010d\u010d\u010d".encode()], cap=5)

    assert lines(raw) == ["short", "\u010d\u010d"]
    assert raw.truncated.tolist() == [False, True]
    assert raw.dropped_bytes == 2


def test_bytes_that_are_not_of_the_encoding_are_counted_and_spoil_no_other_message() -> None:
    raw = framed([b"a\xc4", b"\x8db"])

    assert lines(raw) == ["a\ufffd", "\ufffdb"]
    assert raw.replaced_bytes == 2


def test_messages_without_any_text_are_records_too() -> None:
    assert lines(framed([b"", b"a", b""])) == ["", "a", ""]
