"""The operations of the API, as one table: the routes and their description are made from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from monitor.core.errors import NoInputError
from monitor.ledger import Wanted
from monitor.telemetry import Point, StreamOverview
from monitor.telemetry.chart import STEPS
from monitor.telemetry.names import WINDOWS
from monitor.web.api import answers as api
from monitor.web.site import Site
from monitor.web.standing import expected_episodes, standing, troubles
from monitor.web.wording import rfc3339

LONGEST_SCORE = 1e300
"""Stands for a number that JSON has none for."""


class Call(NamedTuple):
    """One request: ``asked`` and ``said`` are of the types of its operation, ``user`` who logged in, if anyone."""

    site: Site
    asked: Any
    said: Any
    user: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """``asked`` are its parameters: those in the path, and the others in the query. ``said`` is its body, if any.

    ``act`` may block; it raises NoInputError for what is not there.
    """

    name: str
    method: str
    path: str
    summary: str
    act: Callable[[Call], Struct]
    asked: type[Struct]
    answer: type[Struct]
    said: type[Struct] | None = None


def status(call: Call) -> api.Status:
    """How the program is."""
    site = call.site
    found, streams = troubles(site.health), site.telemetry.overview()
    return api.Status(
        version=site.version,
        healthy=not site.health.stale(),
        ready=not site.health.missing(),
        troubles=found,
        streams=len(streams),
        open_episodes=sum(stream.open_episodes for stream in streams),
    )


def streams(call: Call) -> api.Streams:
    """Every stream as it stands."""
    return api.Streams([_stream(call.site, stream) for stream in call.site.telemetry.overview()])


def chart(call: Call) -> api.Chart:
    """The scores of a stream."""
    points = call.site.telemetry.chart(call.asked.stream, call.asked.window)
    if points is None:
        raise NoInputError(f"there is no stream {call.asked.stream}")
    step = WINDOWS[call.asked.window] / STEPS
    return api.Chart(call.asked.stream, call.asked.window, step, [_point(point) for point in points])


def alerts(call: Call) -> api.Episodes:
    """A page of what was told."""
    asked: api.AlertsQuery = call.asked
    return call.site.desk.episodes(
        Wanted(
            stream=_given(asked.stream),
            state=_given(asked.state),
            severity=_given(asked.severity),
            before=_given(asked.cursor),
            limit=asked.limit,
        )
    )


def alert(call: Call) -> api.Detail:
    """One alert in full."""
    found = call.site.desk.detail(call.asked.id)
    if found is None:
        raise NoInputError(f"there is no alert {call.asked.id}, or it is forgotten")
    return found


def label(call: Call) -> api.Label:
    """Keep what a person says."""
    return call.site.desk.say(call.asked.id, call.said, call.user or "")


OPERATIONS = (
    Operation("status", "GET", "/api/v1/status", "How the program is.", status, api.Nothing, api.Status),
    Operation("streams", "GET", "/api/v1/streams", "Every stream as it stands.", streams, api.Nothing, api.Streams),
    Operation("chart", "GET", "/api/v1/streams/{stream}/chart", "Its scores.", chart, api.ChartQuery, api.Chart),
    Operation("alerts", "GET", "/api/v1/alerts", "Episodes, newest first.", alerts, api.AlertsQuery, api.Episodes),
    Operation("alert", "GET", "/api/v1/alerts/{id}", "One alert in full.", alert, api.AlertPath, api.Detail),
    Operation(
        "label", "POST", "/api/v1/alerts/{id}/label", "Say that an alert was benign, or an anomaly.", label,
        api.AlertPath, api.Label, api.Feedback,
    ),
)  # fmt: skip


def _stream(site: Site, stream: StreamOverview) -> api.Stream:
    stands = standing(stream, site.desk.sign_of_drift(stream), site.clock.now())
    return api.Stream(
        name=stream.name,
        state=stands.word,
        reason=stands.reason,
        model=stream.version,
        threshold=stream.threshold,
        records_per_second=stream.seen.rate,
        lag_bytes=stream.lag_bytes,
        last_record=None if stream.seen.last is None else rfc3339(stream.seen.last),
        open_episodes=stream.open_episodes,
        records_day=stream.records_by_window["1d"],
        episodes_day=stream.episodes_by_window["1d"],
        expected_day=expected_episodes(stream, "1d"),
        read=stream.read,
        scored=stream.scored,
        unparsed=stream.unparsed,
        in_flight=stream.in_flight,
        alerts=stream.alerts,
    )


def _point(point: Point) -> api.ChartPoint:
    limit = point.limit if point.limit is None or math.isfinite(point.limit) else LONGEST_SCORE
    return api.ChartPoint(rfc3339(point.time), point.records, point.highest, point.quantile, point.alerts, limit)


def _given(value: Any) -> Any:
    return None if isinstance(value, UnsetType) or value is UNSET else value
