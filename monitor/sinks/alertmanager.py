"""Sends alerts to the instances of an Alertmanager, again and again while they go on, and tells their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from pydantic import AfterValidator, Field

from monitor.core.alerts import Alert
from monitor.core.clock import Clock, SystemClock
from monitor.core.delivery import PartlyDeliveredError
from monitor.core.protocols import Sink
from monitor.sinks._cluster import Cluster
from monitor.sinks._http import Receiver
from monitor.sinks._http_options import HttpOptions, Url
from monitor.sinks._postable import LABEL_NAME, OWN_LABELS, postable

EXAMPLE = """\
urls: [http://127.0.0.1:9093]   # every instance of a cluster, not a load balancer before it
labels: {team: storage}
"""

PATH = "/api/v2/alerts"
ENDS_AFTER_REPEATS = 4
"""An alert ends by itself when it was not sent again for so many times, as those of Prometheus do: a daemon that is
gone leaves nothing firing, and what `resolve_timeout` says does not matter."""
MOST_TOLD = 10_000
"""Episodes of which is known how they were told; the oldest goes first, since some are never told to be over."""


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not LABEL_NAME.fullmatch(name) or name in OWN_LABELS:
            raise ValueError(
                f"a label is named with letters, digits and underscores, and not {', '.join(OWN_LABELS)}: those are set"
            )
        if not value:
            raise ValueError(f"the label {name} has no value; leave it out")
    return labels


def _distinct(urls: list[str]) -> list[str]:
    places = [url.rstrip("/") for url in urls]
    if len(set(places)) < len(places):
        raise ValueError("the same instance stands there twice")
    return places


class Config(HttpOptions):
    """Options of the ``alertmanager`` sink."""

    urls: Annotated[list[Url], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=16, description="Every instance of the cluster; each gets each alert."
    )
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(
        default_factory=dict[str, str],
        description="Labels added to each alert, to route it by; `alertname` replaces the usual one.",
    )
    repeat_seconds: float = Field(
        default=60.0, ge=1, le=3600, description="How often an alert is sent again while it goes on."
    )
    least_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="An alert that ended sooner stays so long, counted from when it could be sent first: more than "
        "`group_wait`, or nobody would hear of what happened while Alertmanager was down.",
    )
    record_seconds: float = Field(
        default=300.0, ge=1, le=86_400, description="How long an alert of a single record (`tell: records`) stays."
    )
    link: Url | None = Field(
        default=None, description="Where an alert leads to; `{id}` stands for its id, as in https://host/alerts/{id}."
    )
    runbook: Url | None = Field(default=None, description="A page that says what to do, for `runbook_url`.")


def build(config: Config) -> Sink:
    """The sink; unusable secrets and certificates are refused here, before the first alert.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return Alertmanager(config, SystemClock())


@dataclass
class _Told:
    """How an episode was told: since when (seconds since 1970), and with which severities."""

    since: float
    severities: set[str] = field(default_factory=set[str])


class Alertmanager:
    """Alerts count as delivered when one instance has them, as those of Prometheus do.

    What an instance missed it gets with the next repetition, if it still goes on; an end that it missed comes by
    itself. So nothing has to be remembered of an instance that is down, nor is anything told twice to the others.
    What is remembered of episodes here makes their ends prompt and exact, and is gone after a restart, when the ends
    of those that had become worse come by themselves, too.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.repeat_seconds = config.repeat_seconds
        self._config = config
        self._clock = clock
        self._cluster = Cluster([Receiver(url + PATH, config, clock) for url in config.urls], clock)
        self._links = {"link": config.link, "runbook": config.runbook}
        self._told: dict[str, _Told] = {}

    def send(self, alerts: Sequence[bytes]) -> int:
        decoded = [msgspec.json.decode(line, type=Alert) for line in alerts]
        partly = self._post(decoded)
        for alert in decoded:
            if alert.state == "resolved":
                self._told.pop(alert.id, None)
        if partly:
            raise partly
        return len(alerts)

    def repeat(self, alerts: Sequence[bytes]) -> None:
        if partly := self._post([msgspec.json.decode(line, type=Alert) for line in alerts]):
            raise partly

    def close(self) -> None:
        self._cluster.close()

    def _post(self, alerts: Sequence[Alert]) -> PartlyDeliveredError | None:
        now = self._clock.now()
        body = msgspec.json.encode([made for alert in alerts for made in self._postables(alert, now)])
        return self._cluster.post(body) if alerts else None

    def _postables(self, alert: Alert, now: float) -> Iterator[dict[str, object]]:
        severities, ends = self._ending(alert, now) if alert.state == "resolved" else self._going_on(alert, now)
        for severity in sorted(severities):
            yield postable(alert, severity, _time(ends), _time(now), self._config.labels, self._links)

    def _going_on(self, alert: Alert, now: float) -> tuple[set[str], float]:
        if alert.episode is None:
            # From now on and not from when it happened: what comes late would be over before anybody hears of it.
            return {alert.severity}, now + self._config.record_seconds
        self._told.setdefault(alert.episode.id, _Told(now)).severities.add(alert.severity)
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        return {alert.severity}, now + ENDS_AFTER_REPEATS * self.repeat_seconds

    def _ending(self, alert: Alert, now: float) -> tuple[set[str], float]:
        """An episode ends with every severity it was told with."""
        told = self._told.get(alert.id, _Told(-self._config.least_seconds))
        over = min(datetime.fromisoformat(alert.detected_at).timestamp(), now)
        return told.severities | {alert.severity}, max(over, told.since + self._config.least_seconds)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
