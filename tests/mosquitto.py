"""A real MQTT broker, mosquitto, on the loopback: started, killed and started again on the same files and port."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from monitor.app.demo import free_port
from monitor.brokers.mqtt import Connection, Connector, MqttOptions, Session
from monitor.core.clock import SystemClock
from monitor.core.errors import AemonitorError
from tests.e2e.support import need, wait_for

CONFIG = """
listener {port} 127.0.0.1
persistence true
persistence_location {root}/
autosave_interval 1
max_queued_messages 0
"""


class Mosquitto:
    """``settings`` is more of its configuration, ``options`` how a client reaches it."""

    def __init__(self, root: Path, settings: str = "allow_anonymous true", **options: Any) -> None:
        self.port = free_port()
        self.url = f"{'mqtts' if 'ca_file' in options else 'mqtt'}://127.0.0.1:{self.port}"
        self.options = MqttOptions(server=self.url, **options)
        self._root = root
        (root / "mosquitto.conf").write_text(CONFIG.format(port=self.port, root=root) + settings + "\nuser root\n")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with (self._root / "mosquitto.log").open("ab") as log:
            program = [need("mosquitto"), "-v", "-c", str(self._root / "mosquitto.conf")]
            self.process = subprocess.Popen(program, stdout=log, stderr=log)
        wait_for(self._answers, "the MQTT broker")

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def connect(self, session: Session | None = None, client_id: str = "test") -> Connection:
        return Connector(self.options, SystemClock()).connect(client_id, session)

    def publish(self, *payloads: bytes, topic: str = "plant/north", qos: int = 1, retain: bool = False) -> None:
        """Each is with the broker when this returns."""
        connection = self.connect()
        try:
            answered: Sequence[Any] = publish(connection, payloads, topic, qos=qos, retain=retain)
            assert len(answered) == len(payloads)
        finally:
            connection.close()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self._root / "mosquitto.log").read_text()[-3000:]
        with suppress(AemonitorError, OSError):
            self.connect().close()
            return True
        return False


def publish(
    connection: Connection, payloads: Sequence[bytes], topic: str, *, qos: int = 1, retain: bool = False
) -> Sequence[Any]:
    """Wait until the broker has all of them."""
    answered: list[Any] = []
    connection.client.on_publish = lambda _client, _data, packet, _code, _properties: answered.append(packet)
    for payload in payloads:
        connection.client.publish(topic, payload, qos=qos, retain=retain)
    connection.serve_until(lambda: len(answered) >= len(payloads), 30)
    return answered


@contextmanager
def mosquitto(root: Path, settings: str = "allow_anonymous true", **options: Any) -> Generator[Mosquitto, None, None]:
    broker = Mosquitto(root, settings, **options)
    try:
        yield broker
    finally:
        broker.kill()
