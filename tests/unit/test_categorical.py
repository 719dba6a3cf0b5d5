"""Names: a column each, one for the rare ones, and surprise as benign data justify it."""

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
from tests.encoding import encode, encoder, finding
from tests.records import records

CITIES = ["anaheim", "boulder", "concord"] * 40


def fitted(benign: Sequence[str | None], /, **options: Any) -> FittedEncoder:
    return encoder("categorical", **options).fit(records(x=benign))


def test_three_values_make_exactly_three_columns() -> None:
    encoding = fitted(CITIES)

    columns, novelty = encode(encoding, records(x=["boulder", "anaheim", "concord"]))

    assert encoding.columns == ("anaheim", "boulder", "concord")
    assert columns.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert not novelty.any()


def test_frequent_values_come_first_and_ties_in_order_of_the_alphabet() -> None:
    assert fitted(["z", "z", "z", "b", "b", "a", "a"]).columns == ("z", "a", "b")


def test_rare_values_share_a_column_and_are_no_novelty() -> None:
    encoding = fitted([*CITIES, "denver", "elko"])

    columns, novelty = encode(encoding, records(x=["denver", "elko"]))

    assert encoding.columns == ("anaheim", "boulder", "concord", "<rare>")
    assert columns.tolist() == [[0, 0, 0, 1]] * 2
    assert not novelty.any()


def test_values_beyond_the_most_frequent_are_rare() -> None:
    encoding = fitted(["a"] * 9 + ["b"] * 5 + ["c"] * 3, max_values=2)

    columns, novelty = encode(encoding, records(x=["c"]))

    assert encoding.columns == ("a", "b", "<rare>")
    assert columns.tolist() == [[0, 0, 1]]
    assert not novelty.any()


def test_an_unseen_value_of_a_closed_vocabulary_weighs_as_many_bans_as_records_have_digits() -> None:
    _, novelty = encode(fitted(["a", "b"] * 5_000), records(x=["c"]))

    assert novelty[0, 0] == pytest.approx(4.0, abs=1e-3)


def test_an_unseen_value_weighs_less_where_new_values_are_usual() -> None:
    values = [*["a"] * 60, *(f"once-{i}" for i in range(40))]

    _, novelty = encode(fitted(values), records(x=["new"]))

    assert novelty[0, 0] == pytest.approx(math.log10(102 / 41), rel=1e-5)


def test_where_every_other_value_is_new_an_unseen_one_is_merely_rare() -> None:
    encoding = fitted([*["a"] * 5, *(f"once-{i}" for i in range(95))])

    columns, _ = encode(encoding, records(x=["new", "once-3"]))

    assert encoding.novelty == ("missing",)
    assert columns.tolist() == [[0, 1]] * 2


def test_an_unseen_value_reads_as_the_average() -> None:
    columns, _ = encode(fitted(["a"] * 30 + ["b"] * 10), records(x=["c"]))

    assert columns.tolist() == [[0.75, 0.25]]


def test_a_single_value_has_no_column_and_its_change_is_the_loudest() -> None:
    encoding = fitted(["on"] * 1_000)

    columns, novelty = encode(encoding, records(x=["on", "off", None]))

    assert columns.shape == (3, 0)
    assert novelty[:, 0].tolist() == pytest.approx([0.0, never(1_000) + REACH, 0.0])
    assert novelty[:, 1].tolist() == pytest.approx([0.0, 0.0, never(1_000)])


def test_a_single_value_that_is_sometimes_missing_keeps_that_state() -> None:
    encoding = fitted(["on", None, "on", None])

    columns, novelty = encode(encoding, records(x=["on", None, "off"]))

    assert encoding.columns == ("<missing>",)
    assert columns.tolist() == [[0], [1], [0]]
    assert novelty[:, 0].tolist() == pytest.approx([0, 0, never(4) + REACH])


def test_missing_is_a_column_only_where_benign_data_had_it() -> None:
    with_gaps, without = fitted([*CITIES, None]), fitted(CITIES)

    assert with_gaps.columns[-1] == "<missing>"
    assert encode(with_gaps, records(x=[None]))[0].tolist() == [[0, 0, 0, 1]]
    assert encode(without, records(x=[None]))[1][0].tolist() == pytest.approx([0, never(120)])


def test_identifiers_have_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="field 'x': none of its 50 values occurs 2 times in 50 benign records"):
        fitted([f"id-{i}" for i in range(50)])


def test_long_values_are_remembered_without_being_kept() -> None:
    long = "x" * 1_000_000
    encoding = fitted([*CITIES, long, long])

    _, novelty = encode(encoding, records(x=[long, long + "y"]))

    assert novelty[0, 0] == 0.0
    assert novelty[1, 0] == pytest.approx(unseen(122, 0))
    assert len(str(encoding.state())) < 1_000


def test_a_value_named_like_a_state_is_only_a_value() -> None:
    encoding = fitted(["<missing>", "<rare>"] * 10)

    columns, novelty = encode(encoding, records(x=["<missing>", None]))

    assert columns[0].tolist() == [1, 0]
    assert novelty[1].tolist() == pytest.approx([0, never(20)])


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.sampled_from("abcdefg"), min_size=8, max_size=40))
def test_every_benign_record_is_in_exactly_one_column(values: list[str]) -> None:
    try:
        encoding = fitted(list(values))
    except DataError:
        return

    columns, _ = encode(encoding, records(x=values))

    assert (columns.sum(axis=1) == (1 if encoding.columns else 0)).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("vulcan", "never seen in 121 benign records"),
        (None, "missing, though present in all 121 benign records"),
        ("denver", "a rare value (0.83% of benign records have one)"),
        ("boulder", "unusual together with the other fields"),
    ],
)
def test_the_reason_says_what_is_wrong(value: str | None, reason: str) -> None:
    said = finding(fitted([*CITIES, "denver"]), records(x=["boulder", value]))

    assert said.reason == reason
    assert said.benign_range == "anaheim, boulder, concord and rare values"


def test_the_value_the_network_is_surest_of_is_expected() -> None:
    encoding = fitted([*CITIES, "denver", None])
    batch = records(x=["concord"])

    assert finding(encoding, batch, [0.1, 0.7, 0.2, 0.0, 0.0]).expected == "boulder"
    assert finding(encoding, batch, [0.1, 0.1, 0.2, 0.6, 0.0]).expected == "a rare value"
    assert finding(encoding, batch, [0.1, 0.1, 0.2, 0.0, 0.6]).expected == "missing"


def test_what_is_shown_cannot_move_a_cursor() -> None:
    said = finding(fitted(["\x1b[2J", ""] * 9), records(x=["\x1b[2J"]))

    assert said.expected == "\\x1b[2J"
    assert said.benign_range == '"", \\x1b[2J'


def test_many_values_are_counted_in_the_range() -> None:
    said = finding(fitted([f"v{i}" for i in range(8)] * 2), records(x=["v0"]))

    assert said.benign_range == "v0, v1, v2, v3, v4 and 3 more"


def test_a_changed_constant_is_told_with_what_it_was() -> None:
    said = finding(fitted(["on"] * 1_000), records(x=["off"]))

    assert (said.expected, said.benign_range) == ("on", "always on")
    assert said.reason == "changed: always on in 1,000 benign records"


@pytest.mark.parametrize(("option", "value"), [("max_values", 0), ("max_values", 5_000), ("min_count", 0)])
def test_options_have_limits(option: str, value: int) -> None:
    with pytest.raises(ValidationError, match=option):
        encoder("categorical", **{option: value})


def test_listed_values_are_exactly_the_columns_in_their_order() -> None:
    encoding = fitted(CITIES, values=["concord", "anaheim", "boulder", "denver"])

    columns, novelty = encode(encoding, records(x=["boulder", "concord", "denver"]))

    assert encoding.columns == ("concord", "anaheim", "boulder", "denver")
    assert columns.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert not novelty.any()


def test_a_listed_value_has_its_column_however_rare_it_is() -> None:
    assert fitted([*CITIES, "denver"], values=["denver", "boulder"]).columns == ("denver", "boulder")


def test_what_is_not_listed_has_no_column_and_is_novel_unless_benign_data_had_it() -> None:
    encoding = fitted([*CITIES, "denver"], values=["anaheim", "boulder", "concord"])

    columns, novelty = encode(encoding, records(x=["denver", "elko", None]))

    assert columns.tolist() == [pytest.approx([40 / 121] * 3)] * 3
    assert encoding.novelty == ("unseen", "missing")
    assert novelty[:, 0].tolist() == pytest.approx([0.0, unseen(121, 1), 0.0])
    assert novelty[:, 1].tolist() == pytest.approx([0.0, 0.0, never(121)])


def test_listed_values_keep_their_columns_where_benign_data_showed_but_one() -> None:
    encoding = fitted(["on"] * 100, values=["off", "on"])
    batch = records(x=["on", "off", "gone"])

    columns, novelty = encode(encoding, batch)

    assert columns.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert novelty[:, 0].tolist() == pytest.approx([0.0, never(100) + REACH, never(100) + REACH])
    assert finding(encoding, batch).reason == "changed: always on in 100 benign records"


def test_the_range_tells_only_listed_values_that_benign_data_showed() -> None:
    encoding = fitted(CITIES, values=["denver", "anaheim", "boulder", "concord"])

    assert finding(encoding, records(x=["denver"])).benign_range == "anaheim, boulder, concord"


def test_listed_values_that_never_occur_are_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="field 'x': none of the listed values in any of 120 benign records"):
        fitted(CITIES, values=["Anaheim", "Boulder"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": ["a", "b", "a"]}, "values names 'a' twice"),
        ({"values": []}, "at least 1 item"),
        ({"values": ["a", "b"], "max_values": 1}, "give either values or max_values: the listed values have columns"),
        ({"values": ["a", "b"], "min_count": 5}, "give either values or min_count"),
    ],
)
def test_a_list_that_contradicts_itself_or_other_options_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        encoder("categorical", **options)


def test_what_was_encoded_can_be_decoded_but_for_rare_values() -> None:
    encoding = fitted([*CITIES, "denver", None])

    decoded = encoding.decode(encode(encoding, records(x=["boulder", None, "denver", "concord"]))[0])

    assert decoded[Field("x", FieldType.TEXT)].to_pylist() == ["boulder", None, "<rare>", "concord"]


def test_the_largest_column_of_a_reconstruction_decides() -> None:
    columns = np.array([[0.2, 0.3, 0.1], [np.nan, -0.2, -0.1], [9.0, np.inf, 0.0]], dtype=np.float32)

    decoded = fitted(CITIES).decode(columns)

    assert decoded[Field("x", FieldType.TEXT)].to_pylist() == ["boulder", "concord", "boulder"]


def test_a_constant_decodes_to_itself() -> None:
    decoded = fitted(["on", "on", None]).decode(np.array([[0.4], [0.6]], dtype=np.float32))
    without_columns = fitted(["on"] * 9).decode(np.empty((2, 0), dtype=np.float32))

    assert decoded[Field("x", FieldType.TEXT)].to_pylist() == ["on", None]
    assert without_columns[Field("x", FieldType.TEXT)].to_pylist() == ["on", "on"]
