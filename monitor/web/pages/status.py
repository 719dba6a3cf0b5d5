"""The status page: how the program and its streams stand, their scores, and what was told lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from monitor.core.names import plural
from monitor.telemetry import StreamOverview
from monitor.web.api.answers import AlertsQuery, Window
from monitor.web.api.operations import Call, alerts
from monitor.web.pages.assets import Asset
from monitor.web.pages.picture import Picture, picture
from monitor.web.pages.rendering import render
from monitor.web.site import Site
from monitor.web.standing import Standing, Tone, expected_episodes, standing, troubles

LISTED = 25
"""Episodes on a page."""

SEVERITIES = ("warning", "critical")


class PageQuery(AlertsQuery, frozen=True, forbid_unknown_fields=True):
    """What to show: the same filters as those of the API, and how far the charts reach back."""

    window: Window = "1h"


@dataclass(frozen=True, slots=True)
class Card:
    """A stream on the page."""

    stream: StreamOverview
    stands: Standing
    picture: Picture
    episodes: int
    expected: float | None


class Links:
    """Addresses of this page with one thing changed, as they stand in it."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given

    def __call__(self, **changes: object) -> str:
        changed = {**self.given, **changes}
        return "?" + urlencode({name: value for name, value in changed.items() if value not in (None, "")})


def status_page(site: Site, assets: Mapping[str, Asset], query: PageQuery, given: Mapping[str, str]) -> str:
    """The page as HTML; ``given`` is the query as it was written."""
    now = site.clock.now()
    streams = site.telemetry.overview()
    cards = [_card(site, stream, query.window, now) for stream in streams]
    found = troubles(site.health)
    unended = alerts(Call(site, AlertsQuery(state="firing", limit=LISTED), None, None)).alerts
    starting = site.health.starting()
    verdict, tone = ("Starting.", "plain") if starting else _verdict(cards, found, len(unended))
    return render(
        "status.html.j2",
        root="",
        assets=assets,
        now=now,
        verdict=verdict,
        tone=tone,
        going_on=bool(unended) or any(stream.open_episodes for stream in streams),
        troubles=found,
        cards=[card for card in cards if not query.stream or query.stream == card.stream.name],
        names=[stream.name for stream in streams],
        page=alerts(Call(site, query, None, None)),
        query=query,
        given={name: given.get(name, "") for name in PageQuery.__struct_fields__},
        link=Links(given),
        severities=SEVERITIES,
        version=site.version,
    )


def _card(site: Site, stream: StreamOverview, window: Window, now: float) -> Card:
    return Card(
        stream,
        standing(stream, site.desk.sign_of_drift(stream), now),
        picture(site.telemetry.chart(stream.name, window) or (), window, now),
        stream.episodes_by_window[window],
        expected_episodes(stream, window),
    )


def _verdict(cards: Sequence[Card], found: Sequence[str], unended: int) -> tuple[str, Tone]:
    """One sentence, and whether somebody has to look.

    ``unended`` is how many alerts somebody was told of and not of their end, 25 at the most: a silent stream has
    one, and no episode.
    """
    going_on = sum(card.stream.open_episodes for card in cards)
    ailing = [card.stream.name for card in cards if card.stands.tone == "bad"]
    if going_on:
        return f"{plural(going_on, 'episode is', 'episodes are')} going on.", "bad"
    if found:
        return "Something is wrong.", "bad"
    if ailing:
        return f"Nothing anomalous now, but look at {', '.join(ailing)}.", "bad"
    if not cards:
        return "No stream is running.", "plain"
    if unended:
        return f"No record is anomalous now, but {plural(unended, 'alert is', 'alerts are')} not over.", "bad"
    return f"All is well: {plural(len(cards), 'stream')} watched, nothing anomalous now.", "good"
