"""The API does what its description says, refuses what makes no sense as problems, and never holds up a scrape."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import jsonschema
import numpy as np
import pytest

from monitor.app.labels import read_labels
from monitor.core.accounting import Counts
from monitor.ledger import Wanted
from monitor.web import Server, build_app
from monitor.web.api.answers import Episodes
from monitor.web.api.openapi import describe
from monitor.web.api.operations import OPERATIONS
from monitor.web.desk import EmptyDesk
from monitor.web.requests import LARGEST_BODY, MOST_WAITING, READERS
from tests.support_files import alert
from tests.support_pages import ANN, Place, answer, begun, hostile, over
from tests.support_web import Answer, ask

ONE = f"{1:032x}"
JSON = {"Content-Type": "application/json"}
SAID = b'{"label": "benign", "note": "a test"}'


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    stream = made.telemetry.stream("web")
    stream.model(version="v1", sha256="ab", created=0.0, threshold=0.85, low=0.0, high=1.0)
    stream.framed(2)
    stream.batch(Counts(read=2, scored=2, alerts=1), np.array([0.5, np.inf]), {})
    made.commit(begun(1))
    made.commit(begun(2), alert(3), hostile(4), begun(5, severity="critical", of=1), resolved=[over(2)])
    yield made
    made.ledger.close()


@pytest.fixture
def server(place: Place) -> Iterator[Server]:
    with place.serving() as running:
        yield running


# -- answers -------------------------------------------------------------------------------------------------------


def test_status_and_streams_say_how_things_stand(server: Server, place: Place) -> None:
    place.health.not_ready("x", "the disk is full")

    status, streams = answer(server, "/api/v1/status"), answer(server, "/api/v1/streams")

    assert status == {
        "version": "1.2.3", "healthy": True, "ready": False, "troubles": ["the disk is full"], "streams": 1,
        "open_episodes": 0,
    }  # fmt: skip
    (web,) = streams["streams"]
    assert (web["name"], web["model"], web["threshold"], web["scored"]) == ("web", "v1", 0.85, 2)
    assert web["records_per_second"] == 2


def test_a_chart_has_its_points(server: Server) -> None:
    chart = answer(server, "/api/v1/streams/web/chart?window=1d")

    assert (chart["stream"], chart["window"], chart["step_seconds"]) == ("web", "1d", 720)
    assert chart["points"] == [
        {"time": "2023-11-14T22:13:20Z", "records": 2, "highest": 1e9, "quantile": 1e9, "alerts": 1, "limit": 0.85}
    ]


def test_alerts_are_paged_and_filtered(server: Server) -> None:
    first = answer(server, "/api/v1/alerts?limit=2")
    second = answer(server, f"/api/v1/alerts?limit=2&cursor={first['next']}")
    firing = answer(server, "/api/v1/alerts?state=firing&severity=critical&stream=web")

    numbers = [int(each["id"], 16) for page in (first, second) for each in page["alerts"]]
    assert (numbers, second["next"]) == ([4, 3, 2, 1], None)
    assert [(each["id"], each["state"]) for each in firing["alerts"]] == [(ONE, "firing")]


def test_one_alert_is_whole(server: Server) -> None:
    found = answer(server, f"/api/v1/alerts/{ONE}")

    assert found["alert"]["schema"] == "aemonitor.alert/v1"
    assert (found["episode"]["severity"], found["worse"]["id"]) == ("critical", f"{5:032x}")


def test_what_is_said_is_kept_and_answered(server: Server, place: Place) -> None:
    label = answer(server, f"/api/v1/alerts/{ONE}/label", method="POST", headers=JSON, body=SAID)

    assert label == {"label": "benign", "note": "a test", "labelled_at": "2023-11-14T22:13:20+00:00", "by": "scraper"}
    assert read_labels(place.state)[ONE].note == "a test"
    assert answer(server, f"/api/v1/alerts/{ONE}")["episode"]["label"] == label


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/v1/nothing", 404, "Not Found"),
        ("/api/", 404, "Not Found"),
        ("/api/v1/alerts?limit=201", 400, "Expected `int` <= 200"),
        ("/api/v1/alerts?limit=2.5", 400, "Expected `int`"),
        ("/api/v1/alerts?more=1", 400, "unknown field `more`"),
        ("/api/v1/alerts?state=firing&state=resolved", 400, "state is given twice"),
        ("/api/v1/alerts/xyz", 400, "Expected `str` matching regex"),
        ("/api/v1/alerts/%00", 400, "Expected `str` matching regex"),
        ("/api/v1/alerts/xyz?id=abc", 400, "id is given twice"),
        (f"/api/v1/alerts/{9:032x}", 404, f"there is no alert {9:032x}, or it is forgotten"),
        ("/api/v1/streams/other/chart", 404, "there is no stream other"),
        ("/api/v1/streams/web/chart?window=1w", 400, "Invalid enum value '1w'"),
    ],
)
def test_what_makes_no_sense_is_a_problem(server: Server, path: str, status: int, detail: str) -> None:
    found = answer(server, path, status=status)

    assert found["status"] == status
    assert detail in found["detail"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "detail"),
    [
        ({}, SAID, 415, "the body has to be application/json"),
        ({"Content-Type": "text/plain"}, SAID, 415, "the body has to be application/json"),
        (JSON, b"", 400, "truncated"),
        (JSON, b"[" * 2000, 400, ""),
        (JSON, b"\xff", 400, ""),
        (JSON, b'{"label": "maybe"}', 400, "Invalid enum value 'maybe'"),
        (JSON, b'{"label": "benign", "more": 1}', 400, "unknown field `more`"),
        (JSON, b'{"label": "benign", "note": "' + b"x" * 1001 + b'"}', 400, "length <= 1000"),
        (JSON, b" " * (LARGEST_BODY + 1), 413, "16384 bytes at most"),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, SAID, 403, "Sec-Fetch-Site is cross-site"),
        ({**JSON, "Origin": "http://evil.example"}, SAID, 403, "Origin is http://evil.example"),
    ],
)
def test_what_may_not_be_said_is_a_problem(
    server: Server, place: Place, headers: dict[str, str], body: bytes, status: int, detail: str
) -> None:
    path = f"/api/v1/alerts/{ONE}/label"

    assert detail in answer(server, path, status=status, method="POST", headers=headers, body=body)["detail"]
    assert read_labels(place.state) == {}


def test_feedback_on_an_alert_that_is_not_there_is_a_problem(server: Server) -> None:
    path = f"/api/v1/alerts/{9:032x}/label"

    found = answer(server, path, status=404, method="POST", headers=JSON, body=SAID)

    assert "no alert has an id that begins with" in found["detail"]


def test_without_users_nobody_can_say_anything(place: Place) -> None:
    with place.serving(users=False) as server:
        status, _, body = ask(server, f"/api/v1/alerts/{ONE}/label", "POST", headers=JSON, body=SAID)

    assert status == 403
    assert "takes a user" in json.loads(body)["detail"]


def test_another_method_is_a_problem_and_says_which_there_are(server: Server) -> None:
    status, headers, body = ask(server, "/api/v1/alerts", "DELETE", user=ANN)

    assert (status, headers["content-type"], json.loads(body)["status"]) == (405, "application/problem+json", 405)
    assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_labels_that_cannot_be_kept_are_a_problem(server: Server, place: Place) -> None:
    (place.state / "feedback.jsonl").mkdir()

    found = answer(server, f"/api/v1/alerts/{ONE}/label", status=503, method="POST", headers=JSON, body=SAID)

    assert "cannot write" in found["detail"]


# -- the description -----------------------------------------------------------------------------------------------


def demand(document: dict[str, Any], name: str, found: Any) -> None:
    """Insist that something is as a schema of the document says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)


def test_every_answer_is_as_described(server: Server) -> None:
    document = answer(server, "/api/v1/openapi.json")
    examples = {"{stream}": "web", "{id}": ONE}

    for path, methods in document["paths"].items():
        concrete = path
        for name, value in examples.items():
            concrete = concrete.replace(name, value)
        for method, operation in methods.items():
            given: dict[str, Any] = {"method": "POST", "headers": JSON, "body": SAID} if method == "post" else {}
            found = answer(server, concrete, **given)
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            demand(document, schema["$ref"].rpartition("/")[2], found)
    problem = answer(server, "/api/v1/alerts?limit=0", status=400)
    demand(document, "Problem", problem)


def test_the_description_names_every_parameter_that_is_taken_and_its_bounds(server: Server) -> None:
    document = answer(server, "/api/v1/openapi.json")

    parameters = {each["name"]: each for each in document["paths"]["/api/v1/alerts"]["get"]["parameters"]}
    assert parameters.keys() == {"stream", "state", "severity", "limit", "cursor"}
    assert (parameters["limit"]["in"], parameters["limit"]["required"]) == ("query", False)
    assert parameters["limit"]["schema"]["maximum"] == 200
    path = document["paths"]["/api/v1/alerts/{id}"]["get"]["parameters"]
    assert [(each["name"], each["in"], each["required"]) for each in path] == [("id", "path", True)]


def test_every_operation_is_described_once() -> None:
    document = describe(OPERATIONS, "1")

    described = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert sorted(described) == sorted(operation.name for operation in OPERATIONS)


# -- nobody waits --------------------------------------------------------------------------------------------------


class SlowDesk(EmptyDesk):
    """A ledger on a disk that does not answer until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def episodes(self, wanted: Wanted) -> Episodes:
        self.free.wait(30)
        return super().episodes(wanted)


def test_a_scrape_is_answered_while_the_disk_is_not_and_too_many_readers_are_turned_away(place: Place) -> None:
    desk = SlowDesk()
    server = Server("127.0.0.1:0", place.telemetry, place.health, build=partial(build_app, desk=desk))
    server.start()
    answers = Queue[Answer]()
    clients = [
        threading.Thread(target=lambda: answers.put(ask(server, "/api/v1/alerts")))
        for _ in range(READERS + MOST_WAITING + 3)
    ]
    try:
        for client in clients:
            client.start()
        refused = [answers.get(timeout=30) for _ in range(3)]
        scrape = ask(server, "/metrics")
        desk.free.set()
        served = [answers.get(timeout=30) for _ in range(READERS + MOST_WAITING)]
    finally:
        desk.free.set()
        for client in clients:
            client.join(30)
        server.stop()

    assert scrape[0] == 200
    assert [(status, headers["retry-after"]) for status, headers, _ in refused] == [(503, "1")] * 3
    assert "too many requests at a time" in refused[0][2]
    assert {status for status, _, _ in served} == {200}
