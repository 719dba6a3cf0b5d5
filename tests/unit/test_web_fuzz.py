"""Whatever stands in a record, a page has the tags of its template and no others, and nothing invisible."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.core.alerts import FieldFinding, SourceRef
from monitor.core.clock import ManualClock
from monitor.ledger import Wanted
from monitor.telemetry import Telemetry
from monitor.web import Health
from monitor.web.api.answers import Detail, Episode, Episodes
from monitor.web.desk import EmptyDesk
from monitor.web.pages.assets import Asset, load_assets
from monitor.web.pages.episode import FormState, episode_page
from monitor.web.pages.status import PageQuery, status_page
from monitor.web.site import Site
from tests.support_pages import begun

PIECES = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</pre>", "-->", "<!--", "]]>", "'", '"', "&lt;",
    "&#60;", "javascript:alert(1)", "{{7*7}}", "{% raw %}", "\x1b[31m", "\x9b2J", "\u202e", "\u2028", "\x00", "\ud800",
    "\n", "\r",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=6).map("".join)


class Tags(HTMLParser):
    """What a browser would make of a page: the names of its tags, and of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        assert all(
            not (value or "").lower().startswith("javascript") for name, value in attrs if name in ("href", "src")
        )

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


@cache
def assets() -> dict[str, Asset]:
    return load_assets()


def site(desk: EmptyDesk) -> Site:
    clock = ManualClock()
    return Site(Telemetry(clock), Health(clock), desk, clock, "1")


def pages(text: str) -> list[str]:
    """Both pages of an alert that has the text wherever it has any."""
    field = FieldFinding(text, text, text, text, 1.0, text, 3.0)
    alert = replace(
        begun(1), key=text, raw=text, summary=text, host=text, fields=(field, replace(field, contribution=0.01)),
        source=SourceRef(path=text, offset=1),
    )  # fmt: skip
    episode = Episode(
        id=alert.id, stream=alert.stream, key=text, state="firing", severity=alert.severity, first=alert.detected_at,
        last=None, resolved_at=None, count=1, peak=2.0, limit=1.0, summary=text, suppressed_by=text, label=None,
    )  # fmt: skip

    class OneEpisode(EmptyDesk):
        def episodes(self, wanted: Wanted) -> Episodes:
            return Episodes([episode], None)

    form = FormState(text, "0" * 64, text, text)
    given_text = {"stream": text.encode("utf-8", "replace").decode()}  # an address has no lone surrogates
    return [
        episode_page(site(OneEpisode()), assets(), Detail(episode, alert, alert), form),
        status_page(site(OneEpisode()), assets(), PageQuery(), given_text),
    ]


@cache
def harmless() -> list[Tags]:
    return [Tags(page) for page in pages("x y")]


@given(TEXT)
@settings(deadline=None)
def test_no_text_becomes_markup_or_hides(text: str) -> None:
    for page, plain in zip(pages(text), harmless(), strict=True):
        tags = Tags(page)
        assert tags.names <= plain.names | {"svg", "line", "rect", "circle", "text"}  # a number has a bar
        assert not {name for name in tags.attributes - plain.attributes if name.startswith("on") or name == "style"}
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", page)
