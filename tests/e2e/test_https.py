"""A running daemon is given TLS and users, a new certificate, a mistake, another address; it monitors on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.support import Site, need, wait_for
from tests.e2e.traffic import lines, trained
from tests.support_web import SECRET, TLS, USERS
from tests.support_web import Site as Web
from tests.support_web import site as web_site

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def site(tmp_path: Path, models: Path) -> Iterator[Site]:
    made = trained(tmp_path, models)
    yield made
    made.close()


@pytest.fixture
def web(site: Site) -> Web:
    """The files, beside the configuration, which does not name them yet."""
    return web_site(site.root, TLS + USERS)


def curl(site: Site, path: str, *options: str) -> str:
    """What a careful client gets; empty when it gets nothing."""
    url = site.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
    command = [need("curl"), "-sS", "--cacert", str(site.root / "ca.pem"), *options, url + path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def scrape(site: Site) -> str:
    return curl(site, "/metrics", "-u", f"scraper:{SECRET}")


def reconfigure(site: Site, before: str, after: str) -> None:
    text = site.config.read_text()
    assert before in text
    site.config.write_text(text.replace(before, after, 1))
    site.hang_up()


def test_a_daemon_takes_up_protection_while_it_runs(site: Site, web: Web) -> None:
    site.start_and_wait()
    site.log.write_bytes(lines(30))
    wait_for(lambda: site.metric("records_scored_total") == 30, "the first records")

    reconfigure(site, "server: {", "server: {web_config: web.yaml, ")
    wait_for(lambda: "aemonitor_records_scored_total" in scrape(site), "TLS")
    assert curl(site, "/-/ready") == "a user name and its password are needed\n"
    assert curl(site, "/-/ready", "-u", f"scraper:{SECRET}") == "ready\n"

    web.certify("localhost", "monitor.example.org")
    taken_up = 'aemonitor_web_config_reloads_total{result="success"} 1.0'
    wait_for(lambda: taken_up in scrape(site), "a new certificate")

    web.write(TLS + "basic_auth_users: {scraper: plain}\n")
    wait_for(lambda: "aemonitor_web_config_last_reload_successful 0.0" in scrape(site), "the refusal")

    web.write(TLS)
    wait_for(lambda: curl(site, "/-/ready") == "ready\n", "the users to go")

    old = site.url.rpartition(":")[2]
    site.url = f"http://127.0.0.1:{free_port()}"
    reconfigure(site, f":{old}'", f":{site.url.rpartition(':')[2]}'")
    wait_for(lambda: curl(site, "/-/ready") == "ready\n", "the other address")

    with site.log.open("ab") as log:
        log.write(lines(30, 30))
    wait_for(lambda: 'aemonitor_records_scored_total{stream="web"} 60.0' in curl(site, "/metrics"), "the other records")
    assert site.stop() == 0
    log_text = (site.root / "daemon.log").read_text()
    assert "web.yaml:2:29: basic_auth_users.scraper: expected a bcrypt hash" in log_text
    assert SECRET not in log_text
    assert "plain" not in log_text


def test_a_wrong_web_configuration_stops_the_start(site: Site, web: Web) -> None:
    site.config.write_text(site.config.read_text().replace("server: {", "server: {web_config: web.yaml, "))
    web.write("tls_server_config: {}\n")

    site.start()

    assert site.daemon is not None
    assert site.daemon.wait(60) == 78
    assert (
        "web.yaml:1:1: tls_server_config.cert_file: the required key 'cert_file' is missing"
        in (site.root / "daemon.log").read_text()
    )
