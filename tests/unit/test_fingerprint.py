from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.fingerprint import MAX_PREFIXES, prefixes, repeated

HEADS = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"def\n"]), max_size=300).map(b"".join)


def test_nothing_is_known_of_nothing() -> None:
    assert prefixes(b"") == ()
    assert repeated((), b"anything") is None


def test_a_file_that_ends_before_the_first_line_of_a_known_one_does_may_be_another() -> None:
    assert repeated(prefixes(b"one line\n"), b"one li") is None


def test_a_beginning_that_is_too_short_is_known_by_its_whole_lines() -> None:
    known = prefixes(b"one\ntwo\nthree")

    assert [repeated(known, text) for text in (b"one\n", b"one\ntw", b"one\ntwo\nthr", b"one\ntwo\nthree")] == [
        4,
        4,
        8,
        13,
    ]
    assert repeated(known, b"one\nTwo\n") is None


@given(HEADS.filter(bool), HEADS)
def test_no_more_is_taken_for_the_same_than_is(head: bytes, other: bytes) -> None:
    known = prefixes(head)

    assert repeated(known, head) == len(head)
    assert len(known) <= MAX_PREFIXES
    for beginning in (head + other, other, head[: len(other)]):
        same = repeated(known, beginning[: len(head)])
        assert same is None or beginning[:same] == head[:same]
