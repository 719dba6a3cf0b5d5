"""Programs, syslog and people are told by a real daemon, over a kill: each alert and its end, with the same id."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.alerting import odd, site_with, write
from tests.e2e.support import Site, wait_for
from tests.mail_server import MailServer, mail_server
from tests.receiving import Answer, receiving
from tests.rsyslog import certify, lines, rsyslog

Told = list[tuple[str, str]]
"""Id and state of messages, in the order of their arrival."""
EPISODES = "tell: episodes, episode_gap_seconds: 1.0, hold_seconds: 0.0, storm_keys: 0"
SECRET = "sesame-open"


def command(root: Path) -> Told:
    """What a script wrote down of its standard input."""
    path = root / "paged"
    alerts = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(alert["id"], alert["state"]) for alert in alerts]


def syslog(out: Path, facility: int) -> Told:
    """What rsyslog wrote down of one sink's messages."""
    found = [line for line in lines(out) if int(line[0]) // 8 == facility]
    return [(line[3].partition('id="')[2].partition('"')[0], line[2]) for line in found]


def mails(server: MailServer) -> Told:
    """What people read."""
    came = list(server.mails)  # more may come at any moment
    ids = [re.search(r"^Alert: (\w{32})\r?$", mail.get_content(), re.MULTILINE) for mail in came]
    states = ["resolved" if mail["Subject"].startswith("Over: ") else "firing" for mail in came]
    return [(found[1] if found else "", state) for found, state in zip(ids, states, strict=True)]


def script(root: Path) -> Path:
    path = root / "page"
    path.write_text(f"#!/bin/sh\ncat >> {root}/paged\n")
    path.chmod(0o755)
    return path


def demand_all(site: Site, told: Told, name: str) -> None:
    """Every alert that the ledger has, and in its order; what came twice came at once."""
    wanted = [(alert["id"], alert["state"]) for alert in site.ledger_alerts()]
    assert list(dict.fromkeys(told)) == wanted, name
    assert len(told) <= len(wanted) + 1, name


@pytest.mark.timeout(300)
def test_whoever_is_told_is_told_all_of_it_over_a_kill(tmp_path: Path, models: Path) -> None:
    port, tls_port, mail_port = free_port(), free_port(), free_port()
    certify(tmp_path)
    urls = tmp_path / "people.urls"
    urls.write_text(f"mailto://127.0.0.1:{mail_port}?from=monitor@example.net&to=oncall@example.net\n")
    sinks = {
        "page": f"{{command: {{argv: ['{script(tmp_path)}']}}}}",
        "near": f"{{syslog: {{address: 'unix://{tmp_path}/log', facility: local0}}}}",
        "far": f"{{syslog: {{address: 'tls://127.0.0.1:{tls_port}', facility: local1, ca_file: '{tmp_path}/ca.pem', "
        f"cert_file: '{tmp_path}/client.pem'}}}}",
        "people": f"{{apprise: {{urls_file: '{urls}'}}}}",
    }
    with ExitStack() as stack:
        site = stack.enter_context(site_with(tmp_path / "site", models, sinks, alert=EPISODES))
        out = stack.enter_context(rsyslog(tmp_path, port, tls_port))
        site.start_and_wait()
        write(site, *(odd(f"h{number}") for number in range(5)))
        wait_for(lambda: len(command(tmp_path)) >= 2, "the first programs to be started")
        site.kill()
        write(site, *(odd(f"h{number}") for number in range(5, 10)))
        server = stack.enter_context(mail_server(port=mail_port))
        site.start_and_wait()
        found = {
            "page": lambda: command(tmp_path),
            "near": lambda: syslog(out, 16),
            "far": lambda: syslog(out, 17),
            "people": lambda: mails(server),
        }
        for name, told in found.items():
            wait_for(lambda told=told: len(set(told())) == 20, f"{name} to have ten alerts and their ends")  # type: ignore[misc]

        for name, told in found.items():
            demand_all(site, told(), name)
        assert site.stop() == 0


@pytest.mark.timeout(300)
def test_a_reload_with_urls_that_are_none_is_refused_and_no_secret_is_shown(tmp_path: Path, models: Path) -> None:
    urls = tmp_path / "people.urls"
    with receiving(Answer(403), Answer()) as chat:
        urls.write_text(f"json://anna:{SECRET}@127.0.0.1:{chat.port}/T0KEN-1234\n")
        sinks = {"people": f"{{apprise: {{urls_file: '{urls}'}}}}"}
        with site_with(tmp_path / "site", models, sinks) as site:
            site.start_and_wait()
            write(site, odd("h0"))
            chat.wait_for(2)
            other = tmp_path / "other.urls"
            other.write_text(f"nonsense://{SECRET}\n")
            site.config.write_text(site.config.read_text().replace(str(urls), str(other)))
            site.hang_up()
            wait_for(lambda: site.metric("config_last_reload_successful") == 0, "the configuration to be refused")
            write(site, odd("h1"))
            chat.wait_for(3)

            shown = (site.root / "daemon.log").read_text() + site.metrics()
            assert "people.urls:1 (json): Failed to send JSON" in shown
            assert "other.urls:1 (nonsense): is no URL that Apprise takes" in shown
            assert not any(secret in shown for secret in (SECRET, "T0KEN-1234", "anna"))
            assert site.stop() == 0
