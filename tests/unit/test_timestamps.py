"""Event time: every way of writing it means the same second, and what is no time is NaN."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.timestamps import check, detect, parse_times

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()


def parse(
    *texts: str | None, form: str | None = None, timezone: str = "UTC", reference: float = NOW
) -> list[float | None]:
    """Seconds of each text; None where it is NaN."""
    times = parse_times(pa.array(texts, type=pa.string()), format=form, timezone=timezone, reference=reference)
    return [None if np.isnan(time) else float(time) for time in times]


def at(*parts: int, zone: str = "UTC") -> float:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type,misc]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T03:16:28Z", at(2026, 11, 22, 3, 16, 28)),
        ("2026-11-22t03:16:28z", at(2026, 11, 22, 3, 16, 28)),
        ("2026-11-22T03:16:28.123456+01:00", at(2026, 11, 22, 2, 16, 28, 123456)),
        ("2026-11-22 03:16:28,5 -0330", at(2026, 11, 22, 6, 46, 28, 500000)),
        ("2026-11-22T03:16:28+01", at(2026, 11, 22, 2, 16, 28)),
        ("2026-11-22 03:16:28 UTC", at(2026, 11, 22, 3, 16, 28)),
        ("2026-11-22 03:16", at(2026, 11, 22, 3, 16)),
        ("2026/11/22 03:16:28", at(2026, 11, 22, 3, 16, 28)),
        ("2026-11-22", at(2026, 11, 22)),
        ("20261122", at(2026, 11, 22)),
        ("20261122031628", at(2026, 11, 22, 3, 16, 28)),
        ("20261122T031628Z", at(2026, 11, 22, 3, 16, 28)),
        ("2015-10-18 18:01:47,978", at(2015, 10, 18, 18, 1, 47, 978000)),
        ("22/Nov/2026:03:00:05 +0000", at(2026, 11, 22, 3, 0, 5)),
        ("[22/nov/2026:03:00:05 -0700] ", at(2026, 11, 22, 10, 0, 5)),
        ("Jun  9 06:06:20", at(2026, 6, 9, 6, 6, 20)),
        ("Jun 9 06:06:20", at(2026, 6, 9, 6, 6, 20)),
        ("Jun 09 06:06:20.25", at(2026, 6, 9, 6, 6, 20, 250000)),
        ("Jun  9 2019 06:06:20", at(2019, 6, 9, 6, 6, 20)),
        ("Sun Dec 04 04:47:44 2005", at(2005, 12, 4, 4, 47, 44)),
        ("[Sun Dec  4 04:47:44.500000 2005]", at(2005, 12, 4, 4, 47, 44, 500000)),
        ("Sun Dec  4 04:47:44 UTC 2005", at(2005, 12, 4, 4, 47, 44)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", at(1994, 11, 6, 8, 49, 37)),
        ("6 Nov 1994 08:49:37 +0100", at(1994, 11, 6, 7, 49, 37)),
        ("081109 203615", at(2008, 11, 9, 20, 36, 15)),
        ("991109 203615", at(1999, 11, 9, 20, 36, 15)),
        ("1700000000", 1.7e9),
        ("1700000000.25", 1_700_000_000.25),
        ("1700000000123", 1_700_000_000.123),
        ("1700000000123456", 1_700_000_000.123456),
        ("1700000000123456789", 1_700_000_000.123456789),
        ("1.7e9", 1.7e9),
        ("-86400", -86400.0),
        ("0", 0.0),
        ("2016-12-31T23:59:60Z", at(2017, 1, 1)),
        ("2024-02-29", at(2024, 2, 29)),
        ("0001-01-01", -62_135_596_800.0),
        ("9999-12-31T23:59:59Z", at(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_time_is_read_in_whatever_form_it_is_written(text: str, expected: float) -> None:
    assert parse(text) == [pytest.approx(expected, abs=1e-6)]


NO_DATES = ["2026-13-01", "2026-02-29", "0000-01-01", "2026-00-10", "2026-10-00", "Jun 31 06:06:20", "20261340"]
NO_CLOCKS = ["2026-11-22T24:00:00", "2026-11-22T03:60:00", "2026-11-22T03:16:61"]
NO_FORMS = ["Foo  9 06:06:20", "22/11/2026", "12.5.2026", "2026-11-22T03:16:28+0100x", "Sun Dec 04 04:47:44 CET 2005"]
NO_NUMBERS = ["1e400", "nan", "inf", "1" * 25, "２０２６-11-22", "2026-11-22T03:16:28.1234567890123456789Z", "0x10"]
NO_TEXTS = ["", "-", "never", "\0", "é", "2026-11-22\n", "2026-11-22" + " " * 99 + "x"]


@pytest.mark.parametrize("text", [*NO_DATES, *NO_CLOCKS, *NO_FORMS, *NO_NUMBERS, *NO_TEXTS])
def test_what_is_no_time_is_nan(text: str) -> None:
    assert parse(text, "1700000000") == [None, 1.7e9]


def test_missing_is_nan_and_rows_keep_their_places() -> None:
    assert parse(None, "1", None, "2", "1") == [None, 1.0, None, 2.0, 1.0]
    assert parse() == []
    assert np.isnan(parse_times(pa.nulls(2), format=None, timezone="UTC", reference=NOW)).all()


def test_numbers_are_read_by_their_size() -> None:
    column = pa.array([1.7e9, 1.7e12, 1.7e15, 1.7e18, np.nan, np.inf, -np.inf, 1e300, None, -5.0])

    times = parse_times(column, format=None, timezone="UTC", reference=NOW)

    assert times.tolist() == pytest.approx([1.7e9] * 4 + [np.nan] * 5 + [-5.0], nan_ok=True)


def test_a_column_that_is_part_of_another_is_read_alone() -> None:
    column = pa.array(["1", "2", "2026-11-22", "4"]).slice(2, 2)

    assert parse_times(column, format=None, timezone="UTC", reference=NOW).tolist() == [at(2026, 11, 22), 4.0]


FORMS = [
    "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S,%f", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S",
    "%d/%b/%Y:%H:%M:%S +0000", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S GMT", "%b %d %Y %H:%M:%S",
]  # fmt: skip
WITH_ZONE = [form for form in FORMS if form.endswith(("Z", "+0000", "GMT"))]
moments = st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - the zone is added below


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(moments, st.sampled_from(FORMS)), min_size=1, max_size=12))
def test_every_form_gives_the_second_it_was_made_of(cases: list[tuple[datetime, str]]) -> None:
    expected = [
        moment.replace(tzinfo=UTC, microsecond=moment.microsecond if "%f" in form else 0) for moment, form in cases
    ]

    times = parse(*(moment.strftime(form) for moment, form in cases))

    assert times == pytest.approx([moment.timestamp() for moment in expected], abs=1e-4)


texts = st.one_of(
    st.sampled_from(["20261122", "20261340", "10000000", "1700000000", "081109 203615", "Jun  9 06:06:20"]),
    st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-6]0(Z|\+0[0-9]00)?", fullmatch=True),
    st.from_regex(r"(Sun|S4n) (Jan|Foo|feb) [ 0-3][0-9] 0[0-9]:1[0-9]:20 20[0-9][0-9]", fullmatch=True),
    st.from_regex(r"[0-9 :./,TZ+-]{8,20}", fullmatch=True),
    st.text(max_size=20),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, min_size=1, max_size=20), st.sampled_from(["UTC", "Europe/Paris"]))
@example(["20261122", "10000000", "20261340"], "UTC")
@example(["Sun Jan 01 00:10:20 2020", "S4n Jan 01 00:10:20 2020"], "UTC")
def test_a_text_means_the_same_alone_and_among_others(batch: list[str], timezone: str) -> None:
    batch = [text for text in batch if text.isprintable()]

    assert parse(*batch, timezone=timezone) == [parse(text, timezone=timezone)[0] for text in batch]


def test_a_time_without_zone_is_local() -> None:
    summer, winter = "2026-07-01 12:00:00", "2026-12-01 12:00:00"

    assert parse(summer, winter, timezone="Europe/Paris") == [at(2026, 7, 1, 10), at(2026, 12, 1, 11)]
    assert parse(summer + "Z", timezone="Europe/Paris") == [at(2026, 7, 1, 12)]


def test_an_hour_shown_twice_is_the_first_and_a_skipped_one_goes_on() -> None:
    twice, skipped = "2026-10-25 02:30:00", "2026-03-29 02:30:00"

    assert parse(twice, skipped, timezone="Europe/Paris") == [at(2026, 10, 25, 0, 30), at(2026, 3, 29, 1, 30)]


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("Dec 31 23:59:59", (2027, 1, 1, 0, 0, 5), (2026, 12, 31, 23, 59, 59)),
        ("Jan  1 00:00:05", (2026, 12, 31, 23, 59, 59), (2027, 1, 1, 0, 0, 5)),
        ("Jan  2 00:00:05", (2026, 12, 31, 0, 0, 0), (2026, 1, 2, 0, 0, 5)),
        ("Nov 23 11:59:59", (2026, 11, 22, 12, 0, 0), (2026, 11, 23, 11, 59, 59)),
        ("Nov 23 12:00:01", (2026, 11, 22, 12, 0, 0), (2025, 11, 23, 12, 0, 1)),
        ("Feb 29 12:00:00", (2026, 11, 22, 12, 0, 0), (2024, 2, 29, 12, 0, 0)),
        ("Feb 29 12:00:00", (1903, 1, 1, 0, 0, 0), (1896, 2, 29, 12, 0, 0)),
    ],
)
def test_a_date_without_year_is_in_the_latest_that_is_not_ahead(
    text: str, now: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert parse(text, reference=at(*now)) == [at(*expected)]


def test_the_year_is_chosen_in_the_zone_of_the_log() -> None:
    reference = at(2026, 12, 31, 12)

    assert parse("Jan  1 00:30:00", timezone="Pacific/Auckland", reference=reference) == [at(2026, 12, 31, 11, 30)]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%d/%m/%Y %H:%M", "03/04/2026 05:06", at(2026, 4, 3, 5, 6)),
        ("%m/%d/%y", "3/4/26", at(2026, 3, 4)),
        ("%F %T.%f%z", "2026-04-03 05:06:07.125+02:00", at(2026, 4, 3, 3, 6, 7, 125000)),
        ("[%d.%m.%Y]", "[03.04.2026]", at(2026, 4, 3)),
        ("%s", "1700000000", 1.7e9),
        ("%b %e %H:%M:%S", "Jun  9 06:06:20", at(2026, 6, 9, 6, 6, 20)),
        ("%I:%M %p, %B %d %Y", "05:06 PM, April 03 2026", at(2026, 4, 3, 17, 6)),
        ("%B %d %H:%M", "April 03 05:06", at(2026, 4, 3, 5, 6)),
        ("%Y-%j", "2026-032", at(2026, 2, 1)),
        ("%I:%M %p %d %b %Y %z", "05:06 PM 03 Apr 2026 +0200", at(2026, 4, 3, 15, 6)),
        ("100%% %Y", "100% 2026", at(2026, 1, 1)),
    ],
)
def test_an_explicit_format_is_obeyed(form: str, text: str, expected: float) -> None:
    assert parse(text, "other", "2026-04-03T05:06:07Z", form=form) == [expected, None, None]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%Q", "time format '%Q': 'Q' is a bad directive"),
        ("%Y %Y", "time format '%Y %Y' has a directive twice"),
        ("%", "time format '%': stray %"),
    ],
)
def test_a_format_that_does_not_exist_is_refused(form: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(form, "UTC")


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "../etc/passwd", "", "Europe"])
def test_a_zone_that_does_not_exist_is_refused(timezone: str) -> None:
    with pytest.raises(ValueError, match=r"there is no time zone .*; use an IANA name such as Europe/Paris"):
        check(None, timezone)


def test_formats_and_zones_that_exist_pass() -> None:
    check(None, "UTC")
    check("%d/%m/%Y", "Europe/Paris")
    check("%I %p", "America/St_Johns")


def test_times_are_detected_by_their_share() -> None:
    assert detect(pa.array(["2026-11-22", "Jun  9 06:06:20", "1700000000", None, "x"])) == 0.75
    assert detect(pa.array(["200", "404", "500", "12345"])) == 0.0
    assert detect(pa.array([None, None], type=pa.string())) == 0.0
