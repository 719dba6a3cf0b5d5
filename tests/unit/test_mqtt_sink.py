"""The sink `mqtt` against a real broker: in order, counted when the broker has them, tried again when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.core.clock import SystemClock
from monitor.core.errors import UnavailableError
from monitor.sinks import mqtt
from monitor.sources import mqtt as mqtt_source
from tests.mosquitto import Mosquitto, mosquitto
from tests.received import Received
from tests.support_files import alert

ALERTS = [msgspec.json.encode(alert(number)) for number in range(30)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


def opened(broker: Mosquitto, **options: Any) -> mqtt.Mqtt:
    return mqtt.Mqtt(
        mqtt.Config.model_validate({"server": broker.url, "topic": "alerts/web", **options}), SystemClock()
    )


@pytest.mark.parametrize("version", [5, "3.1.1"])
def test_alerts_are_published_in_order_so_many_a_call(broker: Mosquitto, version: Any) -> None:
    listener = Received(mqtt_source, server=broker.url, client_id="listener", topics=["alerts/#"])
    listener.until(lambda: bool(listener.events.connections), "the connection")
    sink = opened(broker, version=version)

    assert sink.send(ALERTS) == mqtt.AT_ONCE
    assert sink.send(ALERTS[mqtt.AT_ONCE :]) == len(ALERTS) - mqtt.AT_ONCE
    listener.until_read(*ALERTS)
    listener.source.close()
    assert listener.payloads == ALERTS


def test_a_broker_that_is_gone_is_told_and_reached_again(broker: Mosquitto) -> None:
    sink = opened(broker)
    broker.kill()
    with pytest.raises(UnavailableError, match="Connection refused"):
        sink.send(ALERTS)

    broker.start()
    assert sink.send(ALERTS[:2]) == 2


def test_what_the_broker_does_not_allow_is_told(tmp_path: Path) -> None:
    (tmp_path / "rights").write_text("topic read alerts/#\n")
    with (
        mosquitto(tmp_path, f"allow_anonymous true\nacl_file {tmp_path}/rights") as broker,
        pytest.raises(UnavailableError, match=r"Not authorized|Unspecified error"),  # mosquitto 2.0.11 hangs up
    ):
        opened(broker).send(ALERTS)


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b", "a\n"])
def test_a_topic_with_wildcards_is_refused(topic: str) -> None:
    with pytest.raises(ValidationError, match="expected a topic such as"):
        mqtt.Config(topic=topic)
