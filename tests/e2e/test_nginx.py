"""A real nginx, real requests, a real logrotate ten times: every request line is scored once."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.support import Site, aemonitor, need, wait_for

ROTATIONS = 10
REQUESTS = 300
REQUESTED = 2_000 + (ROTATIONS + 1) * REQUESTS
"""Between two rotations."""
PAGES = ("/", "/about.html", "/shop/cart", "/shop/item")
BROWSER, SCANNER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0", "sqlmap/1.8#stable"


class Nginx:
    """nginx in the foreground on the loopback, logging where it is told to."""

    def __init__(self, root: Path, log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._pid = root / "nginx.pid"
        (root / "html").mkdir(parents=True)
        for page in ("index.html", "about.html"):
            (root / "html" / page).write_text(page * 100)
        config = root / "nginx.conf"
        temporary = "\n".join(f"{kind}_temp_path {root}/tmp_{kind};" for kind in TEMPORARY)
        config.write_text(
            f"pid {self._pid}; error_log {root}/error.log; worker_processes 1; daemon off; master_process on;\n"
            f"{'user root;' if os.getuid() == 0 else ''} events {{}}\n"
            f"http {{ {temporary} access_log {log} combined; types {{ text/html html; }} keepalive_requests 100000;\n"
            f"server {{ listen 127.0.0.1:{self.port}; root {root}/html;\n"
            "  location /shop/ { return 200 'ok'; } } }\n"
        )
        self.process = subprocess.Popen([need("nginx"), "-p", str(root), "-c", str(config)])
        wait_for(self._answers, "nginx to answer")

    def _answers(self) -> bool:
        try:
            self.get(["/"], BROWSER)
        except OSError:
            return False
        return True

    def get(self, paths: list[str], agent: str) -> None:
        """One request a path over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        for path in paths:
            connection.request("GET", path, headers={"User-Agent": agent})
            connection.getresponse().read()
        connection.close()

    def reopen(self) -> str:
        """The shell command by which logrotate tells nginx to open its log anew."""
        return f"kill -USR1 $(cat {self._pid})"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def running_nginx(root: Path, log: Path) -> Iterator[Nginx]:
    nginx = Nginx(root, log)
    try:
        yield nginx
    finally:
        nginx.stop()


def drive(nginx: Nginx, first: int, count: int) -> None:
    """Requests with a running number; one in a hundred comes from a scanner."""
    for start in range(first, first + count, 100):
        pages = [f"{PAGES[n % len(PAGES)]}?seq={n}" for n in range(start, start + 100)]
        nginx.get(pages[:-1], BROWSER)
        nginx.get(pages[-1:], SCANNER)


def logged(site: Site) -> list[str]:
    """All lines, in whatever file they are by now."""
    return [text for file in site.log.parent.iterdir() for text in file.read_text().splitlines()]


def numbers(lines: list[str]) -> list[int]:
    """The running numbers of the requests in these lines; the one that asks whether nginx is there has none."""
    return [int(found) for text in lines for found in re.findall(r"seq=(\d+)", text)]


def rotate(root: Path, log: Path, nginx: Nginx) -> None:
    config, state = root / "logrotate.conf", root / "logrotate.state"
    owner = "su root root" if os.getuid() == 0 else ""
    config.write_text(
        f"{log} {{ {owner}\n rotate 20\n create 0644\n nocompress\n sharedscripts\n"
        f" postrotate\n  {nginx.reopen()}\n endscript\n}}\n"
    )
    config.chmod(0o644)
    subprocess.run([need("logrotate"), "-f", "-s", str(state), str(config)], check=True, capture_output=True)


@pytest.mark.timeout(300)
def test_every_request_is_scored_once_while_logrotate_rotates(tmp_path: Path) -> None:
    need("logrotate")
    site = Site(tmp_path / "site")
    with running_nginx(tmp_path / "nginx", site.log) as nginx:
        drive(nginx, 0, 2_000)
        benign = tmp_path / "benign.log"
        benign.write_text("".join(text + "\n" for text in site.log.read_text().splitlines() if SCANNER not in text))
        aemonitor("init", str(benign), "-o", str(site.config), "--stream", "web", "--state-dir", str(site.state),
                  "--listen", site.url.removeprefix("http://"))  # fmt: skip
        text = site.config.read_text().replace(str(benign), str(site.log))
        site.config.write_text(text.replace("alert: {", "alert: {tell: records, "))
        site.retrain(benign)
        try:
            site.start_and_wait()
            for turn in range(ROTATIONS):
                drive(nginx, 2_000 + turn * REQUESTS, REQUESTS)
                rotate(tmp_path, site.log, nginx)
            drive(nginx, 2_000 + ROTATIONS * REQUESTS, REQUESTS)
            wait_for(lambda: len(numbers(logged(site))) == REQUESTED, "nginx to log what it has answered")
            lines = logged(site)
            wait_for(lambda: site.metric("records_scored_total") >= len(lines), "every request to be scored")
            scored = site.metric("records_scored_total")
            assert site.stop() == 0
        finally:
            site.close()

    assert len(list(site.log.parent.iterdir())) == ROTATIONS + 1
    assert sorted(numbers(lines)) == list(range(REQUESTED))
    assert scored == len(lines)
    scanned = Counter(a["raw"] for a in site.ledger_alerts() if SCANNER in a["raw"])
    assert scanned == Counter(text for text in lines if SCANNER in text)
