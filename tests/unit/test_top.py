"""``top`` shows what a real server says, as text only, and tells what keeps it from that."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from monitor.app.remote import Login, Remote, View, url_of
from monitor.cli.top import command
from monitor.cli.top_table import view
from monitor.core.config import ServerConfig
from monitor.core.errors import DataError, PermissionDeniedError, UnavailableError, UsageError
from monitor.web import Server
from tests.receiving import receiving
from tests.support_pages import Place, begun, hostile, over
from tests.support_web import SECRET


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.telemetry.stream("web")
    made.commit(begun(1), begun(2, severity="critical"), hostile(3), resolved=[over(1)])
    return made


def printed(found: View) -> str:
    console = Console(width=200, record=True, force_terminal=True)
    console.print(view(found))
    return console.export_text()


def test_streams_and_episodes_of_a_running_server_are_shown(place: Place) -> None:
    with place.serving(users=False) as server:
        found = Remote(server.url + "/", Login()).look()

    text = printed(found)
    assert [episode.state for episode in found.episodes] == ["firing", "firing", "resolved"]
    assert "aemonitor 1.2.3 · healthy" in text
    assert all(word in text for word in ("web", "records/s", found.episodes[0].id[:8], "resolved"))


def test_nothing_of_a_record_reaches_the_terminal_but_as_text(place: Place) -> None:
    with place.serving(users=False) as server:
        text = printed(Remote(server.url, Login()).look())

    assert "<script>alert(1)</script>" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def ask(server: Server, *arguments: str, password: str | None = None) -> tuple[int, str, BaseException | None]:
    environment = {"AEMONITOR_PASSWORD": password, "COLUMNS": "200"}
    done = CliRunner().invoke(command, ["--url", server.url, "--once", *arguments], env=environment)
    return done.exit_code, done.stdout, done.exception


def test_a_user_is_asked_for_where_there_are_users(place: Place, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    with place.serving() as server:
        nobody, wrong = ask(server), ask(server, "--user", "scraper", password="guess")
        from_file = ask(server, "--user", "scraper", "--password-file", str(tmp_path / "password"))

    assert isinstance(nobody[2], PermissionDeniedError)
    assert isinstance(wrong[2], PermissionDeniedError)
    assert "give --user and --password-file" in str(nobody[2])
    assert from_file[0] == 0
    assert "newest episodes" in from_file[1]


def test_what_keeps_it_from_that_is_told() -> None:
    with receiving() as other, pytest.raises(DataError, match=r"does not answer as this aemonitor does \(HTTP"):
        Remote(other.url, Login()).look()
    with pytest.raises(UnavailableError, match=r"does not answer: .*does the daemon run there"):
        Remote("http://127.0.0.1:1", Login()).look()


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9464", "http://127.0.0.1:9464"),
        (":80", "http://127.0.0.1:80"),
        ("[::]:80", "http://127.0.0.1:80"),
        ("[::1]:9", "http://[::1]:9"),
        ("monitor.example:9464", "http://monitor.example:9464"),
    ],
)
def test_the_address_is_that_of_the_configuration(listen: str, url: str) -> None:
    assert url_of(ServerConfig(listen=listen)) == url


@pytest.mark.parametrize("options", [{"listen": "none"}, {"listen": "127.0.0.1:0"}, {"web_config": "web.yaml"}])
def test_an_address_that_the_configuration_does_not_tell_is_asked_for(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"--url"):
        url_of(ServerConfig.model_validate(options))
