"""True or false: one column, and a loud alarm where it never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.novelty import REACH, never
from monitor.core.protocols import FittedEncoder
from monitor.core.records import Field, FieldType
from tests.encoding import encode, encoder, finding
from tests.records import records


def fitted(benign: Sequence[bool | str | None], /, **options: Any) -> FittedEncoder:
    return encoder("boolean", **options).fit(records(x=benign))


def test_true_and_false_are_plus_and_minus_one() -> None:
    columns, novelty = encode(fitted([True, False]), records(x=[True, False, True]))

    assert columns.tolist() == [[1], [-1], [1]]
    assert not novelty.any()


def test_missing_is_neither() -> None:
    always, sometimes = fitted([True, False]), fitted([True, None, False])

    assert encode(always, records(x=[None]))[0].tolist() == [[0]]
    assert encode(always, records(x=[None]))[1][0].tolist() == pytest.approx([never(2)])
    assert encode(sometimes, records(x=[None, True]))[0].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("value", [True, False])
def test_a_change_of_what_never_changed_is_the_loudest(value: bool) -> None:
    encoding = fitted([value] * 100)

    columns, novelty = encode(encoding, records(x=[value, not value, None]))

    assert columns.shape == (3, 0)
    assert novelty[:, 0].tolist() == pytest.approx([0, never(100) + REACH, 0])
    assert novelty[:, 1].tolist() == pytest.approx([0, 0, never(100)])


def test_neither_in_all_benign_data_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="field 'x': neither true nor false in any of 2 benign records"):
        fitted([None, None])


def test_findings_speak_of_true_and_false() -> None:
    both, constant = fitted([True, False, None]), fitted([False] * 50)

    assert finding(both, records(x=[True]), [-0.8, 0.0]).expected is False
    assert finding(both, records(x=[True]), [0.0, 0.9]).expected == "missing"
    assert finding(both, records(x=[True])).benign_range == "true or false, or missing"
    assert finding(both, records(x=[True])).reason == "unusual together with the other fields"
    assert finding(constant, records(x=[True])).reason == "changed: always false in 50 benign records"
    assert finding(constant, records(x=[True])).expected is False


SEXES = ["F", "M", "M", "F"] * 30


def test_two_given_texts_are_minus_and_plus_one_and_nothing_else_is_a_column() -> None:
    encoding = fitted(SEXES, values=["F", "M"])

    columns, novelty = encode(encoding, records(x=["F", "M"]))

    assert encoder("boolean", values=["F", "M"]).fields == (Field("x", FieldType.TEXT),)
    assert encoding.columns == ("value",)
    assert columns.tolist() == [[-1], [1]]
    assert not novelty.any()


def test_a_third_text_and_a_missing_one_are_neither_and_novel() -> None:
    encoding = fitted(SEXES, values=["F", "M"])

    columns, novelty = encode(encoding, records(x=["m", None, "M"]))

    assert encoding.novelty == ("missing", "another value")
    assert columns.tolist() == [[0], [0], [1]]
    assert novelty.tolist() == [pytest.approx(row) for row in ([0, never(120)], [never(120), 0], [0, 0])]


def test_two_given_texts_keep_their_column_where_benign_data_showed_but_one() -> None:
    encoding = fitted(["M"] * 50, values=["F", "M"])

    columns, novelty = encode(encoding, records(x=["M", "F"]))

    assert columns.tolist() == [[1], [-1]]
    assert novelty[:, 0].tolist() == pytest.approx([0, never(50) + REACH])


def test_findings_speak_in_the_given_texts() -> None:
    both, constant = fitted([*SEXES, "x"], values=["F", "M"]), fitted(["M"] * 50, values=["F", "M"])

    assert finding(both, records(x=["M"]), [-0.8, 0.0]).expected == "F"
    assert finding(both, records(x=["M"])).benign_range == "M or F, or another value"
    assert finding(constant, records(x=["F"])).reason == "changed: always M in 50 benign records"
    assert finding(constant, records(x=["?"])).reason == "another value, as in none of 50 benign records"
    assert finding(constant, records(x=["F"]), [-1.0]).expected == "M"


def test_texts_of_which_none_occurs_are_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="field 'x': neither 'f' nor 'm' in any of 120 benign records"):
        fitted(SEXES, values=["f", "m"])


@pytest.mark.parametrize(
    ("values", "message"),
    [(["F"], "at least 2 items"), (["F", "M", "X"], "at most 2 items"), (["F", "F"], "values names 'F' twice")],
)
def test_anything_but_two_different_texts_is_refused(values: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        encoder("boolean", values=values)


@pytest.mark.parametrize(
    ("benign", "options"),
    [
        ([True, False, None], {}), ([True, True], {}), ([False, None], {}), ([*SEXES, None], {"values": ["F", "M"]}),
        (["M"] * 9, {"values": ["F", "M"]}),
    ],
)  # fmt: skip
def test_what_was_encoded_can_be_decoded(benign: list[bool | str | None], options: dict[str, Any]) -> None:
    encoding = fitted(benign, **options)

    (decoded,) = encoding.decode(encode(encoding, records(x=benign))[0]).values()

    assert decoded.to_pylist() == benign


def test_the_sign_of_a_reconstruction_decides() -> None:
    columns = np.array([[0.01, 0.4], [-0.01, 0.4], [3.0, 0.6]], dtype=np.float32)

    decoded = fitted([True, False, None]).decode(columns)

    assert decoded[Field("x", FieldType.BOOLEAN)].to_pylist() == [True, False, None]


def test_texts_that_do_not_occur_are_refused_with_those_that_do() -> None:
    with pytest.raises(DataError, match="neither 'male' nor 'female' in any of 3 benign records; found are 'M', 'F'"):
        fitted(["M", "F", "M"], values=["male", "female"])
