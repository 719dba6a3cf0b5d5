"""A webhook's receiver gets each alert, signed, and is heard when it says no; secrets stay secret."""

from __future__ import annotations

import base64
import logging
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from monitor.app.demo import free_port
from monitor.core.clock import ManualClock
from monitor.core.delivery import GoneError, RefusedError, RetryLaterError
from monitor.core.errors import DataError, NoInputError, UnavailableError
from monitor.sinks import webhook
from tests.receiving import (
    Answer,
    Misbehaviour,
    Receiving,
    drip,
    drip_body,
    hang,
    misbehaving,
    nonsense,
    receiving,
    reset,
)
from tests.support_files import alert

FIRING = msgspec.json.encode(alert(1))
RESOLVED = msgspec.json.encode(alert(1, state="resolved"))
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
TOKEN = "t0ken-nobody-may-see"
PATH = "/hook/T000/B000/sesame"


@pytest.fixture
def peer() -> Iterator[Receiving]:
    with receiving() as server:
        yield server


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "hook.secret"
    path.write_text(SECRET + "\n")
    return path


def opened(url: str, clock: ManualClock | None = None, **options: Any) -> webhook.Webhook:
    return webhook.Webhook(configured(url=url, **options), clock or ManualClock())


def configured(**options: Any) -> webhook.Config:
    return webhook.Config.model_validate(options)


# -- requests --------------------------------------------------------------------------------------------------


def test_one_alert_a_call_is_posted_as_it_is_and_counted(peer: Receiving) -> None:
    sink = opened(peer.url + PATH)

    taken = sink.send([FIRING, RESOLVED])
    sink.send([RESOLVED])
    sink.close()

    assert taken == 1
    assert [request.body for request in peer.requests] == [FIRING, RESOLVED]
    assert {request.path for request in peer.requests} == {PATH}
    assert peer.requests[0].headers["content-type"] == "application/json"
    assert peer.requests[0].headers["user-agent"].startswith("aemonitor/")


def test_one_connection_serves_many_alerts(peer: Receiving) -> None:
    sink = opened(peer.url)

    for _ in range(3):
        sink.send([FIRING])
    sink.close()
    sink.close()

    assert len({request.connection for request in peer.requests}) == 1


def test_a_repetition_has_the_same_id_and_the_end_another_one(peer: Receiving) -> None:
    sink = opened(peer.url)

    for line in (FIRING, FIRING, RESOLVED):
        sink.send([line])

    ids = [request.headers["webhook-id"] for request in peer.requests]
    assert ids == [f"{1:032x}-firing", f"{1:032x}-firing", f"{1:032x}-resolved"]


def test_the_library_of_the_specification_accepts_the_signature(peer: Receiving, secret: Path) -> None:
    sink = opened(peer.url, ManualClock(time.time()), secret_file=str(secret))

    sink.send([FIRING])

    (request,) = peer.requests
    assert Verifier(SECRET).verify(request.body, dict(request.headers)) == msgspec.json.decode(FIRING)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(request.body + b" ", dict(request.headers))


def test_the_signature_of_the_published_example_is_the_published_one() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    made = webhook.signatures([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_replaced_both_sign_and_the_file_is_read_anew(peer: Receiving, secret: Path) -> None:
    sink = opened(peer.url, ManualClock(time.time()), secret_file=str(secret))
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()

    secret.write_text(f"{new}\n{SECRET}\n")
    sink.send([FIRING])

    (request,) = peer.requests
    for known in (new, SECRET):
        Verifier(known).verify(request.body, dict(request.headers))


def test_without_a_secret_there_is_no_signature(peer: Receiving) -> None:
    opened(peer.url).send([FIRING])

    assert "webhook-signature" not in peer.requests[0].headers


def test_token_and_headers_are_sent_and_a_new_token_counts_at_once(peer: Receiving, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    sink = opened(peer.url, token_file=str(token), headers={"X-Team": "storage"})

    sink.send([FIRING])
    token.write_text("another")
    sink.send([FIRING])

    assert [request.headers["authorization"] for request in peer.requests] == [f"Bearer {TOKEN}", "Bearer another"]
    assert peer.requests[0].headers["x-team"] == "storage"


def test_basic_authentication_reads_its_password_from_a_file(peer: Receiving, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame")

    opened(peer.url, username="ops", password_file=str(tmp_path / "password")).send([FIRING])

    expected = base64.b64encode(b"ops:open sesame").decode()
    assert peer.requests[0].headers["authorization"] == f"Basic {expected}"


def test_proxies_of_the_environment_are_not_used_and_a_configured_one_is(
    peer: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with receiving() as proxy:
        opened(peer.url).send([FIRING])
        opened(f"{peer.url}/direct", proxy=proxy.url).send([FIRING])

        assert len(peer.requests) == 1
        assert proxy.requests[0].path == f"{peer.url}/direct"


def test_a_format_has_its_media_type(peer: Receiving) -> None:
    opened(peer.url, format="cloudevents").send([FIRING])

    (request,) = peer.requests
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.json["data"] == msgspec.json.decode(FIRING)
    assert request.headers["webhook-id"] == request.json["id"]


def test_nothing_is_sent_for_nothing(peer: Receiving) -> None:
    assert opened(peer.url).send([]) == 0
    assert peer.requests == []


# -- answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_accepts(status: int) -> None:
    with receiving(Answer(status)) as peer:
        assert opened(peer.url).send([FIRING]) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (301, UnavailableError, "redirects are not followed"),
        (307, UnavailableError, "redirects are not followed"),
        (400, RefusedError, "HTTP 400"),
        (413, RefusedError, "HTTP 413"),
        (422, RefusedError, "HTTP 422"),
        (401, UnavailableError, "does not take these credentials; look at token_file"),
        (403, UnavailableError, "does not take these credentials"),
        (404, UnavailableError, "look at the path of the url"),
        (408, UnavailableError, "HTTP 408"),
        (410, GoneError, "wants no more alerts"),
        (429, UnavailableError, "HTTP 429"),
        (500, UnavailableError, "HTTP 500"),
        (503, UnavailableError, "HTTP 503"),
    ],
)
def test_every_other_answer_says_what_to_do(status: int, kind: type[UnavailableError], words: str) -> None:
    with receiving(Answer(status, {"Location": "http://127.0.0.1:1/elsewhere"})) as peer:
        sink = opened(peer.url + PATH)

        with pytest.raises(UnavailableError, match=words) as caught:
            sink.send([FIRING])

        assert type(caught.value) is kind
        assert len(peer.requests) == 1
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("999999999", 3600),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0),
        ("Wed, 01 Jan 2064 00:00:00 GMT", 3600),
    ],
)
def test_retry_after_is_heard_and_capped(status: int, retry_after: str, seconds: float) -> None:
    with receiving(Answer(status, {"Retry-After": retry_after})) as peer:
        sink = opened(peer.url, ManualClock(1_700_000_000.0))

        with pytest.raises(RetryLaterError, match=f"asked again in {seconds} seconds") as caught:
            sink.send([FIRING])

        assert caught.value.wait_seconds == seconds


@pytest.mark.parametrize("retry_after", ["soon", "-5", "1e9", "9" * 400, "Foo, 99 Bar 2023 25:61:61 GMT", ""])
def test_a_retry_after_that_makes_no_sense_is_none(retry_after: str) -> None:
    with receiving(Answer(503, {"Retry-After": retry_after})) as peer:
        with pytest.raises(UnavailableError, match=r"HTTP 503$") as caught:
            opened(peer.url).send([FIRING])

        assert type(caught.value) is UnavailableError


def test_a_failure_and_then_a_success_on_the_same_sink(peer: Receiving) -> None:
    peer.answers = [Answer(500), Answer(200)]
    sink = opened(peer.url)

    with pytest.raises(UnavailableError, match="HTTP 500"):
        sink.send([FIRING])

    assert sink.send([FIRING]) == 1
    assert peer.requests[0].headers["webhook-id"] == peer.requests[1].headers["webhook-id"]


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with receiving(Answer(200, {"Content-Length": str(1 << 40)}, b"x" * (1 << 20))) as peer:
        sink = opened(peer.url, timeout_seconds=5.0)

        assert sink.send([FIRING]) == 1
        assert sink.send([FIRING]) == 1


# -- receivers that misbehave ----------------------------------------------------------------------------------


def test_a_refused_connection_is_told_with_its_reason() -> None:
    sink = opened(f"http://127.0.0.1:{free_port()}{PATH}")

    with pytest.raises(UnavailableError, match=r"http://127.0.0.1:[0-9]+: cannot be reached: Connection refused$"):
        sink.send([FIRING])


def test_an_unknown_host_is_told_with_its_reason() -> None:
    with pytest.raises(UnavailableError, match=r"http://no-such-host.invalid: cannot be reached: .*[Nn]ame"):
        opened("http://no-such-host.invalid/").send([FIRING])


@pytest.mark.parametrize("behave", [hang, drip])
def test_who_does_not_answer_in_time_is_given_up(behave: Misbehaviour) -> None:
    with misbehaving(behave) as url, pytest.raises(UnavailableError, match=r"did not answer within 0.3 seconds"):
        opened(url + PATH, timeout_seconds=0.3).send([FIRING])


def test_an_answer_without_end_was_an_answer() -> None:
    clock = ManualClock()

    class Late(ManualClock):
        def monotonic(self) -> float:
            clock.advance(0.1)
            return clock.monotonic()

    with misbehaving(drip_body) as url:
        assert opened(url, Late(), timeout_seconds=1.0).send([FIRING]) == 1


@pytest.mark.parametrize("behave", [reset, nonsense])
def test_who_breaks_off_is_asked_again(behave: Misbehaviour) -> None:
    with misbehaving(behave) as url, pytest.raises(UnavailableError, match=r"127.0.0.1:[0-9]+: cannot be reached: "):
        opened(url + PATH).send([FIRING])


# -- TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def pem(authority: trustme.CA, tmp_path: Path, name: str = "ca.pem") -> str:
    authority.cert_pem.write_to_path(str(tmp_path / name))
    return str(tmp_path / name)


def test_a_receiver_vouched_for_by_its_own_authority_is_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    with receiving(tls=server_tls(authority)) as peer:
        sink = opened(peer.url, ca_file=pem(authority, tmp_path))

        assert [sink.send([FIRING]), sink.send([RESOLVED])] == [1, 1]
        assert len({request.connection for request in peer.requests}) == 1


def test_a_receiver_vouched_for_by_another_authority_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    with receiving(tls=server_tls(authority)) as peer:
        for ca_file in (pem(trustme.CA(), tmp_path, "wrong.pem"), None):
            with pytest.raises(UnavailableError, match=r"TLS: .*certificate.*look at ca_file"):
                opened(peer.url + PATH, ca_file=ca_file).send([FIRING])

        assert peer.requests == []


def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = pem(authority, tmp_path)
    with receiving(tls=server_tls(authority, "other.example")) as peer, pytest.raises(UnavailableError) as caught:
        opened(peer.url, ca_file=ca_file).send([FIRING])

    assert "TLS: IP address mismatch, certificate is not valid for '127.0.0.1'" in str(caught.value)


def test_a_client_certificate_opens_a_door_that_is_closed_without(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_tls(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    ca_file, mine = pem(authority, tmp_path), str(tmp_path / "mine.pem")
    authority.issue_cert("monitor.example").private_key_and_cert_chain_pem.write_to_path(mine)
    with receiving(tls=context) as peer:
        assert opened(peer.url, ca_file=ca_file, cert_file=mine).send([FIRING]) == 1
        with pytest.raises(UnavailableError, match=r"TLS|cannot be reached"):
            opened(peer.url, ca_file=ca_file).send([FIRING])


def test_plain_http_on_a_tls_port_is_told(authority: trustme.CA, tmp_path: Path) -> None:
    with receiving() as peer, pytest.raises(UnavailableError, match="TLS: "):
        opened(peer.url.replace("http", "https"), ca_file=pem(authority, tmp_path)).send([FIRING])


# -- configuration and secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://example.net/"}, "expected a URL such as"),
        ({"url": "https:///hook"}, "expected a URL such as"),
        ({"url": "https://example.net:99999/"}, "[Pp]ort"),
        ({"url": "https://example.net/a b"}, "expected a URL such as"),
        ({"url": f"https://ops:{TOKEN}@example.net/"}, "use `username` and `password_file`"),
        ({"headers": {"X Y": "z"}}, "letters, digits and dashes"),
        ({"headers": {"X-Y": "a\r\nHost: evil"}}, "characters that no header may have"),
        ({"username": "ops"}, "go together"),
        ({"username": "ops", "password_file": "a", "token_file": "b"}, "choose one"),
        ({"key_file": "a"}, "`key_file` needs `cert_file`"),
        ({"proxy": "socks5://127.0.0.1:1"}, "expected a proxy such as"),
        ({"timeout_seconds": 0.0}, "greater than 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        configured(**{"url": "https://example.net/", **options})


@pytest.mark.parametrize("text", ["sesame", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whsec_" + "QUJD" * 30])
def test_a_secret_that_is_none_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "hook.secret").write_text(text)

    with pytest.raises(DataError, match=r"hook.secret: not a webhook secret: expected whsec_ and 24 to 64") as caught:
        opened("http://127.0.0.1/", secret_file=str(tmp_path / "hook.secret"))

    assert len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"x" * 70_000, "too long"), (b"\xff\xfe", "not text"), (b"two\nlines", "more than one line")],
)
def test_a_token_that_cannot_be_sent_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(DataError, match=f"token_file names a file .*{words}"):
        opened("http://127.0.0.1/", token_file=str(tmp_path / "token"))


@pytest.mark.parametrize("option", ["secret_file", "token_file", "ca_file", "cert_file"])
def test_a_file_that_is_not_there_is_refused_before_the_first_alert(option: str) -> None:
    with pytest.raises(NoInputError, match="/no/such/file: there is no such file"):
        opened("https://127.0.0.1/", None, **{option: "/no/such/file"})


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, option: str) -> None:
    (tmp_path / "x.pem").write_text("no certificate")

    with pytest.raises(DataError, match=r"x.pem: cannot be used for TLS: "):
        opened("https://127.0.0.1/", None, **{option: str(tmp_path / "x.pem")})


def test_a_secret_that_disappears_is_waited_for(peer: Receiving, secret: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    sink = opened(peer.url, secret_file=str(secret), token_file=str(token))

    secret.unlink()
    with pytest.raises(UnavailableError, match=r"hook.secret: there is no such file"):
        sink.send([FIRING])
    secret.write_text(SECRET)
    token.unlink()
    with pytest.raises(UnavailableError, match="token: there is no such file"):
        sink.send([FIRING])
    token.write_text(TOKEN)

    assert sink.send([FIRING]) == 1
    assert len(peer.requests) == 1


def test_nothing_secret_is_logged_or_raised_whatever_happens(
    secret: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "token").write_text(TOKEN)
    options: dict[str, Any] = {
        "secret_file": str(secret),
        "token_file": str(tmp_path / "token"),
        "headers": {"X-Key": "k3y-hidden"},
    }
    echo = Answer(400, {"X-Echo": TOKEN}, f"{TOKEN} {SECRET} {PATH}".encode())
    messages: list[str] = []
    with receiving(echo, Answer(500), Answer(302), Answer(200)) as peer, misbehaving(nonsense) as other:
        sinks = [opened(f"{url}{PATH}?key=sesame", None, **options) for url in (peer.url, other)]
        for sink in [sinks[0]] * 4 + [sinks[1]]:
            try:
                sink.send([FIRING])
            except UnavailableError as error:
                messages += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]

    shown = "\n".join([*messages, caplog.text])
    assert len(messages) == 16
    for word in (TOKEN, SECRET, SECRET.removeprefix("whsec_"), "sesame", "k3y-hidden", PATH):
        assert word not in shown
