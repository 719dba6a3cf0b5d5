"""What the API takes and gives, one type each: what is validated, what is sent and what OpenAPI says are the same."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.core.alerts import Alert
from monitor.core.config import NAME_PATTERN

MOST_LISTED = 200
NOTE_CHARACTERS = 1_000
ID_PATTERN = "^[0-9a-f]{32}$"

Verdict = Literal["benign", "anomaly"]
State = Literal["firing", "resolved", "record", "suppressed"]
Window = Literal["1h", "1d"]
Name = Annotated[str, Meta(pattern=NAME_PATTERN, description="The name of a stream.")]
Id = Annotated[str, Meta(pattern=ID_PATTERN, description="The id of an alert.")]
Count = Annotated[int, Meta(ge=0)]

# -- what is asked -------------------------------------------------------------------------------------------------


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An operation without parameters."""


class AlertsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which episodes to list, newest first. ``cursor`` is ``next`` of the page before.

    Those that were suppressed are listed only where ``state`` asks for them.
    """

    stream: Name | UnsetType = UNSET
    state: State | UnsetType = UNSET
    severity: Annotated[str, Meta(pattern="^[a-z]{1,20}$")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 50
    cursor: Annotated[int, Meta(ge=1, le=2**62)] | UnsetType = UNSET


class AlertPath(Struct, frozen=True, forbid_unknown_fields=True):
    """One alert."""

    id: Id


class ChartQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A stream's scores over the last hour or day."""

    stream: Name
    window: Window = "1h"


class Feedback(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says of an alert. The last word on an alert counts."""

    label: Verdict
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS)] = ""


# -- what is answered ----------------------------------------------------------------------------------------------


class Problem(Struct, frozen=True):
    """Why a request was not carried out (RFC 9457)."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


class Label(Struct, frozen=True):
    """What was said of an alert, when, and by whom where that is known."""

    label: Verdict
    note: str
    labelled_at: str
    by: str = ""


class Episode(Struct, frozen=True, kw_only=True):
    """What a person was told, and how it stands now.

    ``state`` is firing until it is over; record: a record was told by itself; suppressed: nobody was told, because of
    ``suppressed_by``. ``severity`` is the worst it was told with. ``first`` and ``last`` are the event times of its
    alerting records so far, ``count`` their number, ``peak`` their highest score, ``keys`` how many keys they have.
    """

    id: str
    stream: str
    key: str | None
    state: State
    severity: str
    first: str
    last: str | None
    resolved_at: str | None
    count: Count
    peak: float
    limit: float
    summary: str
    keys: Count = 1
    suppressed_by: str | None = None
    label: Label | None


class Episodes(Struct, frozen=True):
    """A page of them. ``next`` is the cursor of the next page, null behind the last; a page may be empty before it."""

    alerts: list[Episode]
    next: int | None


class Detail(Struct, frozen=True):
    """An episode with the alert that told it, and the alert that told it is worse than that, if one did."""

    episode: Episode
    alert: Alert
    worse: Alert | None


class Status(Struct, frozen=True):
    """How the program is. ``troubles`` say why it is not healthy or not ready."""

    version: str
    healthy: bool
    ready: bool
    troubles: list[str]
    streams: Count
    open_episodes: Count


class Stream(Struct, frozen=True, kw_only=True):
    """A stream as it stands: ``state`` in a word, ``reason`` in a sentence.

    ``episodes_day`` began in the last day of this run, ``expected_day`` were expected of as many benign records; null
    where nothing was promised. ``last_record`` is when one was scored last, RFC 3339.
    """

    name: str
    state: str
    reason: str
    model: str | None
    threshold: float | None
    records_per_second: float
    lag_bytes: Count
    last_record: str | None
    open_episodes: Count
    records_day: Count
    episodes_day: Count
    expected_day: float | None
    read: Count
    scored: Count
    unparsed: Count
    in_flight: Count
    alerts: Count


class Streams(Struct, frozen=True):
    """Every stream, in the order of their names."""

    streams: list[Stream]


class ChartPoint(Struct, frozen=True):
    """A step that has records. ``quantile`` is the score of 99 of 100 of them, to 12 %, from above."""

    time: str
    records: Count
    highest: float
    quantile: float
    alerts: Count
    limit: float | None


class Chart(Struct, frozen=True):
    """Scores of a window of this run, the oldest first; steps without records are left out."""

    stream: str
    window: Window
    step_seconds: float
    points: list[ChartPoint]
