"""Writes each alert to the journal of this host with its parts as fields, so that ``journalctl`` can select by them.

The native protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, is spoken here: the libraries that do so need
libsystemd, and it is one datagram.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from collections.abc import Mapping, Sequence

import msgspec
from pydantic import Field

from monitor.core.alerts import Alert
from monitor.core.protocols import Sink
from monitor.core.strict import StrictModel
from monitor.sinks._datagrams import Datagrams
from monitor.sinks._facts import facts
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format, priority

EXAMPLE = """\
format: native   # how the whole alert stands in the field AEMONITOR_ALERT
"""

SOCKET = "/run/systemd/journal/socket"
PREFIX = "AEMONITOR_"
MESSAGE_IDS = {"firing": "8bb047800fed40928cd1933b4590c4bf", "resolved": "39076c30182b404a93e467ad758c8a95"}
"""What `journalctl MESSAGE_ID=` finds all alerts, and all ends, by: random, and never to be changed."""
TIMEOUT_SECONDS = 10.0
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class Config(StrictModel):
    """Options of the ``journald`` sink."""

    socket: str = Field(default=SOCKET, pattern="^/", description="Where the journal listens.")
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; the journal need not be there before the first alert."""
    return Journal(config)


class Journal:
    """One entry an alert, in order. The journal takes entries without a word; a repetition has the same fields."""

    def __init__(self, config: Config) -> None:
        self._path = config.socket
        self._write = FORMATS[config.format].write
        cure = "where there is no systemd-journald, another sink will do, such as syslog or jsonl"
        self._datagrams = Datagrams(self._connect, config.socket, cure, send_as_file)

    def send(self, alerts: Sequence[bytes]) -> int:
        return self._datagrams.send([serialized(entry(line, self._write(line))) for line in alerts])

    def close(self) -> None:
        self._datagrams.close()

    def _connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.settimeout(TIMEOUT_SECONDS)
        try:
            made.connect(self._path)
        except BaseException:
            made.close()
            raise
        return made


def entry(line: bytes, written: bytes) -> dict[str, bytes]:
    """The fields of an alert; ``written`` is the whole of it in the format that was asked for."""
    alert = msgspec.json.decode(line, type=Alert)
    told = facts(alert)
    fields = {
        "MESSAGE": told["summary"],
        "PRIORITY": str(priority(alert.severity, alert.state)),
        "SYSLOG_IDENTIFIER": "aemonitor",
        "MESSAGE_ID": MESSAGE_IDS.get(alert.state, ""),
        **{f"{PREFIX}{name.upper()}": text for name, text in told.items() if name != "summary"},
        f"{PREFIX}RAW": alert.raw,
    }
    encoded = {name: text.encode() for name, text in fields.items() if text}
    return {**encoded, f"{PREFIX}ALERT": written}


def serialized(fields: Mapping[str, bytes]) -> bytes:
    r"""Fields as the journal takes them: a value with a line feed in it stands behind its length, 64 bits.

    >>> serialized({"A": b"x", "B": b"y\nz"})
    b'A=x\nB\n\x03\x00\x00\x00\x00\x00\x00\x00y\nz\n'
    """
    return b"".join(_field(name.encode(), value) for name, value in fields.items())


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name + b"=" + value + b"\n"


def send_as_file(connected: socket.socket, said: bytes) -> None:
    """Hand over what is too long for a datagram as a file in memory that nobody can change any more."""
    fd = os.memfd_create("aemonitor-alert", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(said)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        connected.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    finally:
        os.close(fd)
