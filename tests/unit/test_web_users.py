"""Users and their passwords: who may ask, what guessing costs, and that nobody else pays for it."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.telemetry import Telemetry
from monitor.web import Server
from monitor.web.authentication import CHALLENGE
from monitor.web.passwords import ATTEMPTS, MOST_WAITING, Passwords, TooManyAttemptsError
from tests.support_web import HASH, SECRET, TLS, USERS, Site, ask, connect, serving, site, value

RIGHT = f"scraper:{SECRET}"
PATHS = ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/alerts", "/nothing"]
WEB = USERS


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt was asked about."""
    asked: list[bytes] = []
    checkpw = bcrypt.checkpw

    def counting(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return checkpw(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    return asked


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_a_password(server: Server, path: str) -> None:
    status, headers, body = ask(server, path)

    assert (status, headers["www-authenticate"]) == (401, CHALLENGE)
    assert body == "a user name and its password are needed\n"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_everything_is_served_with_one(server: Server, path: str) -> None:
    assert ask(server, path, user=RIGHT)[0] == 200


@pytest.mark.parametrize(
    "user", ["scraper:wrong", f"nobody:{SECRET}", "scraper:", ":", f"SCRAPER:{SECRET}", f"{RIGHT}x"]
)
def test_a_wrong_name_or_password_is_refused(server: Server, telemetry: Telemetry, user: str) -> None:
    assert ask(server, user=user)[0] == 401
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="password"}') == 1


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic ====", "Basic c2NyYXBlcg==", "Basic /w==", "Bearer abc", "Basic " + "A" * 9000],
)
def test_what_is_no_password_at_all_is_refused(server: Server, header: str) -> None:
    assert ask(server, headers={"Authorization": header})[0] == 401


def test_a_password_may_have_colons_and_any_bytes(tmp_path: Path) -> None:
    password = "a:ü:\0:" + "x" * 100
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    with serving(site(tmp_path, f"basic_auth_users: {{anna: {hashed}}}").web_config) as server:
        assert ask(server, user=f"anna:{password}")[0] == 200
        assert ask(server, user="anna:a")[0] == 401


def test_a_hash_of_htpasswd_is_understood(tmp_path: Path) -> None:
    with serving(site(tmp_path, USERS.replace("$2b$", "$2y$")).web_config) as server:
        assert ask(server, user=RIGHT)[0] == 200


def test_the_right_password_is_worked_out_once(server: Server, checks: list[bytes]) -> None:
    for _ in range(3):
        assert ask(server, user=RIGHT)[0] == 200
    assert ask(server, user="scraper:wrong")[0] == 401
    assert ask(server, user=RIGHT)[0] == 200

    assert checks == [SECRET.encode(), b"wrong"]


def test_unknown_names_are_worked_out_like_known_ones(server: Server, checks: list[bytes]) -> None:
    ask(server, user="nobody:guess")

    assert checks == [b"guess"]


def test_who_guesses_too_often_has_to_wait_and_the_scraper_has_not(
    server: Server, telemetry: Telemetry, checks: list[bytes]
) -> None:
    assert ask(server, user=RIGHT)[0] == 200

    answers = [ask(server, user=f"scraper:{guess}") for guess in range(ATTEMPTS.burst + 5)]

    statuses = [status for status, _, _ in answers]
    assert statuses == [401] * (ATTEMPTS.burst - 1) + [429] * 6
    assert 1 <= int(answers[-1][1]["retry-after"]) <= ATTEMPTS.interval
    assert len(checks) == ATTEMPTS.burst
    assert ask(server, user=RIGHT)[0] == 200
    assert value(telemetry, 'aemonitor_http_refusals_total{reason="attempts"}') == 6


def test_the_scraper_is_served_while_a_guess_is_worked_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(server, user=RIGHT)[0] == 200
    begun, over = threading.Event(), threading.Event()

    def slow(password: bytes, hashed: bytes) -> bool:
        begun.set()
        return not over.wait(30)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    guess = base64.b64encode(b"scraper:guess").decode()
    with connect(server) as guesser:
        guesser.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {guess}\r\n\r\n".encode())
        begun.wait(30)

        assert ask(server, user=RIGHT)[0] == 200
        over.set()
        assert guesser.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_only_some_wait_for_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: not over.wait(30))
    passwords = Passwords()

    async def crowded() -> None:
        users = {"scraper": HASH}
        waiting = [
            asyncio.ensure_future(passwords.right(users, "scraper", b"%d" % number, f"192.0.2.{number}"))
            for number in range(MOST_WAITING)
        ]
        await asyncio.sleep(0)  # each of them has asked
        with pytest.raises(TooManyAttemptsError, match=r"^1\.0$"):
            await passwords.right(users, "scraper", b"one more", "192.0.2.200")
        over.set()
        assert await asyncio.gather(*waiting) == [False] * MOST_WAITING

    asyncio.run(crowded())
    passwords.close()


def test_checks_that_wait_when_the_server_stops_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow(*_: bytes) -> bool:
        begun.set()
        return not over.wait(30)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    passwords = Passwords()

    async def stopped() -> list[object]:
        asked = [passwords.right({"scraper": HASH}, "scraper", guess, "192.0.2.1") for guess in (b"1", b"2")]
        waiting = [asyncio.ensure_future(one) for one in asked]
        await asyncio.to_thread(begun.wait, 30)
        passwords.close()
        over.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    running, waiting = asyncio.run(stopped())

    assert running is False
    assert isinstance(waiting, TooManyAttemptsError)


def test_a_browser_that_asks_for_many_things_at_once_is_one_check(server: Server, checks: list[bytes]) -> None:
    header = base64.b64encode(RIGHT.encode()).decode()
    request = f"HEAD /-/ready HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {header}\r\n\r\n".encode()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(6)]
        for client in clients:
            client.sendall(request)
        for client in clients:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")

    assert checks == [SECRET.encode()]


def test_no_moment_of_a_check_has_it_worked_out_again(checks: list[bytes]) -> None:
    passwords, users, secret = Passwords(), {"scraper": HASH}, SECRET.encode()

    async def asked_all_the_time() -> list[bool]:
        asks = [asyncio.ensure_future(passwords.right(users, "scraper", secret, "192.0.2.1"))]
        while not asks[0].done():  # at every step of the loop, the one at which the check ends among them
            await asyncio.sleep(0)
            asks.append(asyncio.ensure_future(passwords.right(users, "scraper", secret, "192.0.2.1")))
        return await asyncio.gather(*asks)

    assert all(asyncio.run(asked_all_the_time()))
    assert checks == [secret]
    passwords.close()


def test_passwords_are_neither_logged_nor_shown(server: Server, here: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        bodies = [ask(server, path, user=user)[2] for path in PATHS for user in (RIGHT, "scraper:hunter2", "x:y")]
        here.write("basic_auth_users: {scraper: hunter2}")
        server.refresh()

    for secret in (SECRET, "hunter2", HASH, base64.b64encode(RIGHT.encode()).decode()):
        assert not any(secret in text for text in [*bodies, caplog.text])


# -- who the user is -------------------------------------------------------------------------------------------


def named(_telemetry: Telemetry, _health: object, *, guards: list[Middleware]) -> Starlette:
    """An application that tells who asks."""

    async def who(request: Request) -> JSONResponse:
        return JSONResponse([request.user.is_authenticated, request.user.display_name])

    return Starlette(routes=[Route("/", who)], middleware=guards)


@pytest.mark.parametrize(("text", "user", "told"), [("", None, '[false,""]'), (USERS, RIGHT, '[true,"scraper"]')])
def test_handlers_are_told_who_asks(here: Site, text: str, user: str | None, told: str) -> None:
    here.write(text)
    with serving(here.web_config, build=named) as server:
        assert ask(server, "/", user=user)[2] == told


def test_the_holder_of_a_certificate_is_a_user(here: Site) -> None:
    here.write(f"{TLS.rstrip()[:-1]}, client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven}}")
    identity = here.authority.issue_cert("anna@example.org", common_name="anna")
    with serving(here.web_config, build=named) as server:
        assert ask(server, "/", tls=here.client(identity))[2] == '[true,"anna"]'
        assert ask(server, "/", tls=here.client())[2] == '[false,""]'


def test_with_users_a_certificate_alone_is_not_enough(here: Site) -> None:
    here.write(f"{TLS.rstrip()[:-1]}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}}\n{USERS}")
    trusted = here.client(here.authority.issue_cert("anna@example.org"))
    with serving(here.web_config, build=named) as server:
        assert ask(server, "/", tls=trusted)[0] == 401
        assert ask(server, "/", tls=trusted, user=RIGHT)[2] == '[true,"scraper"]'
