"""A syslog daemon gets each alert as RFC 5424 says, at least once: rsyslog itself, and sockets that misbehave."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from pydantic import ValidationError

from monitor.app.demo import free_port
from monitor.core.clock import SystemClock
from monitor.core.delivery import RefusedError
from monitor.core.errors import DataError, NoInputError, UnavailableError
from monitor.sinks import syslog
from monitor.sinks._datagrams import Datagrams
from monitor.sinks._syslog_message import BOM
from tests.e2e.support import wait_for
from tests.rsyslog import lines, rsyslog
from tests.support_files import alert

FIRING = msgspec.json.encode(alert(1))
RESOLVED = msgspec.json.encode(alert(1, state="resolved"))
MESSAGE = re.compile(
    rb'<(\d+)>1 (\S+) (\S+) aemonitor (\d+) (\w+) \[aemonitor@32473((?: \w+="(?:[^"\\\]]|\\.)*")+)\] (.*)'
)


OPENED: list[syslog.Syslog] = []


def opened(address: str, **options: Any) -> syslog.Syslog:
    OPENED.append(syslog.Syslog(syslog.Config.model_validate({"address": address, **options}), SystemClock()))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def numbered(count: int, **changes: Any) -> list[bytes]:
    return [msgspec.json.encode(msgspec.structs.replace(alert(number), **changes)) for number in range(count)]


class Listening:
    """A receiver of octet-counted messages over TCP or TLS that reads as many as it is told, then breaks off."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self.leave_after = 1 << 30
        self.reads = threading.Event()
        self.reads.set()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, count: int) -> list[bytes]:
        wait_for(lambda: len(self.messages) >= count, f"{count} messages")
        return self.messages

    def close(self) -> None:
        self.reads.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                with peer, suppress(OSError):
                    self._read(peer if self._tls is None else self._tls.wrap_socket(peer, server_side=True))

    def _read(self, peer: socket.socket) -> None:
        left = self.leave_after
        with peer, peer.makefile("rb") as file:
            self.reads.wait()
            while left and (digits := _until_blank(file)):
                self.messages.append(file.read(int(digits)))
                left -= 1


def _until_blank(file: Any) -> bytes:
    digits = b""
    while (byte := file.read(1)) not in (b"", b" "):
        digits += byte
    return digits


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Generator[Listening, None, None]:
    peer = Listening(tls)
    try:
        yield peer
    finally:
        peer.close()


@pytest.fixture
def peer() -> Iterator[Listening]:
    with listening() as one:
        yield one


@pytest.fixture
def datagrams(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "log"))
        one.settimeout(30)
        yield one


# -- messages --------------------------------------------------------------------------------------------------


def parts(said: bytes) -> tuple[Any, ...]:
    found = MESSAGE.fullmatch(said)
    assert found, said
    return found.groups()


def test_a_message_has_priority_time_host_state_data_and_the_sentence(datagrams: socket.socket, tmp_path: Path) -> None:
    opened(f"unix://{tmp_path}/log", facility="local3").send([FIRING, RESOLVED])

    pri, when, host, _, state, data, text = parts(datagrams.recv(65_536))
    assert (pri, when, host, state) == (b"%d" % (19 * 8 + 4), b"2023-11-14T22:13:20.000Z", b"h", b"firing")
    assert data.startswith(b' id="%032x" state="firing" severity="warning" stream="web" score="2"' % 1)
    assert b'fingerprint="f"' in data
    assert text == BOM + b"alert 1"
    assert parts(datagrams.recv(65_536))[0] == b"%d" % (19 * 8 + 5)


@pytest.mark.parametrize("limit", [1024, 2048, 8192, 65_000])
@pytest.mark.parametrize("message", ["summary", "json"])
def test_nothing_a_record_says_breaks_a_message(
    datagrams: socket.socket, tmp_path: Path, message: str, limit: int
) -> None:
    evil = '"]\\\n\0\x1b[2J\U0001f600' * 5_000
    (line,) = numbered(1, key=evil, summary=evil, raw=evil, stream=evil, host=evil)

    opened(f"unix://{tmp_path}/log", message=message, message_bytes=limit).send([line])

    said = datagrams.recv(1 << 20)
    text = parts(said)[-1]
    assert len(said) <= limit
    assert not re.search(rb"[\x00-\x1f]", said)
    assert text.decode().startswith("\ufeff")


def test_json_goes_without_what_makes_it_too_long(datagrams: socket.socket, tmp_path: Path) -> None:
    sink = opened(f"unix://{tmp_path}/log", message="json")

    sink.send([FIRING, *numbered(1, raw="x" * 9_000)])

    whole, less = (parts(datagrams.recv(65_536))[-1].removeprefix(BOM) for _ in range(2))
    assert whole == FIRING
    assert msgspec.json.decode(less)["raw"] == ""


# -- TCP -------------------------------------------------------------------------------------------------------


def test_alerts_come_in_order_over_one_connection(peer: Listening) -> None:
    sink = opened(f"tcp://127.0.0.1:{peer.port}")

    assert sink.send(numbered(100)) == 100
    assert sink.send([RESOLVED]) == 1

    assert [parts(said)[-1] for said in peer.wait_for(101)[:100]] == [BOM + b"alert %d" % n for n in range(100)]
    sink.close()
    sink.close()
    assert peer.connections == 1


def test_many_are_taken_in_parts(peer: Listening) -> None:
    sink = opened(f"tcp://127.0.0.1:{peer.port}", message="json")

    assert 1 < sink.send(numbered(256)) < 256
    sink.close()


def test_what_was_sent_last_is_sent_again_after_a_break(peer: Listening) -> None:
    peer.leave_after = 1
    sink = opened(f"tcp://127.0.0.1:{peer.port}")
    assert sink.send([FIRING]) == 1
    peer.wait_for(1)
    peer.leave_after = 1 << 30

    wait_for(lambda: _sent(sink, RESOLVED) and peer.connections > 1, "a break that was noticed")
    sink.close()

    states = [parts(said)[4] for said in peer.wait_for(3)]
    assert states.count(b"firing") == 2
    assert b"resolved" in states


def _sent(sink: syslog.Syslog, line: bytes) -> bool:
    try:
        return sink.send([line]) == 1
    except UnavailableError:
        return False


def send_for_ever(sink: syslog.Syslog, lines: list[bytes]) -> None:
    while sink.send(lines):
        pass


def test_a_receiver_that_reads_nothing_is_given_up_in_time(peer: Listening) -> None:
    peer.reads.clear()
    sink = opened(f"tcp://127.0.0.1:{peer.port}", timeout_seconds=0.3, message="json", message_bytes=65_000)
    lines = numbered(256, raw="x" * 60_000)

    with pytest.raises(UnavailableError, match=r"tcp://127.0.0.1:[0-9]+: took nothing for 0.3 seconds"):
        send_for_ever(sink, lines)


def test_who_breaks_off_before_it_has_it_all_has_not_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = opened(f"tcp://127.0.0.1:{listener.getsockname()[1]}", message="json", message_bytes=65_000)

        def reset() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=reset)
        thread.start()
        with pytest.raises(UnavailableError, match=r"cannot be reached: (Connection reset|Broken pipe|the connection)"):
            send_for_ever(sink, numbered(3, raw="x" * 60_000))
        thread.join(30)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    for address, words in (
        (f"tcp://127.0.0.1:{free_port()}", r"tcp://127.0.0.1:[0-9]+: cannot be reached: Connection refused"),
        (f"udp://127.0.0.1:{free_port()}", r"udp://.*: cannot be reached: Connection refused; look whether a syslog"),
        (f"unix://{tmp_path}/none", r"unix://.*none: cannot be reached: No such file or directory; look whether"),
    ):
        with pytest.raises(UnavailableError, match=words):
            opened(address).send([FIRING])


# -- datagrams -------------------------------------------------------------------------------------------------


def test_a_daemon_that_was_restarted_is_found_again(tmp_path: Path) -> None:
    sink, path = opened(f"unix://{tmp_path}/log"), tmp_path / "log"
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(str(path))
            wait_for(lambda: _sent(sink, FIRING), "the daemon")
            assert parts(daemon.recv(65_536))[4] == b"firing"
        path.unlink()
    sink.close()


def test_a_message_too_long_for_a_datagram_is_refused(tmp_path: Path, datagrams: socket.socket) -> None:
    made: list[socket.socket] = []

    def small() -> socket.socket:
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_608)
        one.connect(str(tmp_path / "log"))
        made.append(one)
        return one

    sink = Datagrams(small, "here", "", syslog.refuse)

    assert sink.send([b"short", b"x" * 60_000]) == 1
    with pytest.raises(RefusedError, match="a message of 60000 bytes is too long for a datagram here; lower"):
        sink.send([b"x" * 60_000])
    sink.close()


# -- TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def test_over_tls_it_is_the_same(authority: trustme.CA, ca_file: str) -> None:
    with listening(server_tls(authority)) as peer:
        sink = opened(f"tls://127.0.0.1:{peer.port}", ca_file=ca_file)
        assert [sink.send(numbered(50)), sink.send([RESOLVED])] == [50, 1]

        assert parts(peer.wait_for(51)[-1])[4] == b"resolved"
        sink.close()
        assert peer.connections == 1


def test_a_receiver_that_is_not_trusted_gets_nothing(authority: trustme.CA, ca_file: str) -> None:
    for tls in (server_tls(trustme.CA()), server_tls(authority, "other.example")):
        with listening(tls) as peer, pytest.raises(UnavailableError, match=r"TLS: .*look at ca_file, cert_file"):
            opened(f"tls://127.0.0.1:{peer.port}", ca_file=ca_file).send([FIRING])
        assert peer.messages == []


def test_a_receiver_that_wants_a_certificate_takes_only_with_one(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    tls = server_tls(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    authority.issue_cert("monitor").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "me.pem"))
    with listening(tls) as peer:
        with pytest.raises(UnavailableError, match=r"TLS: .*CERTIFICATE_REQUIRED.*look at"):
            opened(f"tls://127.0.0.1:{peer.port}", ca_file=ca_file).send([FIRING])
        sink = opened(f"tls://127.0.0.1:{peer.port}", ca_file=ca_file, cert_file=str(tmp_path / "me.pem"))

        assert sink.send([FIRING]) == 1
        peer.wait_for(1)
        sink.close()


def test_certificates_that_cannot_be_used_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nonsense")
    with pytest.raises(NoInputError, match=r"/no/ca.pem: there is no such file"):
        opened("tls://127.0.0.1:1", ca_file="/no/ca.pem")
    with pytest.raises(DataError, match=r"bad.pem: cannot be used for TLS"):
        opened("tls://127.0.0.1:1", ca_file=str(tmp_path / "bad.pem"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(
            ({"address": address}, "expected an address such as tls://logs.example.net:6514")
            for address in ("logs:514", "tcp://logs", "http://logs:80", "unix://log", "tcp://u@h:1", "tcp://h:1/x", "udp://h:0")
        ),
        ({"address": "tcp://h:99999"}, "Port out of range"),
        ({"address": "tcp://h:1", "ca_file": "x"}, "are for tls://"),
        ({"address": "tls://h:1", "key_file": "x"}, "`key_file` needs `cert_file`"),
        ({"address": "tcp://h:1", "format": "ecs"}, "add `message: json`"),
        ({"address": "tcp://h:1", "facility": "kern"}, "Input should be 'user'"),
    ],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        syslog.Config.model_validate(options)


# -- rsyslog ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "udp", "unix"])
def test_rsyslog_reads_every_part(tmp_path: Path, scheme: str) -> None:
    port = free_port()
    with rsyslog(tmp_path, port) as out:
        address = f"unix://{tmp_path}/log" if scheme == "unix" else f"{scheme}://127.0.0.1:{port}"
        sink = opened(address, facility="local0")
        for _ in range(2):
            assert sink.send(numbered(20, key='a "b" ]\\')) == 20
        wait_for(lambda: len(lines(out)) == 40, "all messages")
        sink.close()

    first, *_ = told = lines(out)
    assert first[:3] == [str(16 * 8 + 4), "aemonitor", "firing"]
    assert first[3].startswith(f'[aemonitor@32473 id="{0:032x}" state="firing"')
    assert r'key="a \"b\" \]\\"' in first[3]
    assert [one[4].removeprefix("\ufeff") for one in told] == [f"alert {n}" for n in (*range(20), *range(20))]


def test_rsyslog_killed_and_started_again_misses_nothing(tmp_path: Path) -> None:
    port = free_port()
    sink = opened(f"tcp://127.0.0.1:{port}")
    with pytest.raises(UnavailableError, match="cannot be reached: Connection refused"):
        sink.send(numbered(5))

    for number in range(3):
        wanted = {(f"s{number}", f"alert {i}") for i in range(10)}
        with rsyslog(tmp_path, port) as out:
            send_all(sink, numbered(10, stream=f"s{number}"))
            wait_for(partial(_has, out, wanted), "messages")

    assert _has(tmp_path / "out", {(f"s{number}", f"alert {i}") for number in range(3) for i in range(10)})


def send_all(sink: syslog.Syslog, waiting: list[bytes]) -> None:
    """As the sender does: again and again, what was not taken."""
    while waiting:
        with suppress(UnavailableError):
            waiting = waiting[sink.send(waiting) :]


def _has(out: Path, wanted: set[tuple[str, str]]) -> bool:
    return wanted <= {(one[3].partition('stream="')[2].partition('"')[0], one[4].strip("\ufeff")) for one in lines(out)}
