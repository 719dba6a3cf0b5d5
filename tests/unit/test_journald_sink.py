"""The journal gets an entry with fields for each alert: a socket of ours reads it, and the real journal does."""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.core.errors import UnavailableError
from monitor.sinks import journald
from tests.conftest import REPOSITORY
from tests.e2e.support import need
from tests.support_files import alert

FIRING = msgspec.json.encode(alert(1))
RESOLVED = msgspec.json.encode(alert(1, state="resolved"))
LONG = msgspec.json.encode(msgspec.structs.replace(alert(2), raw="line\n" * 200_000))

WITH_THE_REAL_ONE = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/log/journal || exit 99
"$JOURNALD" & journald=$!
for _ in $(seq 200); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
"$PYTHON" -c "$SEND" && journalctl --sync >&2 && journalctl --all -o json SYSLOG_IDENTIFIER=aemonitor
status=$?
kill $journald; wait $journald
exit $status
"""
SEND = """
from monitor.sinks import journald
from tests.unit.test_journald_sink import FIRING, LONG, RESOLVED
sink = journald.build(journald.Config())
assert sink.send([FIRING, RESOLVED, LONG]) == 3
sink.close()
"""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.settimeout(30)
        yield listening


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[journald.Journal]:
    opened = journald.Journal(journald.Config(socket=str(tmp_path / "socket")))
    yield opened
    opened.close()


def read(datagram: bytes) -> dict[str, bytes]:
    """Fields as the protocol's page says that they are to be read."""
    fields: dict[str, bytes] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        fields[name.decode()] = value
        datagram = rest
    return fields


def test_an_entry_says_what_alert_it_is(peer: socket.socket, sink: journald.Journal) -> None:
    taken = sink.send([FIRING, RESOLVED])
    sink.close()

    firing, resolved = read(peer.recv(1 << 20)), read(peer.recv(1 << 20))
    assert taken == 2
    assert {name: firing[name] for name in ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "AEMONITOR_STATE")} == {
        "MESSAGE": b"alert 1",
        "PRIORITY": b"4",
        "SYSLOG_IDENTIFIER": b"aemonitor",
        "AEMONITOR_STATE": b"firing",
    }
    assert firing["AEMONITOR_ALERT"] == FIRING
    assert resolved["PRIORITY"] == b"5"
    assert resolved["AEMONITOR_ID"] == firing["AEMONITOR_ID"]
    assert [entry["MESSAGE_ID"].decode() for entry in (firing, resolved)] == list(journald.MESSAGE_IDS.values())


def test_message_ids_are_ids_and_names_are_names_of_fields(peer: socket.socket, sink: journald.Journal) -> None:
    sink.send([FIRING])

    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in journald.MESSAGE_IDS.values())
    assert all(re.fullmatch("[A-Z][A-Z0-9_]{0,63}", name) for name in read(peer.recv(1 << 20)))


def test_what_a_record_says_makes_no_field(peer: socket.socket, sink: journald.Journal) -> None:
    evil = "x\nPRIORITY=0\nMESSAGE=forged\n\0\x1b[2J"
    line = msgspec.json.encode(msgspec.structs.replace(alert(1), raw=evil, summary=evil, key=evil, stream=evil))

    sink.send([line])

    fields = read(peer.recv(1 << 20))
    assert fields["AEMONITOR_RAW"] == evil.encode()
    assert fields["PRIORITY"] == b"4"
    assert fields["MESSAGE"].startswith(rb"x\nPRIORITY=0\nMESSAGE=forged\n\x00\x1b[2J")


def test_what_is_too_long_for_a_datagram_comes_as_a_sealed_file(peer: socket.socket, sink: journald.Journal) -> None:
    assert sink.send([LONG]) == 1

    said, ancillary, _, _ = peer.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    fds = array.array("i", ancillary[0][2])
    with os.fdopen(fds[0], "rb") as file:
        assert fcntl.fcntl(file.fileno(), fcntl.F_GET_SEALS) == journald.SEALS
        file.seek(0)
        assert read(file.read())["AEMONITOR_RAW"] == b"line\n" * 200_000
    assert said == b""


def test_a_journal_that_is_not_there_is_told_and_found_when_it_comes(tmp_path: Path, sink: journald.Journal) -> None:
    with pytest.raises(UnavailableError, match=r"/socket: cannot be reached: No such file.*such as syslog or jsonl"):
        sink.send([FIRING])

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(str(tmp_path / "socket"))
        assert sink.send([FIRING]) == 1
    (tmp_path / "socket").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(str(tmp_path / "socket"))
        with pytest.raises(UnavailableError, match="cannot be reached: Connection refused"):
            sink.send([FIRING])

        assert sink.send([FIRING]) == 1


def test_a_journal_that_reads_nothing_takes_what_fits_and_then_is_told(
    peer: socket.socket, sink: journald.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journald, "TIMEOUT_SECONDS", 0.2)
    taken = sink.send([FIRING] * 5_000)

    assert 0 < taken < 5_000
    with pytest.raises(UnavailableError, match="takes nothing at the moment; its queue is full"):
        sink.send([FIRING])


def test_the_real_journal_takes_and_finds_them() -> None:
    journal = Path("/lib/systemd/systemd-journald")
    if not journal.exists():
        need("systemd-journald")
    variables = {"JOURNALD": str(journal), "PYTHON": sys.executable, "SEND": SEND, "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        [need("unshare"), "--mount", need("bash"), "-c", WITH_THE_REAL_ONE],
        capture_output=True, text=True, check=False, cwd=REPOSITORY, env=variables, timeout=100,
    )  # fmt: skip
    if ran.returncode in (1, 99) and "ermi" in ran.stderr and not ran.stdout:
        pytest.skip(f"this user may not have mounts of its own: {ran.stderr[-200:]}")

    entries = [msgspec.json.decode(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert [(entry["MESSAGE"], entry["PRIORITY"]) for entry in entries] == [
        ("alert 1", "4"), ("alert 1", "5"), ("alert 2", "4"),
    ]  # fmt: skip
    assert [entry["AEMONITOR_ALERT"] for entry in entries] == [line.decode() for line in (FIRING, RESOLVED, LONG)]
