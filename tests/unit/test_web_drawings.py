"""What is drawn says what the figures say, whatever they are."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alerts import FieldFinding
from monitor.telemetry import Point
from monitor.web.pages.bars import BAND, bar
from monitor.web.pages.picture import HEIGHT, LIMIT_AT, picture

NOW = 1_700_000_000.0


def finding(actual: Any, benign: str, expected: Any = None) -> FieldFinding:
    return FieldFinding("level", actual, expected, benign, 1.0, "")


def point(age: float, highest: float, *, alerts: int = 0, limit: float | None = 1.0) -> Point:
    return Point(NOW - age, 10, highest, highest / 2, alerts, limit)


# -- bars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "benign", "place", "side", "far"),
    [
        (28.0, "20 to 36", 50.0, "inside", False),
        (36, "20 to 36", BAND[1], "inside", False),
        (900.0, "20 to 36", 98.0, "above", True),
        (18.0, "20 to 36", 25.0, "below", False),
        (-1e300, "20 to 36", 2.0, "below", True),
        (2.0, "1 to 3 s, or missing", 50.0, "inside", False),
        ("over 12 times", "1 to 3", 98.0, "above", True),
        ("beyond 2.5 s", "1 to 3 s", 60.0, "inside", False),
        (0.5, "-1,000.5 to 1e+06", 30.04, "inside", False),
        (5.0, "always 5", 50.0, "inside", False),
        (6.0, "always 5", 80.0, "above", False),
        (4.0, "always 5 ms, or missing", 20.0, "below", False),
    ],
)
def test_a_bar_shows_where_a_number_lies(actual: Any, benign: str, place: float, side: str, far: bool) -> None:
    drawn = bar(finding(actual, benign, 5))

    assert drawn is not None
    assert (round(drawn.actual, 2), drawn.side, drawn.far) == (place, side, far)
    assert drawn.sentence == f"level: the value is {side} the benign range {benign}"
    assert drawn.expected is not None


@pytest.mark.parametrize(
    ("actual", "benign"),
    [
        (None, "1 to 3"),
        (True, "1 to 3"),
        ("x", "1 to 3"),
        (math.nan, "1 to 3"),
        (2, "a, b, c"),
        (2, "12 templates, 3 to 9 bytes"),
        (2, "08:00 to 18:00 UTC"),
        (2, "3 to 1"),
        (2, "-1e308 to 1e308"),
        (2, ""),
    ],
)
def test_what_is_no_number_has_no_bar(actual: Any, benign: str) -> None:
    assert bar(finding(actual, benign)) is None


@given(st.one_of(st.floats(), st.text(max_size=80), st.integers(), st.none()), st.text(max_size=80))
def test_no_finding_breaks_a_bar(actual: Any, benign: str) -> None:
    for each in (benign, "1 to 3", "-1e300 to 1e300", "always 0"):
        drawn = bar(finding(actual, each, actual))
        assert drawn is None or all(0 <= at <= 100 for at in (drawn.low, drawn.high, drawn.actual, drawn.expected or 0))


# -- charts --------------------------------------------------------------------------------------------------------


def test_the_limit_lies_at_its_place_and_what_is_beyond_above_it() -> None:
    drawn = picture([point(1800, 0.5), point(900, 40.0, alerts=2)], "1h", NOW)

    assert drawn.sentence == (
        "Scores of the last hour: 20 records, 2 records above the limit; highest score 40 at 21:58 UTC."
    )
    assert drawn.limit_tick is not None
    assert drawn.limit_tick.text == "limit 1"
    (mark,) = drawn.marks
    assert mark.y < drawn.limit_tick.at
    assert mark.text == "21:58 UTC: 2 records above the limit, up to 40"
    assert 70 < mark.x < 80
    limit_y = HEIGHT * (1 - LIMIT_AT)
    assert drawn.limit.startswith(f"M0 {limit_y:.2f}")
    assert [tick.text for tick in drawn.scores] == ["3", "10", "30"]
    assert [tick.text for tick in drawn.times] == ["21:30", "21:45", "22:00"]


def test_a_limit_that_moved_is_drawn_where_it_was() -> None:
    drawn = picture([point(1800, 0.1, limit=0.5), point(900, 0.1, limit=1.0)], "1h", NOW)

    heights = {float(height) for height in re.findall(r"V([0-9.]+)", drawn.limit)}
    assert heights == {round(HEIGHT * (1 - LIMIT_AT / 2), 2), round(HEIGHT * (1 - LIMIT_AT), 2)}


def test_nothing_scored_is_an_empty_chart_that_says_so() -> None:
    drawn = picture([], "1d", NOW)

    assert drawn.sentence == "No record was scored in the last day."
    assert (drawn.limit, drawn.limit_tick, drawn.rows, drawn.marks) == ("", None, [], [])


def test_the_table_says_the_same_in_ten_steps_together() -> None:
    drawn = picture([point(age, age / 1000) for age in range(3570, 0, -30)], "1h", NOW)

    assert len(drawn.rows) == 12
    assert [row.records for row in drawn.rows][1:-1] == ["100"] * 10
    assert drawn.rows[0].highest == "3.57"


@given(
    st.lists(
        st.tuples(st.floats(0, 4000), st.floats(0, 1e9), st.integers(0, 5), st.one_of(st.none(), st.floats(1e-9, 1e9))),
        max_size=20,
    )
)
def test_no_score_leaves_the_picture(points: list[tuple[float, float, int, float | None]]) -> None:
    drawn = picture(
        [point(age, highest, alerts=alerts, limit=limit) for age, highest, alerts, limit in points], "1h", NOW
    )

    places = [*(mark.y for mark in drawn.marks), *(tick.at for tick in drawn.scores)]
    drawn_at = re.findall(r"V(-?[0-9.]+)", drawn.quantile + drawn.reach + drawn.beyond)
    assert all(0 <= place <= 100 for place in [*places, *map(float, drawn_at)])
    assert len(drawn.scores) <= 6
