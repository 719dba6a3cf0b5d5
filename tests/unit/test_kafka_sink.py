"""The sink `kafka` against a real broker: an alert counts when the broker has it, and not before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.core.delivery import RefusedError
from monitor.core.errors import DataError, NoInputError, UnavailableError
from monitor.core.protocols import Sink
from monitor.ledger.outbox import encoded
from monitor.sinks import kafka
from tests.kafka_broker import Broker, broker
from tests.support_files import alert


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker")) as started:
        yield started


def sink(running: Broker, topic: str, **options: Any) -> Sink:
    return kafka.build(kafka.Config(brokers=[running.address], topic=topic, **options))


def lines(*numbers: int) -> list[bytes]:
    return [encoded(alert(number)) for number in numbers]


def test_alerts_arrive_in_order_under_their_ids(running: Broker) -> None:
    topic, sent = running.make_topic("alerts"), lines(1, 2, 3)

    assert sink(running, topic).send(sent) == 3

    assert [value for _, value in running.contents(topic)] == sent
    assert [key for key, _ in running.contents(topic)] == [msgspec.json.decode(line)["id"].encode() for line in sent]


def test_the_key_may_be_the_stream_or_the_entity(running: Broker) -> None:
    for key, expected in (("stream", b"web"), ("key", None)):
        topic = running.make_topic(f"by-{key}")
        sink(running, topic, key=key).send(lines(1))

        assert [found for found, _ in running.contents(topic)] == [expected]


def test_nothing_counts_while_no_broker_answers_and_all_does_when_one_does(tmp_path: Path) -> None:
    with broker(tmp_path) as lonely:
        topic = lonely.make_topic("alerts")
        sending = sink(lonely, topic, timeout_seconds=1.0)
        lonely.freeze()
        with pytest.raises(UnavailableError, match=rf"kafka {lonely.address}, topic alerts: "):
            sending.send(lines(1, 2))
        lonely.thaw()

        taken, deadline = 0, time.monotonic() + 60
        while not taken and time.monotonic() < deadline:
            try:
                taken = sending.send(lines(1, 2))
            except UnavailableError:
                continue

        assert taken == 2
        found = [msgspec.json.decode(value)["id"] for _, value in lonely.contents(topic)]
        assert list(dict.fromkeys(found)) == [alert(1).id, alert(2).id]


def test_why_a_broker_is_not_reached_is_told() -> None:
    sending = kafka.build(kafka.Config(brokers=["127.0.0.1:1"], topic="alerts", timeout_seconds=0.5))

    with pytest.raises(UnavailableError, match="Connection refused"):
        sending.send(lines(1))


def test_an_alert_that_is_too_large_is_refused_alone_and_those_before_it_count(running: Broker) -> None:
    topic = running.make_topic("large")
    sending = sink(running, topic, properties={"message.max.bytes": 2000})
    small, large = lines(1)[0], lines(2)[0] + b" " * 4000

    assert sending.send([small, large, small]) == 1
    with pytest.raises(RefusedError, match="too large"):
        sending.send([large, small])


def test_a_password_is_in_no_message(running: Broker, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("sesame")
    options = {"username": "ops", "password_file": str(password), "mechanism": "SCRAM-SHA-256", "timeout_seconds": 1.0}
    sending = sink(running, "alerts", **options)

    with pytest.raises(UnavailableError) as caught:
        sending.send(lines(1))

    assert "sesame" not in str(caught.value)


def test_files_that_cannot_be_used_are_told_before_the_first_alert(tmp_path: Path) -> None:
    absent, wrong = str(tmp_path / "absent"), tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    basics: dict[str, Any] = {"brokers": ["127.0.0.1:1"], "topic": "alerts"}

    with pytest.raises(NoInputError, match=r"absent: there is no such file \(password_file\)"):
        kafka.build(kafka.Config(**basics, username="ops", password_file=absent))
    with pytest.raises(DataError, match=r"wrong\.pem: cannot be used for TLS: it holds no PEM"):
        kafka.build(kafka.Config(**basics, tls=True, ca_file=str(wrong)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"brokers": ["nowhere"]}, "expected HOST:PORT"),
        ({"username": "ops"}, "`username` and `password_file` go together"),
        ({"ca_file": "ca.pem"}, "`ca_file` and `cert_file` need `tls: true`"),
        ({"username": "a", "password_file": "b", "mechanism": "PLAIN"}, "shows the password to the network"),
        ({"properties": {"acks": "1"}}, "`properties` may not set acks"),
        ({"properties": {"sasl.password": "x"}}, "`properties` may not set sasl.password"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kafka.Config.model_validate({"brokers": ["127.0.0.1:1"], "topic": "alerts", **options})
