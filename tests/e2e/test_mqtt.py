"""Messages of a real MQTT broker: the daemon and the broker are killed in turn, and none is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from monitor.brokers.mqtt import Connection, Session
from monitor.core.errors import AemonitorError
from tests.e2e.broker_faults import FAULT_EVERY, TIMES, Sender, kill_in_turn, site_reading, told
from tests.e2e.support import wait_for
from tests.e2e.traffic import BACKLOG_SECONDS, line
from tests.mosquitto import Mosquitto, mosquitto, publish

CHUNK = 20
PAUSE_SECONDS = 0.2
AGAIN = 500
"""mosquitto writes what it has to the disk every second here: a kill takes the last of what it said it has, and so
whoever publishes says these again."""


class Publisher:
    """One connection at a time; after a break it begins again some lines before."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self._connection: Connection | None = None
        self.tried = 0
        """One more than the highest number that was ever sent: it may have arrived although nobody was told so."""

    def send(self, first: int) -> int:
        try:
            if self._connection is None:
                self._connection = self._broker.connect()
                first = max(0, first - AGAIN)
            self.tried = max(self.tried, first + CHUNK)
            publish(self._connection, [line(first + number, FAULT_EVERY) for number in range(CHUNK)], "plant/north")
        except (AemonitorError, OSError) as error:
            self._connection = None
            raise TimeoutError from error
        return first + CHUNK


@pytest.mark.parametrize("times", TIMES)
def test_no_message_is_lost_over_kills_of_daemon_and_broker(tmp_path: Path, models: Path, times: int) -> None:
    with mosquitto(tmp_path) as broker:
        source = f"{{mqtt: {{server: '{broker.url}', client_id: monitor, topics: ['plant/#']}}}}"
        site = site_reading(tmp_path / "site", models, source)
        keep_session(broker)
        publisher = Publisher(broker)
        sender = Sender(publisher.send, PAUSE_SECONDS)
        try:
            kill_in_turn(site, broker, sender, times)
            expected = set(range(0, sender.written, FAULT_EVERY))
            wait_for(lambda: told(site).keys() >= expected, "every fault to be told", BACKLOG_SECONDS)
            assert site.stop(within_seconds=60) == 0
        finally:
            site.close()

        found = told(site)
        assert found.keys() >= expected
        assert found.keys() <= set(range(0, publisher.tried, FAULT_EVERY))
        again = (found - Counter(found.keys())).total()
        print(f"{sender.written:,} messages, {times} kills of each: 0 lost, {again} told again")


def keep_session(broker: Mosquitto) -> None:
    """The session begins before anything is published, as it does for a daemon that has run once."""
    session = Session(3600, 1000, lambda _: None, lambda _client, _message: None)
    connection = broker.connect(session, "monitor")
    connection.client.subscribe("plant/#", qos=1)
    granted: list[object] = []
    connection.client.on_subscribe = lambda *_: granted.append(1)
    connection.serve_until(lambda: bool(granted), 30)
    connection.close()
