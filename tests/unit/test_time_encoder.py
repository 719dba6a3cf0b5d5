"""The place in the day and in the week, on the clocks of a zone."""

from __future__ import annotations

import math
import zoneinfo
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.novelty import never
from monitor.core.protocols import FittedEncoder
from tests.encoding import encode, encoder, finding
from tests.records import records

DAY = 86_400.0
MONDAY = datetime(2024, 1, 1, tzinfo=UTC).timestamp()


def fitted(*, days: float, step: float = 3_600.0, **options: Any) -> FittedEncoder:
    return encoder("time", **options).fit(records(times=np.arange(MONDAY, MONDAY + days * DAY + 1, step).tolist()))


def angle(sine: float, cosine: float) -> float:
    return math.atan2(sine, cosine) % (2 * math.pi) / (2 * math.pi)


def test_noon_is_half_round_the_day_and_thursday_half_round_the_week() -> None:
    encoding = fitted(days=14)

    columns, _ = encode(encoding, records(times=[MONDAY + 12 * 3600, MONDAY + 3 * DAY]))

    assert encoding.columns == ("day_sin", "day_cos", "week_sin", "week_cos")
    assert angle(*columns[0, :2]) == pytest.approx(0.5)
    assert (angle(*columns[1, 2:]) - angle(*columns[0, 2:])) % 1 == pytest.approx(2.5 / 7, abs=1e-5)


def test_the_week_is_left_out_under_two_weeks() -> None:
    assert fitted(days=13.9).columns == ("day_sin", "day_cos")


def test_under_two_days_nothing_can_be_learned() -> None:
    with pytest.raises(DataError, match=r"feature 'x': benign records span 36\.0 hours; the rhythm of the day"):
        fitted(days=1.5)


def test_without_event_times_nothing_can_be_learned() -> None:
    with pytest.raises(DataError, match="feature 'x': none of 2 benign records has an event time"):
        encoder("time").fit(records(times=[math.nan, math.nan]))
    with pytest.raises(DataError, match="feature 'x': the stream has no event time; set its `time:`"):
        encoder("time").fit(records(y=[1.0]))


@settings(max_examples=100, deadline=None)
@given(
    seconds=st.floats(0, 4e9),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC"]),
)
def test_clocks_agree_with_the_calendar_also_when_they_are_changed(seconds: float, zone: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(zoneinfo.ZoneInfo(zone))
    share = (moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6) / DAY

    columns, _ = encode(fitted(days=3, timezone=zone), records(times=[seconds]))

    assert math.cos((angle(*columns[0]) - share) * 2 * math.pi) == pytest.approx(1.0, abs=1e-6)


def test_summer_time_begins_between_two_seconds() -> None:
    change = datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp()

    columns, _ = encode(fitted(days=3, timezone="Europe/Berlin"), records(times=[change - 1, change]))

    assert angle(*columns[0]) * 24 == pytest.approx(2.0, abs=1e-3)
    assert angle(*columns[1]) * 24 == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, 1e308, -1e15])
def test_what_no_calendar_knows_is_missing(time: float) -> None:
    columns, novelty = encode(fitted(days=14, timezone="Europe/Berlin"), records(times=[time]))

    assert columns.tolist() == [[0, 0, 0, 0]]
    assert novelty[0].tolist() == pytest.approx([never(14 * 24 + 1)])


def test_a_stream_that_lost_its_event_time_has_none() -> None:
    _, novelty = encode(fitted(days=14), records(other=[1.0]))

    assert novelty[0, 0] > 0.0


def test_missing_is_a_state_where_benign_data_had_it() -> None:
    encoding = encoder("time").fit(records(times=[MONDAY, math.nan, MONDAY + 3 * DAY]))

    columns, novelty = encode(encoding, records(times=[math.nan]))

    assert encoding.columns == ("day_sin", "day_cos", "missing")
    assert columns.tolist() == [[0, 0, 1]]
    assert novelty.shape == (1, 0)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="'Europe/Berln' is no IANA time zone such as Europe/Berlin"):
        encoder("time", timezone="Europe/Berln")


def test_findings_are_days_and_clock_times() -> None:
    encoding = fitted(days=14)
    tuesday_afternoon, _ = encode(encoding, records(times=[MONDAY + DAY + 14.5 * 3600 + 1]))

    said = finding(encoding, records(times=[MONDAY]), tuesday_afternoon[0].tolist())

    assert said.expected == "Tue 14:30"
    assert said.benign_range == "at any hour UTC"
    assert said.reason == "unusual together with the other fields"


def test_the_range_names_the_hours_of_benign_records() -> None:
    encoding = encoder("time").fit(records(times=[MONDAY + d * DAY + h * 3600 for d in range(4) for h in (8, 9, 15)]))

    said = finding(encoding, records(times=[math.nan]))

    assert said.benign_range == "08:00 to 09:59, 15:00 to 15:59 UTC"
    assert said.reason == "missing, though present in all 12 benign records"
