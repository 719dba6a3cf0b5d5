"""True or false: one column, and a loud alarm where it never changed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from monitor.core.errors import DataError
from monitor.core.novelty import REACH, never
from monitor.core.protocols import FittedEncoder
from tests.encoding import encode, encoder, finding
from tests.records import records


def fitted(values: Sequence[bool | None]) -> FittedEncoder:
    return encoder("boolean").fit(records(x=values))


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
