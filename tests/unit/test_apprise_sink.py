"""People are told by mail and chat: real servers take what Apprise sends, and no secret of a URL is ever shown."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from pydantic import ValidationError

from monitor.core.alerts import EpisodeRef, FieldFinding
from monitor.core.clock import SystemClock
from monitor.core.errors import DataError, NoInputError, UnavailableError
from monitor.sinks import apprise
from tests.mail_server import mail_server
from tests.receiving import Answer, hang, misbehaving, receiving
from tests.support_files import alert

SECRET = "sesame!open"
FIELDS = (
    FieldFinding("level", 900.0, 28.1, "20 to 36", 0.9, "far above"),
    FieldFinding("mode", "z", None, "", 0.1, "new"),
)
FIRING = msgspec.structs.replace(
    alert(1),
    summary="level of 10.0.0.7 is odd",
    key="10.0.0.7",
    fields=FIELDS,
    count=4,
    episode=EpisodeRef(f"{1:032x}", "2026-11-22T03:00:00Z", "2026-11-22T03:10:00Z", 3.5),
)
RESOLVED = msgspec.structs.replace(FIRING, state="resolved", summary="web 10.0.0.7: quiet again")


def opened(tmp_path: Path, *urls: str, **options: Any) -> apprise.People:
    path = tmp_path / "urls"
    path.write_text("\n".join(["# who is told", *urls, ""]))
    return apprise.People(apprise.Config.model_validate({"urls_file": str(path), **options}), SystemClock())


def mailto(port: int, user: str = "", scheme: str = "mailto") -> str:
    return f"{scheme}://{user}127.0.0.1:{port}?from=monitor@example.net&to=oncall@example.net"


def sent(sink: apprise.People, *alerts: Any) -> int:
    return sink.send([msgspec.json.encode(one) for one in alerts])


# -- what people read ------------------------------------------------------------------------------------------


def test_a_mail_says_what_is_odd_and_where_to_look(tmp_path: Path) -> None:
    with mail_server() as server:
        taken = sent(opened(tmp_path, mailto(server.port), link="https://mon/alerts/{id}"), FIRING)

    (mail,) = server.mails
    assert taken == 1
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "Warning: anomaly in web, 10.0.0.7",
        "monitor@example.net",
        "oncall@example.net",
    )
    assert mail.get_content().splitlines() == [
        "level of 10.0.0.7 is odd",
        "",
        "level: 900.0, expected 28.1 (benign 20 to 36): far above",
        "mode: z: new",
        "When: 2026-11-22T03:00:00Z to 2026-11-22T03:10:00Z",
        "Records: 4",
        "Score: 3.5, limit 1",
        "Source: /var/log/x, byte 1",
        "",
        "Host: h",
        f"Alert: {1:032x}",
        f"https://mon/alerts/{1:032x}",
    ]


def test_the_end_is_told_as_an_end(tmp_path: Path) -> None:
    with receiving() as chat:
        sink = opened(tmp_path, f"json://127.0.0.1:{chat.port}/hook")
        for one in (msgspec.structs.replace(FIRING, severity="critical"), RESOLVED):
            assert sent(sink, one) == 1

    told = [(request.json["title"], request.json["type"]) for request in chat.requests]
    assert told == [
        ("Critical: anomaly in web, 10.0.0.7", "failure"),
        ("Over: anomaly in web, 10.0.0.7", "success"),
    ]
    assert chat.requests[1].json["message"].startswith("web 10.0.0.7: quiet again\n\nlevel: 900.0, expected")


def test_what_a_record_says_makes_no_header_and_no_line(tmp_path: Path) -> None:
    evil = "x\r\nBcc: all@example.net\r\n\r\n\x1b[2J" + "y" * 100_000
    with mail_server() as server:
        sent(opened(tmp_path, mailto(server.port)), msgspec.structs.replace(FIRING, key=evil, summary=evil))

    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith(r"Warning: anomaly in web, x\r\nBcc: all@example.net\r\n\r\n\x1b[2Jyyy")
    assert len(mail["Subject"]) <= 120
    assert len(mail.get_content()) < 2_000


def test_each_alert_is_a_message_and_nothing_is_none(tmp_path: Path) -> None:
    with receiving() as chat:
        sink = opened(tmp_path, f"json://127.0.0.1:{chat.port}")

        assert sink.send([]) == 0
        assert sent(sink, FIRING, RESOLVED) == 1
        assert len(chat.requests) == 1
        sink.close()


# -- who is told -----------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Of a server whose certificate an authority of our own signed, which is in ``ca.pem``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_password_and_tls_with_an_authority_of_ones_own(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with mail_server(user=("anna", SECRET), tls=tls) as server:
        url = mailto(server.port, "anna:sesame%21open@", "mailtos")
        with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            sent(opened(tmp_path, url), FIRING)

        assert sent(opened(tmp_path, url, ca_file=str(tmp_path / "ca.pem")), FIRING) == 1
        assert len(server.mails) == 1


def test_who_has_it_is_not_told_again_while_another_one_fails(tmp_path: Path) -> None:
    with receiving() as first, receiving(Answer(503), Answer(200)) as second:
        sink = opened(tmp_path, *(f"json://127.0.0.1:{one.port}" for one in (first, second)))
        with pytest.raises(UnavailableError, match=r"urls:3 \(json\)"):
            sent(sink, FIRING)

        assert sent(sink, FIRING) == 1
        assert (len(first.requests), len(second.requests)) == (1, 2)
        assert sent(sink, RESOLVED) == 1
        assert (len(first.requests), len(second.requests)) == (2, 3)


def test_the_file_is_read_anew_for_each_alert(tmp_path: Path) -> None:
    with receiving() as before, receiving() as now:
        sink = opened(tmp_path, f"json://127.0.0.1:{before.port}")
        (tmp_path / "urls").write_text(f"json://127.0.0.1:{now.port}")
        assert sent(sink, FIRING) == 1
        (tmp_path / "urls").unlink()
        with pytest.raises(UnavailableError, match="urls: there is no such file"):
            sent(sink, RESOLVED)

    assert (len(before.requests), len(now.requests)) == (0, 1)


# -- what goes wrong -------------------------------------------------------------------------------------------


def test_a_refused_text_is_told_without_what_the_record_says(tmp_path: Path) -> None:
    with mail_server("554 5.7.1 this is spam", "250 OK") as server:
        assert sent(opened(tmp_path, mailto(server.port)), FIRING) == 1

    assert "10.0.0.7" in server.refused[0].as_string()
    assert "10.0.0.7" not in server.mails[0].as_string()
    assert server.mails[0]["Subject"] == "Warning: anomaly in web"
    assert "`aemonitor alerts show 00000000` has it" in server.mails[0].get_content()


def test_a_wrong_password_is_told_with_the_answer_and_tried_again(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with mail_server(user=("anna", "another"), tls=tls) as server:
        url = mailto(server.port, "anna:sesame%21open@", "mailtos")
        sink = opened(tmp_path, url, ca_file=str(tmp_path / "ca.pem"))

        with pytest.raises(UnavailableError, match=r"urls:2 \(mailtos\): .*\(535, b'5.7.8 Authentication") as caught:
            sent(sink, FIRING)

        assert type(caught.value) is UnavailableError
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["mailto", "json"])
def test_nobody_there_is_told_without_a_secret(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://anna:sesame%21open@127.0.0.1:1/T0KEN/B0KEN?from=a@example.net&to=b@example.net&key=k3y5ecret"

    with pytest.raises(UnavailableError, match=r"Connection error.*Connection refused") as caught:
        sent(opened(tmp_path, url), FIRING)

    assert not any(part in str(caught.value) for part in (SECRET, "sesame", "T0KEN", "B0KEN", "k3y5ecret", "anna"))


def test_who_hangs_is_given_up_in_time(tmp_path: Path) -> None:
    with misbehaving(hang) as url:
        port = int(url.rpartition(":")[2])

        with pytest.raises(UnavailableError, match=r"\(mailto\): took longer than 1.5 seconds"):
            sent(opened(tmp_path, mailto(port), timeout_seconds=1.5), FIRING)


def test_a_library_that_crashes_is_a_receiver_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as chat:
        sink = opened(tmp_path, f"json://127.0.0.1:{chat.port}/T0KEN5")
        broken = tmp_path / "broken" / "apprise"
        broken.mkdir(parents=True)
        (broken / "__init__.py").write_text("raise RuntimeError('no more: T0KEN5')\n")
        monkeypatch.syspath_prepend(str(broken.parent))

        with pytest.raises(UnavailableError, match=r"Apprise crashed: RuntimeError: no more: …$"):
            sent(sink, FIRING)


# -- what is refused before the first alert --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        (["nonsense://sesame"], r"urls:2 \(nonsense\): is no URL that Apprise takes: Unparseable URL …; see https"),
        (["sesame"], r"urls:2: is no URL that Apprise takes: "),
        (["json://127.0.0.1", "", "mailto://sesame"], r"urls:4 \(mailto\): is no URL"),
        ([], r"urls_file names a file with 0 URLs; expected 1 to 16, one a line"),
        (["json://127.0.0.1"] * 17, "a file with 17 URLs"),
    ],
)
def test_what_is_no_url_is_refused_at_once(tmp_path: Path, urls: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        opened(tmp_path, *urls)

    assert "sesame" not in str(caught.value)


def test_files_that_cannot_be_used_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"/no/such: there is no such file \(urls_file\)"):
        apprise.build(apprise.Config(urls_file="/no/such"))
    with pytest.raises(NoInputError, match="/no/such: there is no such file"):
        opened(tmp_path, "json://127.0.0.1", ca_file="/no/such")


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.core.extras.find_spec", lambda _name: None)

    with pytest.raises(
        UnavailableError, match=r"needs apprise, which is not installed; run: pip install 'aemonitor\[app"
    ):
        opened(tmp_path, "json://127.0.0.1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "urls_file"),
        ({"urls_file": "x", "timeout_seconds": 61.0}, "less than or equal to 60"),
        ({"urls_file": "x", "proxy": "socks://x"}, "expected a proxy such as"),
        ({"urls_file": "x", "link": "x"}, "expected a URL"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        apprise.Config.model_validate(options)
