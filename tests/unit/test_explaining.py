from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alerts import FieldFinding
from monitor.core.arrays import F32, F64
from monitor.core.features import Layout
from monitor.core.protocols import Finding
from monitor.explaining.fields import Anomaly, blamed, contributions, field_findings, summarise
from monitor.explaining.text import compared, portable, shown

BLAME = st.lists(st.floats(0, 1e308), min_size=1, max_size=20).map(np.array)


def finding(name: str = "bytes", actual: Any = 1, expected: Any = 2, share: float = 1.0, **more: str) -> FieldFinding:
    return FieldFinding(name, actual, expected, more.get("benign_range", ""), share, more.get("reason", ""))


def explain(
    blame: list[float], errors: list[float] | None = None, actual: dict[str, Any] | None = None
) -> tuple[FieldFinding, ...]:
    place = Layout.of([(f"f{index}", 2, 1) for index in range(len(blame))])
    values = np.arange(place.total, dtype=np.float32)
    anomaly = Anomaly(values, -values, np.array(blame), np.array(errors or blame))

    def ask(feature: str, columns: F32, novelty: F32, reconstruction: F32, value: Any) -> Finding:
        return Finding([columns.tolist(), novelty.tolist(), reconstruction.tolist()], f"range of {feature}", "odd")

    return field_findings(anomaly, place, actual or {}, ask)


# -- blame -----------------------------------------------------------------------------------------------------


def test_a_field_contributes_its_share_of_the_blame() -> None:
    assert contributions(np.array([0.1, 1.8, 0.0])) == pytest.approx([0.1 / 1.9, 1.8 / 1.9, 0])


@given(BLAME)
def test_contributions_are_shares_of_one(blame: F64) -> None:
    shares = contributions(blame)

    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares.sum() == pytest.approx(1 if blame.any() else 0)


@given(BLAME, st.randoms())
def test_at_least_one_field_is_named_at_most_five_and_in_falling_order(blame: F64, random: Random) -> None:
    shares = contributions(blame)

    named = blamed(shares, np.array(random.sample(list(blame), len(blame))))

    assert 1 <= len(named) <= 5
    assert len(set(named)) == len(named)
    assert (np.diff(shares[named]) <= 0).all()
    assert shares[named].min() > 0 or len(named) == 1


def test_when_no_field_has_any_blame_the_largest_error_is_named() -> None:
    assert [found.name for found in explain([0.0, 0.0, 0.0], [1.0, 3.0, 2.0])] == ["f1"]


def test_the_encoder_is_asked_with_the_columns_of_its_feature_alone() -> None:
    (found,) = explain([0.0, 7.0], actual={"f1": "v"})

    assert found == FieldFinding("f1", "v", "[[2, 3], [5], [-2, -3]]", "range of f1", 1.0, "odd")


def test_a_value_that_is_not_there_is_missing() -> None:
    assert explain([1.0])[0].actual is None


def test_no_feature_gives_no_finding() -> None:
    assert explain([]) == ()


# -- the sentence ----------------------------------------------------------------------------------------------


def test_the_sentence_says_what_where_and_how_bad() -> None:
    worst = finding("duration_ms", 9120, 43, benign_range="3.1 to 250", reason="above everything benign")

    assert summarise("web", [worst], 4.2, 1.0) == (
        "web: duration_ms is 9120, expected about 43 (benign 3.1 to 250): above everything benign; score 4.2, limit 1"
    )


def test_further_fields_are_named_when_they_matter() -> None:
    fields = [finding("a", share=0.5), finding("b", share=0.3), finding("c", share=0.05)]

    assert summarise("web", fields, 2.0, 1.0) == "web: a is 1, expected about 2; also b; score 2, limit 1"


def test_words_are_expected_without_about() -> None:
    assert "method is missing, expected GET;" in summarise("web", [finding("method", None, "GET")], 2.0, 1.0)


def test_nothing_expected_is_left_out() -> None:
    assert summarise("web", [finding("a", True, None)], 2.0, 1.0) == "web: a is True; score 2, limit 1"


def test_a_record_without_a_finding_still_has_a_sentence() -> None:
    assert summarise("web", [], 2.0, 1.0) == "web: the record as a whole is unusual; score 2, limit 1"


@given(st.text(), st.text(), st.text(), st.text(max_size=2000))
def test_the_sentence_is_one_short_printable_line_however_hostile_the_record(
    stream: str, name: str, actual: str, expected: str
) -> None:
    sentence = summarise(stream, [finding(name, actual, expected, benign_range=actual, reason=name)], 2.0, 1.0)

    assert sentence.isprintable()
    assert len(sentence) < 1400


def test_an_escape_sequence_cannot_reach_the_terminal() -> None:
    sentence = summarise("web", [finding("agent", "a\x1b[2J\x9b\u202e\nfake: line")], 2.0, 1.0)

    assert r"agent is a\x1b[2J\x9b\u202e\nfake: line" in sentence


@pytest.mark.parametrize(
    ("score", "threshold", "text"),
    [
        (4.2, 1.0, "4.2"),
        (1.004, 1.0, "1.004"),
        (np.nextafter(1.0, 2), 1.0, "1.0000000000000002"),
        (0.31, 0.3, "0.31"),
        (0.31, 1.0, "0.31"),
        (0.99999, 1.0, "1"),
        (1.0004, 1.0005, "1"),
        (-0.2, -0.5, "-0.2"),
        (1234.5, 1.0, "1,234"),
        (1e300, 1.0, "over 1,000,000"),
        (float("inf"), 1.0, "over 1,000,000"),
        (float("nan"), 1.0, "nan"),
    ],
)
def test_a_score_is_never_shown_on_the_wrong_side_of_the_limit(score: float, threshold: float, text: str) -> None:
    assert compared(score, threshold) == text


# -- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (43.0, "43"),
        (-0.0, "0"),
        (1e300, "1e+300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
        (np.float32(0.1), "0.1"),
        ([1.0] * 784, "[1, 1, 1, 1, 1, … 784 values]"),
        ([None, "a\n"], r"[missing, a\n]"),
        (b"\xff", r"b'\xff'"),
        ("", '""'),
        (" " * 200, '"' + " " * 198 + '"'),
    ],
)
def test_a_value_is_shown_as_a_person_would_write_it(value: Any, text: str) -> None:
    assert shown(value) == text


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.lists(inner, max_size=8),
    max_leaves=20,
)


@given(JUNK)
def test_every_value_can_be_shown_and_stored(value: Any) -> None:
    assert shown(value).isprintable()
    assert len(shown(value)) <= 200
    assert msgspec.json.decode(msgspec.json.encode(portable(value))) == portable(value)


def test_long_texts_are_cut_and_lone_surrogates_replaced() -> None:
    assert portable("x" * 10**6) == "x" * 199 + "…"
    assert portable("\ud800") == "?"


@pytest.mark.parametrize(
    ("value", "stored"),
    [(float("nan"), "NaN"), (float("inf"), "inf"), (2**64, "18446744073709551616"), (np.int64(3), 3)],
)
def test_what_json_cannot_carry_is_stored_as_text(value: Any, stored: Any) -> None:
    assert portable(value) == stored
