"""The source `syslog_net`: what real senders send over UDP, TCP and TLS, and what is kept out."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.app.demo import free_port
from monitor.core.errors import NoInputError
from monitor.core.records import Messages
from monitor.ingest.framing import Framer
from monitor.parsers import syslog
from monitor.sources import syslog_net
from monitor.sources._syslog_frames import Frames
from tests.e2e.support import need, wait_for
from tests.received import Ledger, Received

MESSAGES = [b"<14>Nov 23 07:00:00 host app[%d]: text %d" % (number, number) for number in range(10)]


class Listening:
    """A source with a listener for each transport; ``port`` by its name."""

    def __init__(self, *transports: str, ledger: Ledger | None = None, **options: Any) -> None:
        self.port = {transport: free_port() for transport in transports}
        places = [f"{transport}://127.0.0.1:{port}" for transport, port in self.port.items()]
        self.received = Received(syslog_net, ledger, listen=places, **options)
        self.received.until(lambda: len(self.received.events.connections) >= len(places), "the listeners")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port["tcp"]), 30)

    def payloads(self, count: int) -> list[bytes]:
        """So many, once they have come."""
        self.received.until(lambda: len(self.received.read) >= count, f"{count} messages")
        return self.received.payloads

    def close(self) -> None:
        self.received.source.close()


@pytest.fixture
def listening() -> Iterator[Listening]:
    with closing(Listening("udp", "tcp")) as made:
        yield made


@pytest.mark.parametrize(
    "options", [["-d"], ["-T"], ["-T", "--octet-count"], ["-d", "--rfc3164"], ["-T", "--rfc3164"]], ids=" ".join
)
def test_what_logger_sends_is_a_record_that_the_parser_reads(listening: Listening, options: list[str]) -> None:
    port = listening.port["udp" if "-d" in options else "tcp"]
    subprocess.run(
        [need("logger"), "-n", "127.0.0.1", "-P", str(port), "-p", "local0.err", "-t", "app", *options, "it burns"],
        check=True,
    )
    [payload] = listening.payloads(1)
    [raw] = Framer(1000).whole(Messages(listening.received.origins[0], [payload], [0], 1))
    columns = syslog.build(syslog.Config(), None).parse(raw).columns
    found = {field.name: column.to_pylist()[0] for field, column in columns.items()}

    assert (found["program"], found["message"], found["severity"]) == ("app", "it burns", 3)


def test_lines_and_counted_messages_may_come_in_pieces_and_mixed(listening: Listening) -> None:
    sent = b"".join(framed(each, counted=number % 2 == 1) for number, each in enumerate(MESSAGES))
    with listening.connect() as connection:
        for start in range(0, len(sent), 7):
            connection.sendall(sent[start : start + 7])

    assert listening.payloads(10) == MESSAGES
    assert [number for number, _ in listening.received.read] == list(range(10))


def test_who_is_not_allowed_is_not_heard() -> None:
    with closing(Listening("udp", "tcp", allow=["192.0.2.0/24"])) as listening:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(MESSAGES[0], ("127.0.0.1", listening.port["udp"]))
        with listening.connect() as connection:
            assert connection.recv(1) == b""
        listening.received.turn()

        assert listening.received.read == []


def test_further_connections_and_silent_ones_are_closed() -> None:
    with closing(Listening("tcp", max_connections=1, idle_seconds=0.5)) as listening, listening.connect() as first:
        first.sendall(MESSAGES[0] + b"\n")
        listening.payloads(1)
        with listening.connect() as second:
            assert second.recv(1) == b""
        assert first.recv(1) == b""


def test_a_sender_has_to_wait_when_nobody_reads_and_loses_nothing() -> None:
    text = b"<14>" + b"x" * 1000
    with closing(Listening("tcp", queue_bytes=100_000)) as listening, listening.connect() as connection:
        connection.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError):
            while True:
                sent += connection.send((text + b"\n") * 100)
        connection.settimeout(30)
        connection.close()

        assert len(listening.payloads(sent // 1005)) >= sent // 1005


def test_datagrams_that_the_kernel_dropped_are_counted() -> None:
    with closing(Listening("udp", queue_bytes=1, receive_buffer_bytes=4096)) as listening:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", listening.port["udp"]))
            for _ in range(2000):
                sender.send(MESSAGES[0])

            def told() -> bool:
                sender.send(MESSAGES[1])
                return bool(listening.received.events.lost)

            listening.received.until(told, "the loss to be told")
            wait_for(lambda: not listening.received.turn(), "all to be read")

        lost = sum(count for _, count in listening.received.events.lost)
        assert lost > 0
        assert listening.received.events.lost[0][0] == f"udp://127.0.0.1:{listening.port['udp']}"


def test_over_tls_only_whom_somebody_vouches_for(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    known, unknown = ssl.create_default_context(), ssl.create_default_context()
    for context in (known, unknown):
        authority.configure_trust(context)
    authority.issue_cert("sender.example.net").configure_cert(known)
    options: dict[str, Any] = {"cert_file": str(tmp_path / "server.pem"), "client_ca_file": str(tmp_path / "ca.pem")}
    with closing(Listening("tls", **options)) as listening:
        where = ("127.0.0.1", listening.port["tls"])
        with (
            socket.create_connection(where, 30) as plain,
            known.wrap_socket(plain, server_hostname="127.0.0.1") as sender,
        ):
            sender.sendall(MESSAGES[0] + b"\n")
            assert listening.payloads(1) == MESSAGES[:1]
        with (
            socket.create_connection(where, 30) as plain,
            suppress(ssl.SSLError, ConnectionError),
            unknown.wrap_socket(plain, server_hostname="127.0.0.1") as sender,
        ):
            sender.sendall(MESSAGES[1] + b"\n")
            assert sender.recv(1) == b""
        listening.received.turn()
        assert listening.received.payloads == MESSAGES[:1]


def test_a_port_that_is_taken_is_told_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        received = Received(syslog_net, listen=[place])
        received.until(lambda: bool(received.events.connections), "the failure")
    received.until(lambda: received.events.connections[-1] == (place, ""), "the port")
    received.source.close()

    assert "address already in use" in received.events.connections[0][1].lower()


def test_what_earlier_runs_received_is_forgotten(listening: Listening) -> None:
    with listening.connect() as connection:
        connection.sendall(MESSAGES[0] + b"\n")
    listening.payloads(1)
    with closing(Listening("tcp", ledger=listening.received.ledger)) as later:
        assert later.received.source.forgettable() == [listening.received.origins[0].file_id]
        assert later.received.source.forgettable() == []


def framed(message: bytes, *, counted: bool) -> bytes:
    return b"%d %b" % (len(message), message) if counted else message + b"\n"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.booleans()), max_size=8), st.integers(1, 9))
def test_frames_are_the_same_however_they_are_cut(messages: list[tuple[bytes, bool]], step: int) -> None:
    texts = [b"<" + text.replace(b"\n", b"").rstrip(b"\r\0") for text, _ in messages]
    texts = [text.rstrip(b"\r\0") for text in texts]
    kinds = [counted for _, counted in messages]
    sent = b"".join(framed(text, counted=counted) for text, counted in zip(texts, kinds, strict=True))
    frames = Frames(10)

    found = [message for start in range(0, len(sent), step) for message in frames.push(sent[start : start + step])]

    cut = [text[:10] for text in texts]
    assert found == [text if counted else text.rstrip(b"\r\0") for text, counted in zip(cut, kinds, strict=True)]
    assert frames.end() == b""


@pytest.mark.parametrize("data", [b"12x<14>", b"12345678901 <14>"])
def test_a_length_that_is_none_ends_the_connection(data: bytes) -> None:
    with pytest.raises(ValueError, match="no length follows"):
        list(Frames(100).push(data + b" "))


def test_a_last_line_without_an_end_is_a_message() -> None:
    frames = Frames(100)

    assert list(frames.push(b"<1>a\n<1>b")) == [b"<1>a"]
    assert frames.end() == b"<1>b"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listen": ["udp://127.0.0.1"]}, "expected a place such as"),
        ({"listen": ["udp://host:1"]}, "does not appear to be an IPv4 or IPv6 address"),
        ({"listen": ["tls://127.0.0.1:1"]}, "`tls://` and `cert_file` go together"),
        ({"listen": ["tcp://127.0.0.1:1"], "client_ca_file": "x"}, "need `cert_file`"),
        ({"listen": ["tcp://127.0.0.1:1"], "allow": ["x"]}, "does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        syslog_net.Config(**options)


def test_a_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="no such file"):
        Received(syslog_net, listen=["tls://127.0.0.1:1"], cert_file=str(tmp_path / "none"))
