"""The rules of ``alert.suppress``: anomalies that are known, and when. All of it plain configuration."""

from __future__ import annotations

import ipaddress
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from monitor.core.names import quoted
from monitor.core.regexes import demand_re2
from monitor.core.strict import StrictModel
from monitor.core.zones import zone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

FEEDBACK, STORM = "feedback", "storm"
"""What else suppresses alerts; no rule is called so."""

Scalar = str | int | float | bool


def _clock(text: str) -> str:
    minutes(text)
    return text


def minutes(text: str) -> int:
    """Minutes since midnight of ``HH:MM``; 24:00 is the end of the day.

    >>> minutes("02:30"), minutes("24:00")
    (150, 1440)

    Raises:
        ValueError: it is no such time; the message is for the user.
    """
    if text == "24:00":
        return 24 * 60
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        raise ValueError(f'expected a time of day as "02:30", in quotes, got {quoted(text)}') from None
    return moment.hour * 60 + moment.minute


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"expected a network as 10.0.0.0/8 or 2001:db8::/32: {error}") from None


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"expected an absolute path, got {quoted(str(path))}")
    return path


def _day(text: str) -> str:
    if text != "never":
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"expected a date as 2027-01-31, or never, got {quoted(text)}") from None
    return text


class Condition(StrictModel):
    """What a field of a record must be; all that is given must hold. A field that is missing meets no condition."""

    equals: Scalar | None = Field(default=None, description="Exactly this value.")
    among: list[Scalar] | None = Field(default=None, alias="in", min_length=1, description="One of these values.")
    cidr: list[Annotated[str, AfterValidator(_network)]] | None = Field(
        default=None, min_length=1, description="An address in one of these networks."
    )
    matches: Annotated[str, AfterValidator(demand_re2)] | None = Field(
        default=None, description="A text in which this pattern (RE2) matches; ^ and $ stand for its ends."
    )
    at_least: float | None = Field(default=None, alias="from", description="A number not below this.")
    at_most: float | None = Field(default=None, alias="to", description="A number not above this.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("a condition needs one of equals, in, cidr, matches, from and to")
        return self


class WeeklyConfig(StrictModel):
    """A time that comes every week."""

    days: Annotated[list[Day], Field(min_length=1)] = Field(
        default_factory=lambda: list(DAYS), description="On which days it begins; every day by default."
    )
    begin: Annotated[str, AfterValidator(_clock)] = Field(
        default="00:00", alias="from", description='When it begins, as "02:30".'
    )
    end: Annotated[str, AfterValidator(_clock)] = Field(
        default="24:00", alias="to", description="When it is over; if that is not later, on the day after."
    )


class SuppressConfig(StrictModel):
    """One rule: anomalous records that meet all ``fields``, at one of its times, are nobody's concern."""

    name: Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")] = Field(
        description="The rule in metrics and lists."
    )
    reason: Annotated[str, Field(min_length=1)] = Field(
        description="Why nobody need be told; whoever reads the rule a year on will ask."
    )
    until: Annotated[str, AfterValidator(_day)] | None = Field(
        default=None,
        description="The last day of the rule, as 2027-01-31, a moment, or never. A rule without times must say it.",
    )
    fields: dict[str, Condition] = Field(
        default_factory=dict[str, Condition],
        description="What fields of the record must be, by their names, whether or not they are features.",
    )
    weekly: list[WeeklyConfig] = Field(
        default_factory=list[WeeklyConfig], description="Times of the week at which the rule holds."
    )
    calendar: Annotated[Path, Field(strict=False), AfterValidator(_absolute)] | None = Field(
        default=None,
        description="An iCalendar file; the rule holds during its events, also. It is read again when it changes. "
        "Needs `aemonitor[calendar]`.",
    )
    timezone: Annotated[str, AfterValidator(zone)] = Field(
        default="UTC", description="Of `weekly`, `until`, and of times in the calendar that name none."
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if not (self.fields or self.timed):
            raise ValueError(f"the rule {quoted(self.name)} has neither fields nor times: it would hide every alert")
        if not self.timed and self.until is None:
            raise ValueError(
                f"the rule {quoted(self.name)} holds at all times: say `until` which day, or `until: never`"
            )
        if self.name in (FEEDBACK, STORM):
            raise ValueError(f"{quoted(self.name)} stands for what else suppresses alerts; call the rule otherwise")
        return self

    @property
    def timed(self) -> bool:
        """Whether it holds at certain times only."""
        return bool(self.weekly) or self.calendar is not None

    @property
    def end(self) -> float | None:
        """When it ends, in seconds since 1970: a date ends with its day. None: never."""
        if self.until is None or self.until == "never":
            return None
        moment, zone = datetime.fromisoformat(self.until), ZoneInfo(self.timezone)
        if len(self.until) == len(date.min.isoformat()):
            moment = datetime.combine(moment.date(), time.max)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def distinct_rules(rules: list[SuppressConfig]) -> list[SuppressConfig]:
    """The rules, if no two have one name.

    Raises:
        ValueError: two have; the message is for the user.
    """
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two rules are called {quoted(twice[0])}")
    return rules
