"""A real rsyslog on the loopback: TCP and UDP on one port, TLS with client certificates on another, and a socket."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from tests.e2e.support import demand, need, wait_for

CONFIG = """
global(workDirectory="{directory}")
module(load="imtcp") module(load="imudp") module(load="imuxsock" SysSock.Use="off")
template(name="read" type="string" string="%pri%|%app-name%|%msgid%|%structured-data%|%msg%\\n")
input(type="imtcp" address="127.0.0.1" port="{port}")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imuxsock" socket="{directory}/log" useSpecialParser="off")
action(type="omfile" file="{directory}/out" template="read")
"""
TLS = """
input(type="imtcp" address="127.0.0.1" port="{tls_port}" streamDriver.name="gtls" streamDriver.mode="1"
      streamDriver.authMode="x509/certvalid" streamDriver.caFile="{directory}/ca.pem"
      streamDriver.certFile="{directory}/server.pem" streamDriver.keyFile="{directory}/server.key")
"""


@contextmanager
def rsyslog(directory: Path, port: int, tls_port: int | None = None) -> Generator[Path, None, None]:
    """The file it writes to, a line a message; it is killed at the end."""
    if tls_port:
        demand(any(Path("/usr/lib").glob("**/rsyslog/lmnsd_gtls.so")), "rsyslog-gnutls is not installed")
    text = CONFIG + (TLS if tls_port else "")
    (directory / "rsyslog.conf").write_text(text.format(directory=directory, port=port, tls_port=tls_port))
    program = [need("rsyslogd"), "-n", "-f", str(directory / "rsyslog.conf"), "-i", str(directory / "pid")]
    with (directory / "errors").open("ab") as errors, subprocess.Popen(program, stderr=errors) as process:
        try:
            wait_for(lambda: (directory / "log").exists() and _listens(tls_port or port), "rsyslog")
            yield directory / "out"
        finally:
            process.send_signal(signal.SIGKILL)
            (directory / "log").unlink(missing_ok=True)
            (directory / "pid").unlink(missing_ok=True)


def certify(directory: Path) -> None:
    """The certificates of the server and of a client (``client.pem``, with its key), and who signed them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("monitor.example.net")
    server.cert_chain_pems[0].write_to_path(directory / "server.pem")
    server.private_key_pem.write_to_path(directory / "server.key")
    client.private_key_and_cert_chain_pem.write_to_path(directory / "client.pem")


def lines(path: Path) -> list[list[str]]:
    """Priority, program, message id, structured data and text of each message."""
    return [line.split("|", 4) for line in path.read_text().splitlines()] if path.exists() else []


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
