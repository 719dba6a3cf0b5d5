"""Texts that mean the same have the same template, whatever stands beside them in the column."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import strings
from monitor.core.spans import mix, read_spans
from monitor.core.strings import Texts, pieces, texts
from monitor.core.tokens import Tokens, masked_text, text_hashes, tokenise

ALPHABET = "ab1 F_-:.,+/=é\0\n"
TEXTS = st.one_of(st.text(ALPHABET, max_size=30), st.text(max_size=12), st.sampled_from(["a" * 40, "-" * 40 + "b", ""]))
COLUMNS = st.lists(st.none() | TEXTS, min_size=1, max_size=12)
some = settings(max_examples=150, deadline=None)


def read(*values: str | None, max_bytes: int = 4096) -> Texts:
    return texts(pa.array(values, type=pa.string()), max_bytes)


def templates(*values: str | None) -> list[int]:
    found: list[int] = tokenise(read(*values)).templates.tolist()
    return found


def words_of(tokens: Tokens, row: int) -> list[int]:
    found: list[int] = tokens.words[tokens.rows == row].tolist()
    return found


def plain_template(text: str) -> tuple[str, ...]:
    """The rule of the module's docstring, one text at a time: words and gaps in turn, the first and last are gaps."""
    parts = re.split(r"([A-Za-z0-9_\u0080-\U0010ffff]+)", text)
    words, gaps = parts[1::2], parts[0::2]
    masked = [any(c in "0123456789" for c in word) for word in words]
    for _ in range(7):
        before = list(masked)
        for k, word in enumerate(words):
            tied = (k > 0 and before[k - 1] and gaps[k] in {"-", ":"}) or (
                k + 1 < len(words) and before[k + 1] and gaps[k + 1] in {"-", ":"}
            )
            if tied and re.fullmatch(r"[A-Fa-f]+", word) and len(word) in {2, 4, 8, 12}:
                masked[k] = True
    result = [blank(gaps[0])]
    for k, word in enumerate(words):
        if k > 0 and masked[k] and masked[k - 1] and gaps[k] in {".", ",", ":", "-", "+"}:
            result[-1] = blank(gaps[k + 1])
        else:
            result += ["<*>" if masked[k] else word, blank(gaps[k + 1])]
    return tuple(result)


def blank(gap: str) -> str:
    return " " if re.fullmatch(" +", gap) else gap


@some
@given(COLUMNS)
def test_templates_are_equal_exactly_when_the_rule_says_so(column: list[str | None]) -> None:
    found = templates(*column)

    rule = [plain_template(text or "") for text in column]
    for i in range(len(column)):
        for j in range(i):
            assert (found[i] == found[j]) == (rule[i] == rule[j]), (column[i], column[j])


@some
@given(COLUMNS, st.data())
def test_neighbours_in_the_column_make_no_difference(column: list[str | None], data: st.DataObject) -> None:
    array = pa.array(column, type=pa.string())
    start = data.draw(st.integers(0, len(column) - 1))
    stop = data.draw(st.integers(start + 1, len(column)))

    whole, part = tokenise(texts(array, 64)), tokenise(texts(array.slice(start, stop - start), 64))

    np.testing.assert_array_equal(part.templates, whole.templates[start:stop])
    np.testing.assert_array_equal(part.bag(8), whole.bag(8)[start:stop])
    assert [words_of(part, row) for row in range(stop - start)] == [words_of(whole, row) for row in range(start, stop)]


@some
@given(
    COLUMNS, st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
)
def test_every_layout_of_strings_reads_the_same(column: list[str | None], kind: pa.DataType) -> None:
    found = texts(pa.array(column, type=pa.string()).cast(kind), 16)

    plain = texts(pa.array(column, type=pa.string()), 16)
    assert found.data == plain.data
    assert found.missing.tolist() == [value is None for value in column]
    assert found.lengths.tolist() == [len((value or "").encode()) for value in column]


def test_hashes_never_change_because_models_are_stored_with_them() -> None:
    tokens = tokenise(read("user root logged in from 10.0.0.1", "a considerably-longerwordthan8", "", "  x"))

    assert [f"{template:016x}" for template in tokens.templates.tolist()] == [
        "e74786d95a609304",
        "5cb26da0b6032339",
        "0000000000000000",
        "15bff5e4fbb9033d",
    ]
    assert [f"{word:016x}" for word in tokens.words.tolist()] == [
        "2b3c1a13f1ac6847",
        "a3484de4a62262c2",
        "2b029fac30f90fba",
        "48b4bdded3318f31",
        "a3d288bb46e941ae",
        "52298a58e652be78",
        "8015e2f054b292bf",
        "f6cc765e24da7cc9",
    ]
    assert [f"{value:016x}" for value in text_hashes(read("", "10.0.0.1", "a" * 20)).tolist()] == [
        "0000000000000000",
        "cec802b796e3af96",
        "21a2cc957f74fdb0",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 5 ms", "took 123456 ms"),
        ("took 5 ms", "took 0.25 ms"),
        ("took 5 ms", "took 1.5e-05 ms"),
        ("from 10.0.0.1 port 22", "from 192.168.17.254:8080 port 4"),
        ("at 12:00:01,123 ok", "at 23:59:59.999+01:00 ok"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id deadbeef-abcd-fade-beef-446655440000"),
        ("mac 00:1a:2b:3c:4d:5e", "mac aa:bb:cc:dd:ee:0f"),
        ("Jan  3 10:00", "Jan 13 10:00"),
        ("sha 9f86d081884c7d65", "sha 2c26b46b68ffc68f"),
    ],
)
def test_values_do_not_change_the_template(one: str, other: str) -> None:
    first, second = templates(one, other)

    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "b a"),
        ("a b a c a", "a c a b a"),
        ("a=b", "a:b"),
        ("a", "a "),
        ("a", " a"),
        ("a", "a\0"),
        ("a 1", "a 1 1"),
        ("1=1", "1=1=1"),
        ("ab c", "a bc"),
        ("-", "--"),
        ("", " "),
        ("Root", "root"),
        ("x" * 8, "x" * 9),
        ("x" * 30 + "y" + "x" * 30, "x" * 31 + "y" + "x" * 29),
        ("a" + "-" * 50 + "=" + "-" * 50 + "b", "a" + "-" * 51 + "=" + "-" * 49 + "b"),
        ("face-to-face", "fact-to-face"),
    ],
)
def test_any_other_difference_changes_the_template(one: str, other: str) -> None:
    first, second = templates(one, other)

    assert first != second


def test_words_do_not_run_from_one_text_into_the_next() -> None:
    together, apart = tokenise(read("ab", "cd")), tokenise(read("abcd"))

    assert len(together.words) == 2
    assert apart.words[0] not in together.words
    assert together.rows.tolist() == [0, 1]


def test_masked_words_are_in_no_bag() -> None:
    tokens = tokenise(read("a 1 b22 c", "7", None, ""))

    assert tokens.bag(4).sum(axis=1).tolist() == [2, 0, 0, 0]
    assert tokens.rows.tolist() == [0, 0]


def test_buckets_are_filled_evenly() -> None:
    tokens = tokenise(read(*(f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzABCD")))

    counts = tokens.bag(32).sum(axis=0)

    assert counts.sum() == 1000
    assert counts.max() < 60  # 31 on average, 6 standard deviations above it are 64


def test_only_the_first_bytes_count_but_the_length_is_whole() -> None:
    found = read("é" * 40, "é" * 32 + "x" * 1_000_000, max_bytes=64)

    assert found.lengths.tolist() == [80, 1_000_064]
    hashes = text_hashes(found)
    assert hashes[0] == hashes[1]


def test_bytes_hidden_in_a_missing_slot_are_not_read() -> None:
    data = pa.py_buffer(b"abSECRETcd")
    offsets = pa.py_buffer(np.array([0, 2, 8, 10], dtype=np.int32))
    column = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(bytes([0b101])), offsets, data])

    found = texts(column, 64)

    assert found.data.rstrip(b"\0") == b"ab\0\0cd"
    assert found.lengths.tolist() == [2, 0, 2]


def test_pieces_cover_every_row_and_bound_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "PIECE_BYTES", 100)
    monkeypatch.setattr(strings, "PIECE_ROWS", 7)
    column = pa.array(["x" * (i * 37 % 150) for i in range(60)] + [None])

    found = list(pieces(column, 120))

    assert [row for rows, _ in found for row in range(rows.start, rows.stop)] == list(range(61))
    assert all(len(piece) <= 7 for _, piece in found)
    assert all(piece.size - len(piece) <= 100 or len(piece) == 1 for _, piece in found)
    assert np.concatenate([piece.lengths for _, piece in found]).tolist() == [i * 37 % 150 for i in range(60)] + [0]


def test_no_rows_are_no_pieces() -> None:
    assert list(pieces(pa.array([], type=pa.string()), 10)) == []
    assert len(tokenise(read()).templates) == 0
    assert len(tokenise(texts(pa.nulls(2), 10)).templates) == 2


@some
@given(st.binary(max_size=60), st.data())
def test_spans_hash_what_they_hold(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    length = draw.draw(st.integers(0, len(data) - start))
    words = np.frombuffer(data + bytes(24 - len(data) % 8), dtype="<u8")
    alone = np.frombuffer(data[start : start + length] + bytes(24 - length % 8), dtype="<u8")

    inside = read_spans(words, np.array([start]), np.array([length]))
    outside = read_spans(alone, np.array([0]), np.array([length]))

    assert inside.hash().tolist() == outside.hash().tolist()
    assert inside.filled_with(0x61).tolist() == [set(data[start : start + length]) <= {0x61}]


def test_mixing_is_one_to_one() -> None:
    numbers = np.arange(10_000, dtype=np.uint64)

    assert len(np.unique(mix(numbers))) == 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Failed password for root from 10.0.0.1 port 22 ssh2", "Failed password for root from <*> port <*> <*>"),
        ("12:00:01,5 [x] 7%", "<*> [x] <*>%"),
        ("", ""),
        ("no values here.", "no values here."),
        ("é1 é", "<*> é"),
    ],
)
def test_templates_are_shown_with_their_values_masked(text: str, shown: str) -> None:
    column = read("1 before", text, "after 2")

    assert masked_text(column, 1) == shown
