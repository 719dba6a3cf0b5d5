"""Text shown to people can neither move their cursor nor forge a line, and is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.printable import printable

ANY_TEXT = st.text(alphabet=st.characters(codec=None, categories=None), max_size=60)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nERROR b\tc", r"a\r\nERROR b\tc"),
        ("\x00\x7f", r"\x00\x7f"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066\u2069\u200e\u061c", r"\u2066\u2069\u200e\u061c"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\u200b\ufeff\u00ad", r"\u200b\ufeff\xad"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@pytest.mark.parametrize("text", ["", "GET /a?b=1", r"C:\temp\x1b", "Straße 東京 🚀", '"quoted"'])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc\n", 5, "abc\\n"),
        ("abcd\n", 5, "abcd…"),
        ("a\x1b\x1b", 6, "a\\x1b…"),
        ("\x1b\x1b", 4, "…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_long_text_is_cut_between_two_escapes(text: str, limit: int, shown: str) -> None:
    assert printable(text, limit=limit) == shown


@given(text=ANY_TEXT, limit=st.integers(0, 80))
@settings(max_examples=200, deadline=None)
def test_the_result_is_printable_bounded_encodable_and_stable(text: str, limit: int) -> None:
    shown = printable(text, limit=limit)

    assert shown.isprintable()
    assert len(shown) <= limit
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert printable(shown, limit=limit) == shown


@given(text=ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_where_there_is_room(text: str) -> None:
    without_backslashes = text.replace("\\", "/")

    shown = printable(without_backslashes, limit=1000)

    restored = shown.encode("ascii", "backslashreplace").decode("unicode_escape")
    assert restored == without_backslashes
