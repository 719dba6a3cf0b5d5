"""The pages tell what is so, escape what comes from records, and take feedback from whoever may give it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from monitor.app.labels import read_labels
from monitor.core.accounting import Counts
from monitor.core.alerts import FieldFinding
from monitor.web import STARTING, Server
from tests.support_files import alert
from tests.support_pages import ANN, HOSTILE, Place, begun, hostile, over, post
from tests.support_web import ask

ONE = f"{1:032x}"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def server(place: Place) -> Iterator[Server]:
    with place.serving() as running:
        yield running


def page(server: Server, path: str = "/", status: int = 200) -> str:
    found, headers, body = ask(server, path, user=ANN)
    assert (found, headers["content-type"]) == (status, "text/html; charset=utf-8"), body
    return body


def words(body: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def token(body: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', body)
    assert found
    return found[1]


def learned(place: Place, created: float = 0.0) -> None:
    stream = place.telemetry.stream("web")
    stream.model(version="v1", sha256="ab", created=created, threshold=0.85, low=0.0, high=1.0)


# -- the status page -----------------------------------------------------------------------------------------------


def test_the_page_says_so_when_nothing_runs(server: Server) -> None:
    text = words(page(server))

    assert "No stream is running." in text
    assert "Nothing was told yet." in text


def test_a_stream_is_told_with_its_figures_and_its_scores(server: Server, place: Place) -> None:
    stream = place.telemetry.stream("web")
    learned(place)
    stream.framed(1234)
    stream.batch(Counts(read=1000, scored=1000, alerts=1), np.array([0.1] * 999 + [7.0]), {})

    body = page(server)

    text = words(body)
    assert "All is well: 1 stream watched, nothing anomalous now." in text
    assert "watching" in text
    assert (
        "1,234 records read = 1,000 scored + 0 unparsed + 0 left out + 234 in flight; 1 record above the limit" in text
    )
    assert "Scores of the last hour: 1,000 records, 1 record above the limit; highest score 7 at 22:13 UTC." in text
    assert "limit 0.85" in text


def test_a_full_chart_is_drawn_to_its_end(server: Server, place: Place) -> None:
    stream = place.telemetry.stream("web")
    learned(place)
    for step in range(200):
        stream.batch(Counts(read=2, scored=2, alerts=step % 2), np.array([0.1, step / 10]), {})
        place.clock.advance(30)

    paths = re.findall(r'<path class="(\w+)" d="([^"]*)"', page(server))

    assert {name for name, _ in paths} == {"floor", "grid", "quantile", "reach", "beyond", "limit"}
    assert all(re.fullmatch(r"([MVHhz]|-?[0-9.]+| )+", drawn) for _, drawn in paths)
    assert max(len(drawn) for _, drawn in paths) > 1000


@pytest.mark.parametrize(
    ("trouble", "word", "reason"),
    [
        ("none", "no model", "publish one: aemonitor retrain --stream web"),
        ("paused", "paused", "the disk is full"),
        ("behind", "behind", "5.0 MB to read, the oldest of it for 2 min"),
        ("quiet", "quiet", "no record for 20 min"),
        ("waiting", "waiting", "no record since the start"),
    ],
)
def test_a_stream_that_does_not_watch_says_why(
    server: Server, place: Place, trouble: str, word: str, reason: str
) -> None:
    stream = place.telemetry.stream("web")
    if trouble != "none":
        learned(place, created=place.clock.now())
    if trouble == "paused":
        stream.paused("the disk is full")
    if trouble == "behind":
        stream.lag(5_000_000)
        stream.unread(130.0, 0)
    if trouble == "quiet":
        stream.batch(Counts(read=1, scored=1), np.array([0.1]), {})
        place.clock.advance(1200)

    assert f"{word} {reason}" in words(page(server))


def test_troubles_and_open_episodes_lead_the_page(server: Server, place: Place) -> None:
    learned(place)
    place.health.not_ready(STARTING, "the files are being looked at")
    assert "Starting. the files are being looked at" in words(page(server))

    place.health.not_ready("x", "the disk is full")
    troubled = words(page(server))
    place.telemetry.stream("web").watch_episodes(lambda: 2)

    assert "Something is wrong. the files are being looked at the disk is full" in troubled
    assert "2 episodes are going on." in words(page(server))


def test_not_all_is_well_while_a_silence_that_was_told_is_not_over(server: Server, place: Place) -> None:
    learned(place)
    place.telemetry.stream("web")
    place.commit(begun(1))

    assert "No record is anomalous now, but 1 alert is not over. Show what is going on" in words(page(server))

    place.commit(begun(2), resolved=[over(1), over(2)])

    assert "All is well: 1 stream watched, nothing anomalous now." in words(page(server))


def test_episodes_are_listed_once_with_how_they_stand_and_what_was_said(server: Server, place: Place) -> None:
    place.commit(begun(1))
    place.commit(begun(2, severity="critical", of=1))
    place.commit(alert(3))
    place.commit(begun(4), resolved=[over(4)])

    body = page(server)

    assert re.findall(r'id="episode-([0-9a-f]+)"', body) == [f"{number:032x}" for number in (4, 3, 1)]
    text = words(body)
    assert text.index("web over warning") < text.index("web one record warning") < text.index("web going on critical")
    assert "7 records · highest score 9.5, limit 1 · 22:00:00 to 22:05:00" in text


def test_filters_and_pages_lead_to_every_episode(server: Server, place: Place) -> None:
    for number in range(60):
        place.commit(begun(number, severity="critical" if number % 20 == 0 else "warning"))

    seen: list[str] = []
    path = "/?state=firing"
    while path:
        body = page(server, path)
        seen += re.findall(r'id="episode-([0-9a-f]+)"', body)
        older = re.search(r'id="older" rel="next" href="([^"#]+)', body)
        path = "/" + unescape(older[1]) if older else ""
    critical = re.findall(r'id="episode-([0-9a-f]+)"', page(server, "/?severity=critical&stream=&state="))

    assert [int(each, 16) for each in seen] == list(range(59, -1, -1))
    assert [int(each, 16) for each in critical] == [40, 20, 0]
    assert "None that fits." in page(server, "/?stream=other")


def test_what_was_suppressed_is_listed_where_it_is_asked_for(server: Server, place: Place) -> None:
    place.commit(replace(begun(1), state="suppressed", suppressed_by="maintenance"))

    assert "Nothing was told yet." in page(server)
    assert "suppressed by maintenance" in words(page(server, "/?state=suppressed"))
    assert "suppressed by maintenance" in words(page(server, f"/alerts/{ONE}"))


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "state=burning", "window=2h", "nothing=1", "cursor=-1", "stream=%00"]
)
def test_a_question_that_makes_no_sense_is_refused(server: Server, query: str) -> None:
    status, headers, body = ask(server, f"/?{query}", user=ANN)

    assert (status, headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert "\x00" not in body


def test_the_page_needs_nothing_from_elsewhere_and_its_files_are_kept(server: Server) -> None:
    body = page(server)
    files = re.findall(r'(?:href|src)="(static/[^"]+)"', body)

    assert len(set(files)) == 3
    assert not re.search("https?://|style=|<style|<script>", body)
    for file in set(files):
        status, headers, _ = ask(server, f"/{file}", user=ANN)
        assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert headers["x-content-type-options"] == "nosniff"
        again = ask(server, f"/{file}", user=ANN, headers={"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, "")


def test_the_policy_lets_nothing_run_but_our_own_files(server: Server) -> None:
    headers = ask(server, "/", user=ANN)[1]

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; ")
    assert "unsafe" not in policy


# -- an episode's page ---------------------------------------------------------------------------------------------


def test_an_episode_is_told_with_its_fields_and_its_bars(server: Server, place: Place) -> None:
    fields = (
        FieldFinding("level", 900.0, 36, "20 to 36", 0.9, "above everything benign", 4.0),
        FieldFinding("mode", "x", "a", "a, b, c", 0.09, "never seen"),
        FieldFinding("size", 1, 2, "1 to 3", 0.01, "ordinary"),
    )
    place.commit(replace(begun(1), fields=fields, summary="web: level is 900", raw='{"level": 900}'))

    body = page(server, f"/alerts/{ONE}")

    text = words(body)
    assert "web: level is 900" in text
    assert "level 90 % of the blame" in text
    assert 'aria-label="level: the value is above the benign range 20 to 36"' in body
    assert "actual 900 expected 36 benign 20 to 36" in text
    assert "above everything benign; rarer than 1 in 10,000 benign records" in text
    assert body.count('class="bar"') == 1
    assert "with little blame actual expected benign size 1 2 1 to 3" in text
    assert '{"level": 900}' in text


def test_an_episode_and_the_record_that_made_it_worse_lead_to_each_other(server: Server, place: Place) -> None:
    place.commit(begun(1))
    place.commit(begun(2, severity="critical", of=1))

    assert f'<a id="worse" href="{2:032x}">alert 2</a>' in page(server, f"/alerts/{ONE}")
    assert f'<a id="begun" href="{ONE}">' in page(server, f"/alerts/{2:032x}")
    assert "going on critical" in words(page(server, f"/alerts/{2:032x}"))
    place.commit(resolved=[over(1)])
    assert "over critical" in words(page(server, f"/alerts/{2:032x}"))


def test_a_silence_has_no_record_and_a_storm_many_keys(server: Server, place: Place) -> None:
    silence = replace(begun(1), count=0, summary="web: silent for 20 min")
    storm = begun(2)
    assert storm.episode
    place.commit(silence, replace(storm, count=9, episode=replace(storm.episode, keys=412)))

    text, listed = words(page(server, f"/alerts/{ONE}")), words(page(server))

    assert "web: silent for 20 min" in text
    assert not re.search("The record|What is unusual|highest score|aemonitor explain", text)
    assert "web: silent for 20 min 22:00:00" in listed
    assert "412 keys · 9 records · highest score 2" in listed
    assert "keys 412 records 9" in words(page(server, f"/alerts/{2:032x}"))


def test_no_alert_of_that_id_is_said_so(server: Server) -> None:
    for path in (f"/alerts/{9:032x}", "/alerts/nonsense", "/alerts/%3Cscript%3E"):
        body = page(server, path, 404)
        assert "There is no alert" in body
        assert "<script>" not in body


@pytest.mark.parametrize("path", ["/", "/?stream=web", f"/alerts/{ONE}"])
def test_nothing_of_a_record_becomes_markup_or_controls_a_terminal(server: Server, place: Place, path: str) -> None:
    place.commit(hostile(1))

    body = page(server, path)

    assert not re.search("<script>|<img src=x", body)
    assert "{{7*7}}" in unescape(body)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b\u202e]", body)
    assert "\\x1b[31m\\u202e" in unescape(body)


# -- feedback ------------------------------------------------------------------------------------------------------


def test_feedback_is_kept_with_its_user_and_shown(server: Server, place: Place) -> None:
    place.commit(begun(1))
    signed = token(page(server, f"/alerts/{ONE}"))

    status, headers, _ = post(server, f"/alerts/{ONE}/label", {"token": signed, "label": "benign", "note": " <b>ok "})

    assert (status, headers["location"]) == (303, f"../{ONE}#feedback-title")
    kept = read_labels(place.state)[ONE]
    assert (kept.label, kept.note, kept.by, kept.alert.id) == ("benign", "<b>ok", "scraper", ONE)
    assert "Labelled benign by scraper at 22:13:20 : <b>ok" in words(page(server, f"/alerts/{ONE}"))
    assert "you said: benign" in words(page(server))


def test_a_form_of_another_page_or_of_before_a_restart_says_nothing_and_may_be_sent_again(
    server: Server, place: Place
) -> None:
    place.commit(begun(1))
    place.commit(begun(2))
    other = token(page(server, f"/alerts/{2:032x}"))

    for signed in ("", "0" * 64, "ä", other):
        form = {"token": signed, "label": "benign", "note": "a <note>"}
        status, _, body = post(server, f"/alerts/{ONE}/label", form)
        assert status == 403
        assert "made before the monitor was started anew" in body
        assert ">a &lt;note&gt;</textarea>" in body

    assert read_labels(place.state) == {}
    again = post(server, f"/alerts/{ONE}/label", {"token": token(body), "label": "anomaly"})
    assert again[0] == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://evil.example"},
    ],
)
def test_another_site_cannot_speak_in_the_name_of_a_user(server: Server, place: Place, headers: dict[str, str]) -> None:
    place.commit(begun(1))
    form = {"token": token(page(server, f"/alerts/{ONE}")), "label": "benign"}

    status, _, body = post(server, f"/alerts/{ONE}/label", form, **headers)

    assert (status, read_labels(place.state)) == (403, {})
    assert "this may come from another site: Sec-Fetch-Site is" in body


@pytest.mark.parametrize(("origin", "status"), [("null", 403), ("http://evil.example", 403), ("http://{host}", 303)])
def test_a_browser_that_tells_only_the_origin_is_held_to_it(
    server: Server, place: Place, origin: str, status: int
) -> None:
    place.commit(begun(1))
    host = server.url.removeprefix("http://")
    form = f"token={token(page(server, f'/alerts/{ONE}'))}&label=benign".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin.format(host=host)}

    assert ask(server, f"/alerts/{ONE}/label", "POST", user=ANN, headers=headers, body=form)[0] == status


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        ({"label": "maybe"}, 400, "maybe"),
        ({}, 400, "label"),
        ({"label": "benign", "note": "x" * 1001}, 400, "1000"),
        ({"label": "benign", "note": "x" * 20_000}, 413, "16384 bytes at most"),
        ({"label": "benign", **{f"more{n}": "" for n in range(20)}}, 400, "fields"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(
    server: Server, place: Place, form: dict[str, str], status: int, message: str
) -> None:
    place.commit(begun(1))
    signed = token(page(server, f"/alerts/{ONE}"))

    found, _, body = post(server, f"/alerts/{ONE}/label", {"token": signed, **form})

    assert found == status
    assert message in body
    assert read_labels(place.state) == {}


def test_only_forms_are_taken(server: Server) -> None:
    answer = post(server, f"/alerts/{ONE}/label", {}, Content_Type="multipart/form-data; boundary=x")

    assert (answer[0], answer[2]) == (415, "the body has to be application/x-www-form-urlencoded\n")


def test_without_users_the_buttons_are_off_and_say_how_to_switch_them_on(place: Place) -> None:
    place.commit(begun(1))
    with place.serving(users=False) as server:
        body = page(server, f"/alerts/{ONE}")
        status, _, refusal = post(server, f"/alerts/{ONE}/label", {"token": token(body), "label": "benign"})

    assert "<fieldset disabled>" in body
    assert "add a user to basic_auth_users in the file that server.web_config names" in words(body)
    assert (status, read_labels(place.state)) == (403, {})
    assert "takes a user" in refusal


def test_a_label_outlives_the_alert_in_the_ledger(place: Place, server: Server) -> None:
    place.commit(begun(1))
    post(server, f"/alerts/{ONE}/label", {"token": token(page(server, f"/alerts/{ONE}")), "label": "anomaly"})
    place.ledger.close()
    for file in place.state.glob("ledger.sqlite3*"):
        file.unlink()
    place.ledger = place.opened()

    assert "Labelled anomaly" in words(page(server, f"/alerts/{ONE}"))


def test_a_state_directory_that_cannot_be_used_is_said_so(place: Place, server: Server) -> None:
    place.ledger.close()
    for file in place.state.glob("ledger.sqlite3*"):
        file.unlink()

    status, headers, body = ask(server, "/", user=ANN)

    assert (status, headers["retry-after"]) == (503, "5")
    assert "there is no ledger" in body


def test_hostile_text_is_what_these_tests_think_it_is() -> None:
    assert {"<", ">", "\x1b", "\u202e", '"', "'"} <= set(HOSTILE)
