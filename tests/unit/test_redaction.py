"""Secrets are replaced wherever they stand, and nothing else is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.records import Field, FieldType
from monitor.core.redaction import MARK, SECRETS, Redaction, checked
from tests.records import records

MESSAGE = Field("message", FieldType.TEXT)
OURS = Redaction([SECRETS])
KEY = "-----BEGIN RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /login?user=ann&password=hunter2&x=1", f"GET /login?user=ann&password={MARK}&x=1"),
        ("Authorization: Bearer abc.def-1", f"Authorization: {MARK}"),
        ('{"db_passwd": "a b, c", "n": 1}', f'{{"db_passwd": "{MARK}", "n": 1}}'),
        (r"{\"token\": \"x1\"}", rf"{{\"token\": \"{MARK}\"}}"),
        ("X-API-Key: 12345, next", f"X-API-Key: {MARK}, next"),
        ("PWD : s3cret", f"PWD : {MARK}"),
        ("client_secret='q q'", f"client_secret='{MARK}'"),
        ("aws_secret_access_key=wJalrXUtnFEMI/K7", f"aws_secret_access_key={MARK}"),
        ("user AKIAIOSFODNN7EXAMPLE came", f"user {MARK} came"),
        (f"{KEY}\nMIIE\nqq==\n-----END RSA PRIVATE KEY----- x", f"{KEY}{MARK} x"),
        (f"{KEY}\nMIIE and no end", f"{KEY}{MARK}"),
    ],
)
def test_a_secret_is_replaced_in_a_text_and_in_a_column(text: str, left: str) -> None:
    assert OURS.text(text) == left
    assert OURS.column(MESSAGE, pa.array(["a", text, None])).to_pylist() == ["a", left, None]
    assert OURS.text(left) == left


@pytest.mark.parametrize("text", ["session=1 version=2", "monkey=", "a token ring", "secret", "KIA EYE", "at 10:00:01"])
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert OURS.text(text) == text


@given(st.lists(st.none() | st.text("pwd=: KEYAI01\"'\\tokens", max_size=40), max_size=8))
def test_the_quick_look_misses_nothing_that_the_patterns_find(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())

    assert OURS.column(MESSAGE, column).to_pylist() == OURS.texts(column).to_pylist()


def test_a_field_that_is_named_like_a_secret_has_no_other_value() -> None:
    column = pa.array(["hunter2", None])

    assert OURS.column(Field("user.password", FieldType.TEXT), column).to_pylist() == [MARK, None]
    assert OURS.column(Field("tokens_used", FieldType.TEXT), column).to_pylist() == ["hunter2", None]


def test_lists_of_texts_keep_their_shape() -> None:
    column = pa.array([["a"], ["pwd=1", None, "b"], None, []], pa.list_(pa.string()))

    found = OURS.column(Field("args", FieldType.TEXTS), column.slice(1))

    assert found.to_pylist() == [[f"pwd={MARK}", None, "b"], None, []]


def test_own_patterns_keep_their_first_group_and_stand_for_themselves() -> None:
    own = Redaction([r"(user=)\w+", r"[0-9]{4}-[0-9]{4}"])

    assert own.text("user=ann 1234-5678 pwd=x") == f"user={MARK} {MARK} pwd=x"
    assert own.column(MESSAGE, pa.array(["user=ann"])).to_pylist() == [f"user={MARK}"]


def test_without_patterns_everything_stays() -> None:
    assert Redaction([]).text("password=hunter2") == "password=hunter2"


def test_times_and_keys_of_a_batch_stay() -> None:
    batch = records(message=["token=1"], level=[1.5], times=[3.0], keys=["token=1"])

    found = OURS.records(batch)

    assert found.column("message", FieldType.TEXT).to_pylist() == [f"token={MARK}"]
    assert found.keys is batch.keys
    assert (found.times, found.column("level", FieldType.NUMBER)[0].as_py()) == (batch.times, 1.5)


def test_a_pattern_that_cannot_be_run_or_matches_everywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="RE2 cannot run this pattern"):
        checked([r"(?=x)"])
    with pytest.raises(ValueError, match="'a\\*' also matches nothing at all"):
        checked([SECRETS, "a*"])
    assert checked([SECRETS, "a+"]) == [SECRETS, "a+"]
