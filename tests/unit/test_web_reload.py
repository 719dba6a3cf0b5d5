"""Certificates, users and addresses change while the server runs; what is wrong changes nothing."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest

from monitor.core.clock import ManualClock
from monitor.core.errors import ConfigError, UnavailableError
from monitor.runtime.plan import ServerPlan
from monitor.runtime.serving import Serving
from monitor.telemetry import Telemetry
from monitor.web import Health, Server
from tests.support_web import SECRET, TLS, USERS, Site, ask, connect, serving, site, value

RIGHT = f"scraper:{SECRET}"
EXPIRY = "aemonitor_web_certificate_expiry_timestamp_seconds"
LAST = "aemonitor_web_config_last_reload_successful"
WEB = TLS + USERS


def reloads(telemetry: Telemetry) -> list[float]:
    """Successes, failures, and whether the last one was a success."""
    counts = (value(telemetry, f'aemonitor_web_config_reloads_total{{result="{r}"}}') for r in ("success", "failure"))
    return [*counts, value(telemetry, LAST)]


def serial(server: Server, here: Site) -> str:
    """Which certificate new connections get."""
    with here.client().wrap_socket(connect(server), server_hostname="localhost") as client:
        certificate = client.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def test_new_handshakes_get_the_new_certificate_and_open_connections_stay(
    server: Server, here: Site, telemetry: Telemetry
) -> None:
    first = serial(server, here)
    with here.client().wrap_socket(connect(server), server_hostname="localhost") as old:
        here.certify()
        server.refresh()

        assert serial(server, here) != first
        old.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert old.recv(4096).startswith(b"HTTP/1.1 401 ")
    assert reloads(telemetry) == [1, 0, 1]


def test_a_certificate_that_comes_before_its_key_waits_for_it(server: Server, here: Site, telemetry: Telemetry) -> None:
    first = serial(server, here)
    old_key = (here.directory / "web.key").read_bytes()
    here.certify()
    new_key = (here.directory / "web.key").read_bytes()
    (here.directory / "web.key").write_bytes(old_key)

    server.refresh()
    server.refresh()
    between = [serial(server, here), *reloads(telemetry)]
    (here.directory / "web.key").write_bytes(new_key)
    server.refresh()

    assert between == [first, 0, 1, 0]
    assert serial(server, here) != first
    assert reloads(telemetry) == [1, 1, 1]


def test_users_change_with_the_next_request(server: Server, here: Site, telemetry: Telemetry) -> None:
    trusting = here.client()
    assert ask(server, tls=trusting, user=RIGHT)[0] == 200
    new = bcrypt.hashpw(b"battery staple", bcrypt.gensalt(4)).decode()

    here.write(f"{TLS}basic_auth_users: {{scraper: {new}}}")
    server.refresh()

    assert ask(server, tls=trusting, user=RIGHT)[0] == 401
    assert ask(server, tls=trusting, user="scraper:battery staple")[0] == 200
    here.write(f"{TLS}basic_auth_users: {{other: {new}}}")
    server.refresh()
    assert ask(server, tls=trusting, user="scraper:battery staple")[0] == 401
    assert ask(server, tls=trusting, user="other:battery staple")[0] == 200


@pytest.mark.parametrize("change", ["wrong", "gone", "certificate gone"])
def test_what_is_wrong_leaves_everything_as_it_was(
    server: Server, here: Site, telemetry: Telemetry, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    if change == "wrong":
        here.write(TLS + "basic_auth_user: {}\n")
    else:
        (here.web_config if change == "gone" else here.directory / "web.crt").unlink()

    for _ in range(3):
        server.refresh()

    assert reloads(telemetry) == [0, 1, 0]
    assert [record.msg for record in caplog.records] == ["web_config_refused"]
    assert ask(server, tls=here.client())[0] == 401
    assert ask(server, tls=here.client(), user=RIGHT)[0] == 200
    here.write(TLS + USERS + "\n")
    here.certify()
    server.refresh()
    assert reloads(telemetry) == [1, 1, 1]


def test_a_file_that_is_named_before_it_is_there_is_taken_up_when_it_comes(
    server: Server, here: Site, telemetry: Telemetry
) -> None:
    first = serial(server, here)
    here.write(TLS.replace("web.crt", "new.crt"))
    for _ in range(3):
        server.refresh()
    before = reloads(telemetry)

    here.certify()
    shutil.copy(here.directory / "web.crt", here.directory / "new.crt")
    server.refresh()

    assert before == [0, 1, 0]
    assert serial(server, here) != first
    assert reloads(telemetry) == [1, 1, 1]


def test_what_has_not_changed_is_not_read_again(server: Server, telemetry: Telemetry) -> None:
    for _ in range(3):
        server.refresh()

    assert reloads(telemetry) == [0, 0, 1]


def test_tls_comes_and_goes(server: Server, here: Site, telemetry: Telemetry) -> None:
    here.write(USERS)
    server.refresh()

    assert server.url.startswith("http://")
    status, headers, _ = ask(server, user=RIGHT)
    assert status == 200
    assert "strict-transport-security" not in headers
    assert value(telemetry, EXPIRY) == float("inf")
    here.write(TLS)
    server.refresh()
    assert ask(server, tls=here.client())[0] == 200


def test_the_expiry_of_the_certificate_is_a_metric(tmp_path: Path, telemetry: Telemetry) -> None:
    here = site(tmp_path, TLS)
    end = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    certificate = here.authority.issue_cert("localhost", not_after=end)
    certificate.private_key_pem.write_to_path(tmp_path / "web.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "web.crt")

    with serving(here.web_config, telemetry):
        assert value(telemetry, EXPIRY) == end.timestamp()


# -- a changed configuration of the program itself -------------------------------------------------------------


@pytest.fixture
def service(telemetry: Telemetry) -> Iterator[Serving]:
    made = Serving(telemetry, Health(ManualClock()))
    yield made
    made.stop()
    made.stop()


def serve(service: Serving, plan: ServerPlan | None) -> str:
    service.prepare(plan)
    service.change_over()
    return service.url or ""


def reached(url: str, context: ssl.SSLContext | None = None) -> bool:
    host, _, port = url.partition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=30) as plain:
            if context:
                context.wrap_socket(plain, server_hostname="localhost").close()
    except OSError:
        return False
    return True


def test_another_address_takes_the_place_of_the_old_one(service: Serving) -> None:
    first = serve(service, ServerPlan("127.0.0.1:0"))

    second = serve(service, ServerPlan("127.0.0.2:0"))

    assert reached(second)
    assert not reached(first)
    assert serve(service, None) == ""
    assert not reached(second)
    assert reached(serve(service, ServerPlan("127.0.0.1:0")))


def test_an_address_that_is_taken_changes_nothing(service: Serving) -> None:
    first = serve(service, ServerPlan("127.0.0.1:0"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = ServerPlan(f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UnavailableError, match="another process uses this address"):
            service.prepare(busy)

    service.discard()
    assert reached(first)
    assert serve(service, ServerPlan("127.0.0.1:0")) == first


def test_what_was_prepared_and_not_wanted_gives_its_address_back(service: Serving) -> None:
    first = serve(service, ServerPlan("127.0.0.1:0"))
    with socket.create_server(("127.0.0.2", 0)) as free:
        port = free.getsockname()[1]

    service.prepare(ServerPlan(f"127.0.0.2:{port}"))
    service.discard()

    assert reached(first)
    socket.create_server(("127.0.0.2", port)).close()


def test_another_web_configuration_is_taken_up_at_the_same_address(service: Serving, here: Site) -> None:
    first = serve(service, ServerPlan("127.0.0.1:0"))

    second = serve(service, ServerPlan("127.0.0.1:0", here.web_config))

    assert second == first.replace("http:", "https:")
    assert reached(second, here.client())


def test_a_wrong_web_configuration_is_refused_before_anything_changes(service: Serving, here: Site) -> None:
    first = serve(service, ServerPlan("127.0.0.1:0", here.web_config))
    other = here.directory / "other.yaml"
    shutil.copy(here.web_config, other)
    other.write_text("tls: {}")

    with pytest.raises(ConfigError, match=r"other\.yaml:1:1: tls: unknown key 'tls'"):
        service.prepare(ServerPlan("127.0.0.1:0", other))

    assert serve(service, ServerPlan("127.0.0.1:0", here.web_config)) == first
    assert reached(first, here.client())


def test_a_change_of_the_web_configuration_is_noticed(service: Serving, here: Site, telemetry: Telemetry) -> None:
    serve(service, ServerPlan("127.0.0.1:0", here.web_config))

    here.write(USERS)
    service.refresh()

    assert (service.url or "").startswith("http://")
    assert reloads(telemetry) == [1, 0, 1]
