"""The source `mqtt` against a real broker: sessions that are kept, acknowledgements, topics as fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from monitor.sources import mqtt
from monitor.sources._topics import TopicFields
from tests.mosquitto import Mosquitto, mosquitto
from tests.received import Ledger, Received, killed

FIRST, SECOND = [b"%d" % number for number in range(10)], [b"%d" % number for number in range(10, 20)]
VERSIONS = pytest.mark.parametrize("version", [5, "3.1.1"])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


def opened(broker: Mosquitto, ledger: Ledger | None = None, *, once: bool = False, **options: Any) -> Received:
    given: dict[str, Any] = {"server": broker.url, "client_id": "monitor", "topics": ["plant/#"], **options}
    return Received(mqtt, ledger, once=once, **given)


def connected(received: Received) -> Received:
    received.until(lambda: bool(received.events.connections), "the connection")
    return received


@VERSIONS
def test_messages_come_in_order_and_are_counted(broker: Mosquitto, version: Any) -> None:
    received = connected(opened(broker, version=version))
    broker.publish(*FIRST)
    received.until_read(*FIRST)
    received.source.close()

    assert received.read == list(enumerate(FIRST))
    assert received.events.connections == [(broker.url, "")]


@VERSIONS
def test_what_is_published_while_nobody_is_there_waits_in_the_session(broker: Mosquitto, version: Any) -> None:
    received = connected(opened(broker, version=version))
    received.source.close()
    broker.publish(*FIRST)

    again = opened(broker, received.ledger, version=version)
    again.until_read(*FIRST)
    again.source.close()

    assert again.payloads == FIRST


@VERSIONS
def test_what_was_not_committed_when_it_was_killed_comes_again(broker: Mosquitto, version: Any) -> None:
    options: dict[str, Any] = {"server": broker.url, "client_id": "monitor", "topics": ["plant/#"], "version": version}
    connected(opened(broker, version=version)).source.close()
    broker.publish(*FIRST)
    killed("mqtt", 10, **options)

    again = opened(broker, version=version)
    again.until_read(*FIRST)
    again.source.close()
    broker.publish(*SECOND)
    later = opened(broker, again.ledger, version=version)
    later.until_read(*SECOND)
    later.source.close()

    assert again.payloads == FIRST
    assert later.read == list(enumerate(SECOND, start=10))


@VERSIONS
def test_over_a_broken_connection_nothing_is_lost_and_what_is_on_the_way_does_not_come_twice(
    broker: Mosquitto, version: Any
) -> None:
    received = connected(opened(broker, version=version))
    broker.publish(*FIRST)
    received.until_read(*FIRST, commit=False)

    broker.kill()
    received.until(lambda: len(received.events.connections) > 1, "the loss to be told")
    broker.start()
    received.until(lambda: received.events.connections[-1][1] == "", "the connection")
    broker.publish(*SECOND)
    received.until_read(*SECOND)
    received.source.close()

    assert received.payloads == [*FIRST, *SECOND]


def test_no_more_is_on_the_way_than_was_asked_for(broker: Mosquitto) -> None:
    connected(opened(broker, receive_maximum=4)).source.close()
    broker.publish(*FIRST)
    received = opened(broker, receive_maximum=4)
    received.until_read(*FIRST[:4], commit=False)
    received.turn(commit=False)

    assert received.payloads == FIRST[:4]
    received.source.close()


def test_what_a_broker_keeps_of_a_topic_is_no_record_unless_asked_for(broker: Mosquitto) -> None:
    broker.publish(b"old", retain=True)
    without, with_it = connected(opened(broker)), opened(broker, client_id="other", retained=True)
    with_it.until_read(b"old")
    broker.publish(*FIRST)
    without.until_read(*FIRST)
    without.source.close()
    with_it.source.close()

    assert without.payloads == FIRST


def test_with_once_silence_is_the_end(broker: Mosquitto) -> None:
    connected(opened(broker)).source.close()
    broker.publish(*FIRST)
    received = opened(broker, once=True, quiet_seconds=1)
    received.until_exhausted()
    received.source.close()

    assert received.payloads == FIRST


def test_levels_of_the_topic_are_fields(broker: Mosquitto) -> None:
    received = connected(opened(broker, topic_levels=["_", "site"], topic_field="topic"))
    broker.publish(b'{"celsius": 21}')
    received.until(lambda: bool(received.read), "the message")
    received.source.close()

    assert json.loads(received.payloads[0]) == {"celsius": 21, "site": "north", "topic": "plant/north"}


@pytest.mark.parametrize(
    ("payload", "record"),
    [
        (b'{"a": 1, "site": "forged"}\n', {"a": 1, "site": "north"}),
        (b" { } ", {"site": "north"}),
        (b"21.5", {"value": 21.5, "site": "north"}),
        (b"[1, 2]", {"value": [1, 2], "site": "north"}),
        (b"on", {"value": "on", "site": "north"}),
        (b"\xff", {"value": "\ufffd", "site": "north"}),
        (b"", {"value": None, "site": "north"}),
        (b"null", {"value": None, "site": "north"}),
    ],
)
def test_whatever_the_payload_is_the_record_is_json(payload: bytes, record: dict[str, Any]) -> None:
    assert json.loads(TopicFields(["_", "site"], None).added("plant/north/more", payload)) == record


def test_an_object_that_is_broken_stays_so() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(TopicFields(["site"], None).added("north", b'{"a": }'))


def test_a_topic_that_is_shorter_has_fewer_fields() -> None:
    assert json.loads(TopicFields(["plant", "site"], None).added("plant", b"{}")) == {"plant": "plant"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a socket that the library forgets
def test_a_password_from_a_file_over_tls(tmp_path: Path) -> None:
    import subprocess

    from tests.e2e.support import need

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (tmp_path / "password").write_text("sesame\n")
    (tmp_path / "wrong").write_text("open-sesame\n")
    subprocess.run([need("mosquitto_passwd"), "-b", "-c", str(tmp_path / "users"), "anna", "sesame"], check=True)
    settings = (
        f"certfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.pem\n"
        f"allow_anonymous false\npassword_file {tmp_path}/users"
    )
    known: dict[str, Any] = {"username": "anna", "ca_file": str(tmp_path / "ca.pem")}
    with mosquitto(tmp_path, settings, password_file=str(tmp_path / "password"), **known) as broker:
        received = connected(opened(broker, password_file=str(tmp_path / "password"), **known))
        broker.publish(*FIRST)
        received.until_read(*FIRST)
        received.source.close()
        refused = connected(opened(broker, password_file=str(tmp_path / "wrong"), **known))
        refused.source.close()
        doubted = connected(opened(broker))
        doubted.source.close()

    assert received.payloads == FIRST
    assert "Not authorized" in refused.events.connections[0][1]
    assert "sesame" not in str(refused.events.connections)
    assert "certificate" in str(doubted.events.connections)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "mqtt://anna:sesame@127.0.0.1"}, "use `username` and `password_file`"),
        ({"server": "http://127.0.0.1"}, "expected an address such as mqtt://"),
        ({"password_file": "x"}, "`password_file` needs `username`"),
        ({"ca_file": "x"}, "over mqtt:// nothing is encrypted"),
        ({"topics": []}, "at least 1 item"),
        ({"client_id": ""}, "at least 1 character"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        mqtt.Config.model_validate({"client_id": "monitor", "topics": ["plant/#"], **options})
