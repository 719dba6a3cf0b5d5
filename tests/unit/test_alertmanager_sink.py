"""What Alertmanager is told: an alert and its end with the same labels, by every instance that can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.app.demo import free_port
from monitor.core.alerts import Alert, EpisodeRef, FieldFinding
from monitor.core.clock import ManualClock
from monitor.core.delivery import GoneError, PartlyDeliveredError, RefusedError, RetryLaterError
from monitor.core.errors import UnavailableError
from monitor.ledger.outbox import encoded
from monitor.sinks import alertmanager
from monitor.sinks._cluster import REST_SECONDS
from monitor.sinks._postable import DIGEST_BYTES, KEY_CHARACTERS
from tests.receiving import Answer, Receiving, hang, misbehaving, receiving
from tests.support_files import alert

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
BEGAN = "2023-11-14T22:10:00Z"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def peer() -> Iterator[Receiving]:
    with receiving() as server:
        yield server


def episode(number: int = 1, *, first: str | None = BEGAN) -> EpisodeRef:
    return EpisodeRef(f"{number:032x}", first, "2023-11-14T22:12:00Z", 6.5)


def line(number: int = 1, **changes: Any) -> bytes:
    """An alert that began episode 1, with some changes."""
    return encoded(changed(number, **{"episode": episode(number), **changes}))


def changed(number: int = 1, **changes: Any) -> Alert:
    return msgspec.structs.replace(alert(number), **changes)


def opened(*urls: str, clock: ManualClock, **options: Any) -> alertmanager.Alertmanager:
    return alertmanager.Alertmanager(configured(urls=list(urls), **options), clock)


def configured(**options: Any) -> alertmanager.Config:
    return alertmanager.Config.model_validate(options)


def posted(peer: Receiving, request: int = -1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = peer.requests[request].json
    return found


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# -- what is posted --------------------------------------------------------------------------------------------


def test_a_firing_alert_says_what_a_person_needs(peer: Receiving, clock: ManualClock) -> None:
    finding = FieldFinding("level", 900, 36, "20 to 36", 1.0, "above everything benign")
    options = {"link": "https://mon.example/alerts/{id}", "runbook": "https://run.example/anomaly"}
    sink = opened(peer.url + "/prefix/", clock=clock, labels={"team": "storage"}, **options)

    assert sink.send([line(key="db 1", fields=(finding,))]) == 1

    assert peer.requests[0].path == "/prefix/api/v2/alerts"
    (made,) = posted(peer)
    assert made["labels"] == {
        "alertname": "AnomalyDetected", "stream": "web", "severity": "warning", "instance": "h", "key": "db 1",
        "team": "storage",
    }  # fmt: skip
    assert made["annotations"] == {
        "summary": "alert 1", "description": "level: 900, expected 36 (benign 20 to 36): above everything benign",
        "alert_id": f"{1:032x}", "fingerprint": "f", "count": "1", "score": "2, limit 1",
        "source": "/var/log/x, byte 1", "runbook_url": "https://run.example/anomaly",
    }  # fmt: skip
    assert made["generatorURL"] == f"https://mon.example/alerts/{1:032x}"


def test_it_begins_when_its_first_record_happened_and_ends_unless_it_is_repeated(
    peer: Receiving, clock: ManualClock
) -> None:
    opened(peer.url, clock=clock, repeat_seconds=30.0).send([line()])

    (made,) = posted(peer)
    assert (made["startsAt"], seconds(made["endsAt"])) == (BEGAN, NOW + 120)


def test_an_alert_and_its_end_have_the_same_labels(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=0.0)
    over = "2023-11-14T22:14:00Z"

    sink.send([line(key="a")])
    clock.advance(60)
    sink.send([line(key="a", state="resolved", detected_at=over, summary="quiet again")])

    first, last = posted(peer, 0)[0], posted(peer, 1)[0]
    assert first["labels"] == last["labels"]
    assert (last["startsAt"], last["endsAt"]) == (BEGAN, over)
    assert last["annotations"]["summary"] == "quiet again"


def test_an_episode_that_became_worse_ends_with_both_severities(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=0.0)

    sink.send([line(), line(2, severity="critical", episode=episode(1)), line(1, state="resolved")])

    assert [made["labels"]["severity"] for made in posted(peer)] == ["warning", "critical", "critical", "warning"]
    assert {made["endsAt"] for made in posted(peer)[2:]} == {"2023-11-14T22:13:20Z"}


def test_what_is_repeated_makes_the_end_known_after_a_restart(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=0.0)

    sink.repeat([line(), line(2, severity="critical", episode=episode(1))])
    sink.send([line(1, state="resolved")])

    assert [made["labels"]["severity"] for made in posted(peer)] == ["critical", "warning"]


def test_an_end_is_not_forgotten_when_it_could_not_be_posted(peer: Receiving, clock: ManualClock) -> None:
    peer.answers = [Answer(200), Answer(500), Answer(200)]
    sink = opened(peer.url, clock=clock, least_seconds=0.0)
    sink.send([line(), line(2, severity="critical", episode=episode(1))])

    with pytest.raises(UnavailableError, match="HTTP 500"):
        sink.send([line(1, state="resolved")])
    sink.send([line(1, state="resolved")])

    assert posted(peer, 1) == posted(peer, 2)
    assert len(posted(peer)) == 2


def test_what_was_over_before_it_could_be_told_stays_for_a_while(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=60.0)
    clock.advance(3600)  # nothing could be sent for an hour

    sink.send([line(), line(state="resolved")])

    assert seconds(posted(peer)[1]["endsAt"]) == NOW + 3660


def test_what_was_going_on_for_longer_ends_at_once(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=60.0)
    sink.send([line()])
    clock.advance(61)

    sink.send([line(state="resolved", detected_at="2023-11-14T22:14:21Z")])

    assert posted(peer)[0]["endsAt"] == "2023-11-14T22:14:21Z"


def test_a_record_by_itself_ends_after_a_time_of_its_own_however_late_it_comes(
    peer: Receiving, clock: ManualClock
) -> None:
    sink = opened(peer.url, clock=clock, record_seconds=100.0)
    clock.advance(7200)

    sink.send([line(episode=None)])

    (made,) = posted(peer)
    assert (made["startsAt"], seconds(made["endsAt"])) == ("2023-11-14T22:13:20Z", NOW + 7300)


@pytest.mark.parametrize("first", ["2030-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", None])
@pytest.mark.parametrize("jump", [0, -86_400])
def test_no_alert_ends_before_it_begins_whatever_the_clocks_say(
    peer: Receiving, clock: ManualClock, first: str | None, jump: float
) -> None:
    sink = opened(peer.url, clock=clock, least_seconds=0.0)
    clock.jump(jump)

    sink.send([line(episode=episode(first=first)), line(episode=episode(first=first), state="resolved")])

    for made in posted(peer):
        assert seconds(made["startsAt"]) <= min(seconds(made["endsAt"]), clock.now())


def test_a_key_stays_short_printable_and_different_from_others(peer: Receiving, clock: ManualClock) -> None:
    keys = ["x" * 500, "x" * 501, "a\x1b[31m\n", "", "é" * KEY_CHARACTERS]
    opened(peer.url, clock=clock).send([line(number, key=key) for number, key in enumerate(keys, 1)])

    shown = [made["labels"].get("key") for made in posted(peer)]
    assert len(set(shown)) == len(keys)
    assert shown[3] is None  # an empty label is none
    assert all(key.isprintable() and len(key) <= KEY_CHARACTERS + 1 + 2 * DIGEST_BYTES for key in shown if key)


def test_what_a_record_says_is_printable_in_annotations(peer: Receiving, clock: ManualClock) -> None:
    finding = FieldFinding("le\x00vel", "\x1b[2J", None, "", 1.0, "odd\u202e")
    opened(peer.url, clock=clock).send([line(summary="a\x1b]0;b\x07" * 1000, fields=(finding,) * 5)])

    notes = posted(peer)[0]["annotations"]
    assert len(notes["summary"]) <= 1000
    assert all(text.isprintable() for note in notes.values() for text in note.split("\n"))


# -- instances -------------------------------------------------------------------------------------------------


def test_every_instance_gets_every_alert(clock: ManualClock) -> None:
    with receiving() as one, receiving() as two, receiving() as three:
        sink = opened(one.url, two.url, three.url, clock=clock)

        sink.send([line()])
        sink.repeat([line()])

        assert [len(peer.requests) for peer in (one, two, three)] == [2, 2, 2]
        assert len({request.body for peer in (one, two, three) for request in peer.requests}) == 1


def test_an_instance_that_is_down_is_told_and_left_alone_for_a_while(peer: Receiving, clock: ManualClock) -> None:
    port = free_port()
    sink = opened(f"http://127.0.0.1:{port}", peer.url, clock=clock)

    with pytest.raises(PartlyDeliveredError, match=f":{port}: cannot be reached: .*; another instance has the alerts"):
        sink.send([line()])
    assert sink.send([line(2)]) == 1  # nobody asks it again yet
    with receiving(port=port) as back:
        clock.advance(REST_SECONDS)
        sink.repeat([line(), line(2)])

        assert [len(posted(back)), len(peer.requests)] == [2, 3]


def test_an_instance_that_hangs_does_not_keep_the_others_waiting_twice(peer: Receiving, clock: ManualClock) -> None:
    with misbehaving(hang) as stuck:
        sink = opened(stuck, peer.url, clock=clock, timeout_seconds=0.2)

        with pytest.raises(PartlyDeliveredError, match=r"did not answer within 0.2 seconds"):
            sink.send([line()])
        for number in range(2, 9):
            assert sink.send([line(number)]) == 1

    assert len(peer.requests) == 8


def test_when_all_are_down_all_are_asked_again(peer: Receiving, clock: ManualClock) -> None:
    peer.answers = [Answer(500), Answer(500), Answer(200)]
    sink = opened(peer.url, f"http://127.0.0.1:{free_port()}", clock=clock)

    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"HTTP 500; http://127.0.0.1:[0-9]+: cannot be reached"):
            sink.send([line()])

    with pytest.raises(PartlyDeliveredError):
        sink.send([line()])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(400), RefusedError),
        (Answer(410), GoneError),
        (Answer(503, {"Retry-After": "9"}), RetryLaterError),
        (Answer(503), UnavailableError),
    ],
)
def test_what_all_say_is_heard(clock: ManualClock, answer: Answer, kind: type[UnavailableError]) -> None:
    with receiving(answer) as one, receiving(answer) as two, receiving(Answer(500)) as three:
        with pytest.raises(UnavailableError) as agreed:
            opened(one.url, two.url, clock=clock).send([line()])
        with pytest.raises(UnavailableError) as divided:
            opened(one.url, three.url, clock=clock).send([line()])

    assert (type(agreed.value), type(divided.value)) == (kind, UnavailableError)


def test_nothing_is_posted_for_nothing(peer: Receiving, clock: ManualClock) -> None:
    sink = opened(peer.url, clock=clock)

    sink.repeat([])

    assert (sink.send([]), peer.requests) == (0, [])


# -- configuration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"urls": []}, "at least 1 item"),
        ({"urls": ["http://a:1", "http://a:1/"]}, "the same instance stands there twice"),
        ({"urls": ["a:9093"]}, "expected a URL"),
        ({"labels": {"0x": "a"}}, "letters, digits and underscores"),
        ({"labels": {"__name": "a"}}, "letters, digits and underscores"),
        ({"labels": {"stream": "a"}}, "those are set"),
        ({"labels": {"team": ""}}, "the label team has no value"),
        ({"repeat_seconds": 0.5}, "greater than or equal to 1"),
        ({"runbook": "see wiki"}, "expected a URL"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        configured(**{"urls": ["http://127.0.0.1:9093"], **options})


def test_the_usual_name_can_be_replaced(peer: Receiving, clock: ManualClock) -> None:
    opened(peer.url, clock=clock, labels={"alertname": "OddLog"}).send([line()])

    assert posted(peer)[0]["labels"]["alertname"] == "OddLog"


def test_what_is_known_of_episodes_without_an_end_is_bounded(
    peer: Receiving, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "MOST_TOLD", 2)
    sink = opened(peer.url, clock=clock, least_seconds=0.0)

    sink.send([line(number, severity="critical") for number in (1, 2, 3)])
    sink.send([line(1, state="resolved"), line(3, state="resolved")])

    assert [made["labels"]["severity"] for made in posted(peer)] == ["warning", "critical", "warning"]
