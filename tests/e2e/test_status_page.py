"""The status page as a person meets it: in a browser, over a real daemon, with records that mean harm."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, HttpCredentials, Page, ViewportSize, expect, sync_playwright

from tests.e2e.support import Site, aemonitor, need, wait_for
from tests.e2e.traffic import line, trained
from tests.support_files import write
from tests.support_web import SECRET, USERS

pytestmark = pytest.mark.timeout(300)

USER = "scraper"
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
"""https://github.com/dequelabs/axe-core"""
SCREENS: dict[str, ViewportSize] = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
HARM = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    "\x1b]0;owned\x07\x9b2J\u202e{{7*7}}'\"><svg/onload=alert(2)>"
)
CONTROLS = set("\x1b\x07\x9b\u202e")


class GuardedSite(Site):
    """A site whose daemon asks for a password."""

    def get(self, path: str) -> bytes:
        credentials = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Basic {credentials}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            content: bytes = answer.read()
        return content

    def ready(self) -> bool:
        try:
            return self.get("/-/ready") == b"ready\n"
        except (urllib.error.URLError, OSError):
            assert self.daemon is None or self.daemon.poll() is None, (self.root / "daemon.log").read_text()[-3000:]
            return False

    def metrics(self) -> str:
        return self.get("/metrics").decode()

    def alerts(self) -> list[dict[str, Any]]:
        """What the API lists, newest first."""
        found: list[dict[str, Any]] = json.loads(self.get("/api/v1/alerts"))["alerts"]
        return found


def fault(number: int, mode: str) -> bytes:
    """A record that alerts; ``mode`` is what an attacker chose."""
    return json.dumps({"seq": number, "level": 900.0, "mode": mode}).encode() + b"\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[GuardedSite]:
    """A daemon that has seen benign records and, in their midst, one that means harm."""
    root = tmp_path_factory.mktemp("page")
    made = trained(root, models)
    made.__class__ = GuardedSite
    assert isinstance(made, GuardedSite)
    (root / "web.yaml").write_text(USERS)
    text = made.config.read_text().replace("listen: ", "web_config: web.yaml, listen: ", 1)
    made.config.write_text(text.replace("tell: records", "tell: episodes"))
    benign = [line(number) for number in range(1, 40)]
    write(made.log, b"".join([*benign[:20], fault(99, HARM), *benign[20:]]))
    made.start_and_wait()
    try:
        wait_for(lambda: len(made.alerts()) == 1, "the episode on the page")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's browser; without one the test skips at home and fails in CI."""
    program = need("chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield made
        made.close()


class Watched:
    """A page whose every complaint, dialog and request elsewhere is remembered."""

    def __init__(self, browser: Browser, site: Site, **options: Any) -> None:
        credentials: HttpCredentials = {"username": USER, "password": SECRET}
        self.context = browser.new_context(base_url=site.url, http_credentials=credentials, **options)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("dialog", self._dismiss)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("requestfailed", lambda made: self.wrong.append(made.url))
        self.page.on("request", lambda made: self.wrong.extend([made.url] * (not made.url.startswith(site.url))))

    def _dismiss(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def watched(browser: Browser, site: GuardedSite) -> Iterator[Watched]:
    made = Watched(browser, site)
    yield made
    made.context.close()


def test_a_person_finds_the_episode_and_says_what_it_was(watched: Watched, site: GuardedSite) -> None:
    page = watched.page
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("1 episode is going on.")

    page.locator("#episodes").get_by_role("link", name="level is 900").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web: level is 900, expected")
    expect(page.locator("#told")).to_contain_text("going on")
    expect(page.get_by_role("img", name="level: the value is above the benign range")).to_be_visible()
    expect(page.locator(".around").first).to_contain_text('{"seq": 20,')
    expect(page.locator(".around").last).to_contain_text('{"seq": 21,')
    page.get_by_label("Why").fill("a <b>test</b>")
    page.get_by_role("button", name="It was benign").click()
    expect(page.locator("#said")).to_contain_text(f"Labelled benign by {USER}")
    expect(page.locator("#said")).to_contain_text("a <b>test</b>")
    page.get_by_role("link", name="All streams").click()
    expect(page.locator("#episodes")).to_contain_text("you said: benign")

    listed = aemonitor("alerts", "list", "-c", str(site.config)).stdout.decode()
    assert "[benign]" in listed
    assert watched.wrong == []


def test_nothing_in_a_record_runs_or_reaches_a_terminal(watched: Watched, site: GuardedSite) -> None:
    page = watched.page
    (episode,) = site.alerts()
    for path in ("/", f"/alerts/{episode['id']}"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        text = page.locator("body").inner_text()
        assert page.title().endswith("aemonitor")
        assert page.locator("img[src=x], svg[onload], main script").count() == 0
        assert not CONTROLS & set(text)
    assert "<script>document.title='owned'</script>" in text
    for command in (["list"], ["list", "--json"], ["show", episode["id"]]):
        shown = aemonitor("alerts", *command, "-c", str(site.config)).stdout.decode()
        assert not CONTROLS & set(shown)
    assert json.loads(json.loads(shown)["raw"])["mode"] == HARM
    assert watched.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_everybody_can_use_the_pages(browser: Browser, site: GuardedSite, scheme: str, screen: str) -> None:
    watched = Watched(browser, site, color_scheme=scheme, viewport=SCREENS[screen])
    page = watched.page
    for path in ("/", "/?window=1d&state=firing", f"/alerts/{site.alerts()[0]['id']}", "/alerts/none"):
        page.goto(path)
        page.evaluate(AXE)
        found = page.evaluate("axe.run().then(results => results.violations)")
        told = [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found]
        assert told == [], f"{path}: {told}"
        width, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= shown, f"{path} is wider than the screen"
    watched.context.close()


def test_the_page_renews_itself_and_keeps_the_focus(watched: Watched, site: GuardedSite) -> None:
    page = watched.page
    page.clock.install()
    page.goto("/")
    page.locator("summary").first.click()
    link = page.locator("#episodes a").last
    link.focus()
    read = int(site.metric("records_read_total"))

    write(site.log, b"".join(line(number) for number in range(1, 30)))
    wait_for(lambda: site.metric("records_scored_total") == read + 29, "more records")
    page.clock.run_for(10_000)

    expect(page.locator("details").first).to_contain_text(f"{read + 29} records read")
    expect(page.locator("details").first).to_have_attribute("open", "")
    expect(link).to_be_focused()
    expect(page.locator("#fresh")).to_have_text("live")


def test_a_page_whose_daemon_is_silent_says_that_it_is_old(watched: Watched) -> None:
    page = watched.page
    page.clock.install()
    page.goto("/")
    page.context.set_offline(True)

    page.clock.run_for(10_000)

    expect(page.locator("#fresh")).to_contain_text("no answer since")


def test_without_any_script_it_is_all_there(browser: Browser, site: GuardedSite) -> None:
    watched = Watched(browser, site, java_script_enabled=False)
    page = watched.page

    page.goto("/?state=firing")
    page.locator("#episodes a").first.click()
    page.get_by_role("button", name="It was an anomaly").click()

    expect(page.locator("#said")).to_contain_text("Labelled anomaly")
    watched.context.close()


def test_the_keyboard_leads_to_the_episodes(watched: Watched) -> None:
    page = watched.page
    page.goto("/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id").startswith("episode-"):
            break
    page.keyboard.press("Enter")

    expect(page.locator("#sentence")).to_be_visible()
