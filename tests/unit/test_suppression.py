"""Rules that suppress alerts: fields, times of the week, calendars, an end; and what is said of wrong ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.errors import ConfigError
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.suppress_config import Condition, SuppressConfig, distinct_rules
from monitor.deciding.suppression import Suppression
from tests.records import records

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:patch@test
DTSTART;TZID=Europe/Berlin:20260106T220000
DTEND;TZID=Europe/Berlin:20260107T010000
RRULE:FREQ=WEEKLY;BYDAY=TU
EXDATE;TZID=Europe/Berlin:20260113T220000
SUMMARY:Patch night
END:VEVENT
BEGIN:VEVENT
UID:holiday@test
DTSTART;VALUE=DATE:20260501
DTEND;VALUE=DATE:20260502
RRULE:FREQ=YEARLY
SUMMARY:Holiday
END:VEVENT
BEGIN:VEVENT
UID:off@test
STATUS:CANCELLED
DTSTART:20260301T000000Z
DTEND:20260302T000000Z
END:VEVENT
END:VCALENDAR
"""


def rule(**options: Any) -> SuppressConfig:
    given: dict[str, Any] = {"name": "known", "reason": "it is known"}
    if not options.keys() & {"until", "weekly", "calendar"}:
        given["until"] = "never"
    return SuppressConfig.model_validate(given | options)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def holds(one: SuppressConfig, batch: RecordBatch, *times: float) -> list[bool]:
    when = np.array(times or [0.0] * len(batch), dtype=np.float64)
    return [name == "known" for name in Suppression([one]).by(batch, when)]


def values(**fields: list[Any]) -> RecordBatch:
    """Each field as text and, where it is one, as a number."""
    columns: dict[Field, list[Any]] = {}
    for name, texts in fields.items():
        columns[Field(name, FieldType.TEXT)] = texts
        columns[Field(name, FieldType.NUMBER)] = [_number(text) for text in texts]
    return records(columns)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return float("nan")


ANY_RECORD = values(x=["1"])


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ({"equals": "503"}, "503"),
        ({"equals": 503}, "503 503.0"),
        ({"equals": True}, "true"),
        ({"in": ["GET", 503]}, "503 503.0 GET"),
        ({"cidr": ["10.0.0.0/8"]}, "10.1.2.3 ::ffff:10.9.9.9"),
        ({"cidr": ["2001:db8::/32", "192.0.2.1"]}, "[2001:db8::1] 192.0.2.1"),
        ({"matches": "^/a.*php$"}, "/a/x.php"),
        ({"matches": "php"}, "/a/x.php"),
        ({"from": 503}, "503 503.0 504"),
        ({"from": 1, "to": 503}, "503 503.0"),
        ({"matches": "0", "to": 503}, "503 503.0"),
    ],
)
def test_a_condition_holds_for_these_values(condition: dict[str, Any], held: str) -> None:
    texts = [
        *[
            "503",
            "503.0",
            "504",
            "true",
            "GET",
            "10.1.2.3",
            "::ffff:10.9.9.9",
            "[2001:db8::1]",
            "192.0.2.1",
            "/a/x.php",
        ],
        None,
    ]

    found = holds(rule(fields={"x": condition}), values(x=texts))

    assert [text for text, met in zip(texts, found, strict=True) if met] == held.split()


def test_all_conditions_must_hold_and_the_first_rule_counts() -> None:
    batch = values(status=["503", "503", "200"], agent=["probe", "curl", "probe"])
    rules = [
        rule(name="probe", fields={"status": {"equals": 503}, "agent": {"equals": "probe"}}),
        rule(name="all-503", fields={"status": {"equals": 503}}),
    ]

    assert Suppression(rules).by(batch, np.zeros(3)) == ["probe", "all-503", ""]


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-11-20T02:29:59+01:00", False),  # a Friday
        ("2026-11-20T02:30:00+01:00", True),
        ("2026-11-20T04:00:00+01:00", False),
        ("2026-11-21T03:00:00+01:00", False),
        ("2026-07-24T00:45:00+00:00", True),  # summer time
        ("2026-11-22T23:30:00+01:00", True),  # Sunday night
        ("2026-11-23T00:59:59+01:00", True),
        ("2026-11-23T01:00:00+01:00", False),
        ("2026-11-22T00:30:00+01:00", False),
    ],
)
def test_times_of_the_week_are_those_of_a_zone(moment: str, held: bool) -> None:
    one = rule(
        weekly=[{"days": ["fri"], "from": "02:30", "to": "04:00"}, {"days": ["sun"], "from": "23:00", "to": "01:00"}],
        timezone="Europe/Berlin",
    )

    assert holds(one, ANY_RECORD, at(moment)) == [held]


@pytest.mark.parametrize("moment", [-1e300, 1e300, 0.0])
def test_absurd_times_break_nothing(moment: float, tmp_path: Path) -> None:
    (tmp_path / "c.ics").write_text(CALENDAR)
    one = rule(weekly=[{"to": "24:00"}], calendar=tmp_path / "c.ics")

    assert holds(one, ANY_RECORD, moment) == [True]


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-01-06T21:59:59+01:00", False),
        ("2026-01-06T22:00:00+01:00", True),
        ("2026-01-07T00:59:59+01:00", True),
        ("2026-01-07T01:00:00+01:00", False),
        ("2026-01-13T22:30:00+01:00", False),  # left out
        ("2026-06-30T22:30:00+02:00", True),  # half a year later, in summer time
        ("2026-05-01T00:00:00+02:00", True),  # a whole day in the zone of the rule
        ("2027-05-01T23:59:59+02:00", True),
        ("2027-05-02T00:00:00+02:00", False),
        ("2026-03-01T12:00:00+00:00", False),  # cancelled
    ],
)
def test_events_of_a_calendar_are_times_of_the_rule(tmp_path: Path, moment: str, held: bool) -> None:
    (tmp_path / "c.ics").write_text(CALENDAR)
    one = rule(calendar=tmp_path / "c.ics", timezone="Europe/Berlin")

    assert holds(one, ANY_RECORD, at(moment)) == [held]


def test_a_calendar_that_is_none_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.ics").write_text("not a calendar")

    with pytest.raises(ConfigError, match=r"c\.ics: this is not an iCalendar file"):
        Suppression([rule(calendar=tmp_path / "c.ics")])
    with pytest.raises(ConfigError, match=r"none\.ics: the calendar cannot be read: No such file"):
        Suppression([rule(calendar=tmp_path / "none.ics")])


@pytest.mark.parametrize(
    ("until", "moment", "held"),
    [
        ("2026-11-22", "2026-11-22T23:59:59+01:00", True),
        ("2026-11-22", "2026-11-23T00:00:00+01:00", False),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:01+00:00", False),
        ("never", "2999-01-01T00:00:00+00:00", True),
    ],
)
def test_a_rule_ends(until: str, moment: str, held: bool) -> None:
    one = rule(until=until, fields={"x": {"equals": 1}}, timezone="Europe/Berlin")

    assert holds(one, ANY_RECORD, at(moment)) == [held]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": None, "fields": {"x": {"equals": 1}}}, "'known' holds at all times: say `until` which day, or"),
        ({"until": "never"}, "neither fields nor times: it would hide every alert"),
        ({"until": "soon", "fields": {"x": {"equals": 1}}}, "expected a date as 2027-01-31, or never, got 'soon'"),
        ({"reason": "", "weekly": [{}]}, "at least 1 character"),
        ({"name": "storm", "weekly": [{}]}, "'storm' stands for what else suppresses alerts; call the rule otherwise"),
        ({"weekly": [{"from": "2:30"}]}, "expected a time of day as \"02:30\", in quotes, got '2:30'"),
        ({"calendar": Path("c.ics")}, "expected an absolute path, got 'c.ics'"),
        ({"weekly": [{}], "timezone": "Berlin"}, "there is no time zone 'Berlin'"),
    ],
)
def test_a_wrong_rule_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rule(**options)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({}, "a condition needs one of equals, in, cidr, matches, from and to"),
        ({"cidr": ["10.0.0.1/8"]}, "expected a network as 10.0.0.0/8 or 2001:db8::/32: 10.0.0.1/8 has host bits set"),
        ({"matches": "(?=x)"}, "RE2 cannot run this pattern"),
    ],
)
def test_a_wrong_condition_is_refused(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(condition)


def test_two_rules_need_two_names() -> None:
    with pytest.raises(ValueError, match="two rules are called 'known'"):
        distinct_rules([rule(weekly=[{}]), rule(weekly=[{}])])
