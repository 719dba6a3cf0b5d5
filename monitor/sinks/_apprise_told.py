"""An alert as a person reads it in a mail or a chat: a short subject and text, safe whatever a record says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from monitor.core.alerts import Alert
from monitor.core.printable import printable
from monitor.sinks._facts import TEXT_CHARACTERS, described_field

SUBJECT_CHARACTERS = 120
KEY_CHARACTERS = 60
FIELDS = 5
"""Fields with the most blame; a phone shows no more, and `aemonitor explain` has them all."""


class Told(NamedTuple):
    """What is sent, and how bad it is in the words of Apprise.

    ``brief`` has nothing in it that a record says: for a receiver that takes ``body`` for spam or for an attack.
    """

    title: str
    body: str
    brief_title: str
    brief: str
    kind: str


def told(alert: Alert, link: str | None) -> Told:
    """The message of an alert, or that it is over; in ``link`` the text ``{id}`` stands for its id."""
    url = "" if link is None else link.replace("{id}", quote(alert.id, safe=""))
    over = alert.state == "resolved"
    state = "Over" if over else alert.severity.capitalize()
    key = f", {printable(alert.key, KEY_CHARACTERS)}" if alert.key else ""
    where = ["", *_where(alert), *([url] if url else [])]
    brief = f"The receiver did not take the full text. `aemonitor alerts show {alert.id[:8]}` has it."
    return Told(
        title=printable(f"{state}: anomaly in {alert.stream}{key}", SUBJECT_CHARACTERS),
        body="\n".join([*_said(alert), *_facts(alert), *where]),
        brief_title=f"{state}: anomaly in {alert.stream}",
        brief="\n".join([brief, *where]),
        kind="success" if over else {"critical": "failure", "warning": "warning"}.get(alert.severity, "info"),
    )


def _said(alert: Alert) -> Iterator[str]:
    """The sentence, which of an episode that is over says so; then what was odd."""
    yield printable(alert.summary, TEXT_CHARACTERS)
    yield ""
    yield from map(described_field, alert.fields[:FIELDS])


def _facts(alert: Alert) -> Iterator[str]:
    episode = alert.episode
    first, last = (episode.first, episode.last) if episode else (alert.time, alert.time)
    if first and last:
        yield f"When: {first}" + (f" to {last}" if last != first else "")
    if alert.count > 1:
        yield f"Records: {alert.count:,}"
    peak = episode.peak if episode else alert.score.value
    yield f"Score: {peak:.4g}, limit {alert.score.threshold:.4g}"
    yield printable(f"Source: {alert.source.text()}", TEXT_CHARACTERS)


def _where(alert: Alert) -> Iterator[str]:
    yield f"Host: {alert.host}"
    yield f"Alert: {alert.id}"
