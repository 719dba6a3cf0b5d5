"""Many numbers as one feature: one column each, and the odd ones out named by their place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.novelty import REACH, never, unseen
from monitor.core.protocols import FittedEncoder
from monitor.core.records import Field, FieldType
from monitor.parsers import regex
from tests.encoding import encode, encoder, finding
from tests.framed import framed
from tests.records import records

PIXELS = [[0.0, 51.0, 102.0, 255.0], [255.0, 0.0, 51.0, 102.0], [102.0, 255.0, 0.0, 51.0]] * 10


def fitted(values: Sequence[Any], **options: Any) -> FittedEncoder:
    return encoder("vector", **options).fit(records(x=values))


def test_a_divisor_makes_one_column_an_entry_and_nothing_else() -> None:
    encoding = fitted(PIXELS, divide_by=255)

    columns, novelty = encode(encoding, records(x=PIXELS))

    assert encoding.columns == ("[0]", "[1]", "[2]", "[3]")
    np.testing.assert_allclose(columns, np.array(PIXELS) / 255)
    assert not novelty.any()


def test_without_a_divisor_every_entry_has_its_own_scale() -> None:
    values = np.random.default_rng(0).normal([5, 5e6], [1, 1e6], (2_000, 2))

    columns, _ = encode(fitted(values.tolist()), records(x=values.tolist()))

    assert (np.abs(np.median(columns, axis=0)) < 1e-6).all()
    assert (np.mean(np.abs(columns) <= 1, axis=0) > 0.99).all()


def test_number_fields_can_be_listed_by_name() -> None:
    unfitted = encoder("vector", columns=["a", "b"], divide_by=10)
    encoding = unfitted.fit(records(a=[1.0, 2.0, 5.0], b=[3.0, 4.0, 9.0]))

    columns, _ = encode(encoding, records(a=[5.0], b=[3.0]))

    assert unfitted.fields == (Field("a", FieldType.NUMBER), Field("b", FieldType.NUMBER))
    assert encoding.columns == ("a", "b")
    np.testing.assert_allclose(columns, [[0.5, 0.3]])


@pytest.mark.parametrize(
    ("vector", "state"),
    [(None, 0), ([1.0, 2.0, math.nan, 3.0], 1), ([1.0, 2.0, None, 3.0], 1), ([math.inf] * 4, 1), ([1.0], 2), ([], 2)],
)
def test_what_is_no_such_vector_is_a_novelty(vector: list[float | None] | None, state: int) -> None:
    encoding = fitted(PIXELS, divide_by=255)

    columns, novelty = encode(encoding, records(x=[PIXELS[0], vector]))

    strengths = [0.0, 0.0, 0.0]
    strengths[state] = never(30)
    assert novelty[1, 2:].tolist() == pytest.approx(strengths)
    assert not novelty[0].any()
    assert np.isfinite(columns).all()


def test_one_broken_entry_leaves_the_others_as_they_are() -> None:
    columns, _ = encode(fitted(PIXELS, divide_by=255), records(x=[[0.0, 51.0, math.nan, 255.0]]))

    np.testing.assert_allclose(columns[0, [0, 1, 3]], [0.0, 0.2, 1.0])


def test_states_that_benign_data_showed_are_columns() -> None:
    encoding = fitted([*PIXELS, None], divide_by=255)

    columns, novelty = encode(encoding, records(x=[None]))

    assert encoding.columns[-1] == "missing"
    assert columns[0, -1] == 1.0
    assert not novelty.any()


def test_a_row_of_number_fields_is_missing_when_all_of_them_are() -> None:
    encoding = encoder("vector", columns=["a", "b"]).fit(records(a=[1.0, 2.0, 5.0], b=[3.0, 4.0, 9.0]))

    _, novelty = encode(encoding, records(a=[None, None], b=[3.0, None]))

    assert encoding.novelty[2:] == ("missing", "with entries that are no numbers")
    assert (novelty[:, 2:] > 0).tolist() == [[False, True], [True, False]]


def test_extremes_stay_in_order() -> None:
    values = [[v, 0.0, 0.0, 0.0] for v in (255.0, 300.0, 1e6, 1e200)]

    columns, novelty = encode(fitted(PIXELS, divide_by=255), records(x=values))

    assert novelty[0, 0] == 0.0
    assert (np.diff(novelty[:, 0]) > 0).all()
    assert columns.max() <= 5.0


def test_an_entry_that_never_changed_is_as_loud_as_a_constant_field() -> None:
    encoding = fitted([[float(i % 5), 7.0] for i in range(1_000)])

    _, novelty = encode(encoding, records(x=[[3.0, 7.0], [3.0, 8.0]]))

    assert novelty[:, 1].tolist() == pytest.approx([0.0, never(1_000) + REACH])


def test_where_entries_change_once_now_and_then_another_change_is_little_surprise() -> None:
    images = np.zeros((100, 50))
    images[:, :2] = np.random.default_rng(0).uniform(0, 255, (100, 2))
    images[np.arange(40), 2 + np.arange(40)] = 255.0  # forty records light a pixel that no other lights

    _, novelty = encode(fitted(images.tolist(), divide_by=255), records(x=[[0.0] * 49 + [255.0]]))

    assert novelty[0, 1] == pytest.approx(unseen(100, 40))


def test_the_worst_entries_are_named_by_their_place() -> None:
    encoding = fitted(PIXELS, shape=[2, 2], divide_by=255)

    said = finding(encoding, records(x=[[0.0, 51.0, 102.0, 255.0]]), [1.0, 0.2, 0.4, 0.8])

    assert (
        said.reason
        == "unusual together with the other fields; worst at [0, 0] 0 instead of 255, [1, 1] 255 instead of 204"
    )
    assert said.expected == "[255, 51, 102, 204]"
    assert said.benign_range == "4 entries from 0 to 255"


def test_long_vectors_are_cut_short_for_people() -> None:
    said = finding(fitted([[float(i)] * 784 for i in range(9)]), records(x=[[3.0] * 784]))

    assert said.expected == "[3, 3, 3, 3, 3, 3, 3, 3, … (784 entries)]"
    assert said.benign_range == "784 entries, each with its own range"


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (None, "missing, though present in all 30 benign records"),
        ([1.0], "of another length, as in none of 30 benign records"),
        ([math.nan] * 4, "with entries that are no numbers, as in none of 30 benign records"),
        ([900.0, 0.0, 0.0, 0.0], "an entry is outside everything benign"),
    ],
)
def test_the_reason_says_what_is_wrong(vector: list[float] | None, reason: str) -> None:
    assert finding(fitted(PIXELS, divide_by=255), records(x=[PIXELS[0], vector])).reason == reason


def test_a_changed_entry_is_named() -> None:
    encoding = fitted([[float(i % 5), 7.0] for i in range(1_000)])

    said = finding(encoding, records(x=[[2.0, 9.0]]), [0.0, 0.0])

    assert said.reason == (
        "an entry changed that was always the same in 1,000 benign records; worst at [1] 9 instead of 7"
    )


def test_the_usual_length_is_taken_where_none_is_given() -> None:
    assert len(fitted([[1.0, 2.0], [2.0, 3.0], [1.0], []]).columns) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": [2, 3], "length": 4}, "length gives 4 entries but shape gives 6 entries"),
        ({"columns": ["a", "b"], "shape": [3]}, "columns gives 2 entries but shape gives 3 entries"),
        ({"columns": ["a", "a"]}, "columns names a field twice"),
        ({"columns": []}, "at least 1 item"),
        ({"divide_by": 0}, "greater than 0"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        encoder("vector", **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, None], "field 'x': no vector in 2 benign records"),
        ([[], []], "field 'x': no vector in 2 benign records"),
        ([[1.0, math.nan], [2.0, math.nan]], "field 'x': entry 1 is no number in any of 2 benign records"),
        ([[0.0] * 70_000] * 2, "field 'x': vectors of 70,000 entries, more than 65,536 in 2 benign records"),
    ],
)
def test_nothing_to_learn(values: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted(values)


def test_a_divisor_that_leaves_huge_values_is_refused() -> None:
    with pytest.raises(DataError, match="field 'x': divided by 1, benign values still reach 1e\\+09"):
        fitted([[1e9, 2.0]], divide_by=1)


@pytest.mark.parametrize("options", [{}, {"divide_by": 255}, {"clip": 0.1, "divide_by": 255}])
def test_what_was_encoded_can_be_decoded(options: dict[str, Any]) -> None:
    encoding = fitted([*PIXELS, None], **options)
    batch = records(x=[*PIXELS[:3], None])

    decoded = encoding.decode(encode(encoding, batch)[0])

    assert decoded[Field("x", FieldType.VECTOR)].to_pylist() == [*PIXELS[:3], None]


@pytest.mark.parametrize("options", [{}, {"divide_by": 1e3}])
@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=2, max_size=20))
def test_decoded_entries_are_near_the_encoded_ones(options: dict[str, Any], rows: list[tuple[float, ...]]) -> None:
    encoding = fitted(rows, clip=1000.0, **options)

    (decoded,) = encoding.decode(encode(encoding, records(x=rows))[0]).values()

    largest, spread = np.abs(rows).max(), np.ptp(rows, axis=0).max()
    np.testing.assert_allclose(decoded.to_pylist(), rows, rtol=0, atol=1e-3 * spread + 1e-6 * largest + 1e-30)


def test_a_reconstruction_is_decoded_in_as_many_digits_as_benign_data_had() -> None:
    columns = np.array([[0.2001, 0.5, -0.001, 1.1]], dtype=np.float32)
    whole, broken = fitted(PIXELS, divide_by=255), fitted([*PIXELS, [0.5] * 4], divide_by=255)

    assert whole.decode(columns)[Field("x", FieldType.VECTOR)].to_pylist() == [[51.0, 128.0, 0.0, 281.0]]
    assert broken.decode(columns)[Field("x", FieldType.VECTOR)].to_pylist() == [
        pytest.approx([51.0255, 127.5, -0.255, 280.5])
    ]


def test_number_fields_are_decoded_one_by_one() -> None:
    encoding = encoder("vector", columns=["a", "b"], divide_by=10).fit(records(a=[1.0, None, 5.0], b=[3.0, None, 9.0]))

    decoded = encoding.decode(np.array([[0.2, 0.7, 0.1], [0.2, 0.7, 0.9]], dtype=np.float32))

    assert {field: column.to_pylist() for field, column in decoded.items()} == {
        Field("a", FieldType.NUMBER): [2.0, None],
        Field("b", FieldType.NUMBER): [7.0, None],
    }


def test_only_what_is_no_vector_at_all_is_decoded_to_nothing() -> None:
    encoding = fitted([*PIXELS, None, [1.0], [math.nan, 0.0, 0.0, 0.0]], divide_by=255)
    states = np.eye(7, dtype=np.float32)[4:]

    (decoded,) = encoding.decode(states).values()

    assert encoding.columns[4:] == ("missing", "with entries that are no numbers", "of another length")
    assert [vector is None for vector in decoded.to_pylist()] == [True, False, True]


def test_a_range_of_names_lists_number_fields() -> None:
    unfitted = encoder("vector", columns=["pixel{1..2}", "last"], divide_by=255)
    encoding = unfitted.fit(records(pixel1=[0.0, 255.0], pixel2=[51.0, 0.0], last=[0.0, 1.0]))

    assert [field.name for field in unfitted.fields] == ["pixel1", "pixel2", "last"]
    assert encoding.columns == ("pixel1", "pixel2", "last")


def test_pixels_of_three_colours_are_named_by_row_column_and_colour() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 2 * 3 * 3)).astype(float)
    encoding = fitted(images.tolist(), shape=[2, 3, 3], divide_by=255)
    spot = images[0].copy()
    spot[17] = 0.0

    said = finding(encoding, records(x=[spot.tolist()]), (images[0] / 255).tolist())

    assert len(encoding.columns) == 18
    assert encoding.columns[:2] == ("[0, 0, 0]", "[0, 0, 1]")
    assert said.reason.endswith(f"worst at [1, 2, 2] 0 instead of {images[0, 17]:.0f}")


@pytest.mark.parametrize("line", ["{}={}", "{} = {}", "{}\t= {} "])
def test_lines_of_a_label_and_its_pixels_become_one_column_a_pixel(line: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 784))
    lines = [line.format(i % 10, " ".join(map(str, pixels))) for i, pixels in enumerate(images.tolist())]
    unfitted = encoder("vector", "pixels", shape=[28, 28], divide_by=255)
    pattern = regex.Config(pattern=r"^(?P<label>\d+)\s*=\s*(?P<pixels>.*)$")

    batch = regex.build(pattern, [*unfitted.fields, Field("label", FieldType.TEXT)]).parse(framed(*lines))
    encoding = unfitted.fit(batch)
    columns, novelty = encode(encoding, batch)

    assert batch.ok.all()
    assert batch.column("label", FieldType.TEXT).to_pylist() == [str(i % 10) for i in range(20)]
    assert len(encoding.columns) == 784
    np.testing.assert_array_equal(columns, (images / 255).astype(np.float32))
    assert not novelty.any()
    assert encoding.decode(columns)[Field("pixels", FieldType.VECTOR)].to_pylist() == images.tolist()
