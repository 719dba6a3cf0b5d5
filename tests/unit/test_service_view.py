"""`aemonitor check --service`: what another user cannot read, and what the sandbox hides, with the cure."""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app import service_view, units
from monitor.app.service_view import acting_as, service_problems
from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.core.config import Config
from monitor.core.errors import PermissionDeniedError, UnavailableError
from monitor.plugins import load_config_text

NOBODY = pwd.getpwuid(65534).pw_name
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")

STATE, ALERTS = "/nowhere/state", "/nowhere/alerts.jsonl"
"""Below what systemd makes, as these tests have it."""

TEXT = """\
state_dir: {state}
streams:
  web:
    source: {{file_tail: {{include: ['{log}']}}}}
    parser: json_lines
    features: {{a: numeric}}
    sinks: [out]
sinks:
  out: {{jsonl: {{path: '{alerts}'}}}}
"""


def config(log: object, state: str = STATE, alerts: str = ALERTS) -> Config:
    return load_config_text(TEXT.format(log=log, state=state, alerts=alerts), "f", {})


@pytest.fixture
def log() -> Iterator[Path]:
    """A log of root's in a directory everyone may enter, which those that pytest makes are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = Path(directory) / "app.log"
        path.write_text("{}\n")
        yield path


@pytest.fixture
def seen_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the units ran as nobody with the group daemon, and hid nothing: temporary files are below /tmp."""
    monkeypatch.setattr(service_view, "MADE", ("/nowhere",))
    settings = {"User": [NOBODY], "SupplementaryGroups": ["daemon"]}
    monkeypatch.setattr(service_view, "setting", lambda _file, key: settings.get(key, []))


@as_root
@pytest.mark.usefixtures("seen_by_nobody")
def test_a_log_that_the_service_may_not_read_is_named_with_user_and_cure(log: Path) -> None:
    log.chmod(0o600)

    (found,) = service_problems(config(log), {})

    assert found.key_path == "streams.web.source"
    assert found.message == (f"user {NOBODY} may not read {log}; allow it with `setfacl -m u:{NOBODY}:rX {log}`")


@as_root
@pytest.mark.usefixtures("seen_by_nobody")
def test_a_log_that_a_group_of_the_service_may_read_is_fine(log: Path) -> None:
    os.chown(log, 0, grp.getgrnam("daemon").gr_gid)
    log.chmod(0o640)

    assert service_problems(config(log), {}) == []


@as_root
@pytest.mark.usefixtures("seen_by_nobody")
def test_a_directory_that_the_service_may_not_enter_is_named(log: Path) -> None:
    log.parent.chmod(0o700)

    (found,) = service_problems(config(log), {})

    assert f"user {NOBODY} may not look into {log.parent}" in found.message


@as_root
def test_after_the_look_everything_is_as_before() -> None:
    before = os.geteuid(), os.getegid(), sorted(os.getgroups())

    with acting_as(NOBODY, ["daemon"]):
        assert os.geteuid() == 65534
        assert grp.getgrnam("daemon").gr_gid in os.getgroups()

    assert (os.geteuid(), os.getegid(), sorted(os.getgroups())) == before


@pytest.mark.parametrize(
    ("place", "setting"),
    [("/home/ann/app.log", "ProtectHome=read-only"), ("/root/*.log", "ProtectHome=read-only"),
     ("/tmp/app.log", "PrivateTmp=no")],
)  # fmt: skip
@pytest.mark.usefixtures("own_user")
def test_what_the_sandbox_hides_is_said_with_the_setting_that_shows_it(place: str, setting: str) -> None:
    (found,) = service_problems(config(place), {})

    assert found.key_path == "streams.web.source"
    assert f"the service does not see {place}" in found.message
    assert setting in found.message


@pytest.mark.usefixtures("own_user")
def test_what_the_sandbox_hides_of_sinks_and_calendars_is_said_too() -> None:
    rule = "{name: moves, reason: r, calendar: /root/c.ics}"
    sinks = "{command: {argv: [/home/ann/page]}}", "{webhook: {url: 'http://x/', secret_file: /home/ann/hook.secret}}"
    text = TEXT.format(log="/var/log/x", state=STATE, alerts=ALERTS).replace("[out]", "[out, page, hook]")
    text = text.replace("{a: numeric}", f"{{a: numeric}}\n    alert: {{suppress: [{rule}]}}")

    found = service_problems(load_config_text(f"{text}  page: {sinks[0]}\n  hook: {sinks[1]}\n", "f", {}), {})

    assert [problem.key_path for problem in found if "does not see" in problem.message] == [
        "sinks.page.command.argv",
        "sinks.hook.webhook.secret_file",
        "streams.web.alert.suppress[0].calendar",
    ]


@pytest.mark.usefixtures("own_user")
def test_places_that_the_service_may_not_write_to_are_said(log: Path) -> None:
    found = service_problems(config("/no/x.log", "/srv/state", "/var/log/alerts.jsonl"), {})

    assert [problem.key_path for problem in found] == ["streams.web.source", "sinks.out", "state_dir"]
    assert found[1].message == (
        "the service may not write to /var/log/alerts.jsonl (ProtectSystem=strict): choose a place below /nowhere, "
        "or `systemctl edit` the unit: ReadWritePaths=/var/log"
    )


@pytest.fixture
def own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox as shipped, but of the user who runs the tests."""
    monkeypatch.setattr(service_view, "MADE", ("/nowhere",))
    own = [pwd.getpwuid(os.geteuid()).pw_name]
    monkeypatch.setattr(service_view, "setting", lambda file, key: own if key == "User" else units.setting(file, key))


def test_a_user_that_is_not_there_yet_is_named_with_the_cure() -> None:
    expected = "there is no user no-such-user yet; `aemonitor systemd install` makes it"
    with pytest.raises(UnavailableError, match=expected), acting_as("no-such-user", []):
        pass


def test_only_root_can_look_as_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    expected = f"only root can look as user {NOBODY} does: run it with sudo"
    with pytest.raises(PermissionDeniedError, match=expected), acting_as(NOBODY, []):
        pass


@pytest.mark.usefixtures("own_user")
def test_check_warns_of_what_the_service_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(TEXT.format(log="/home/ann/x.log", state=STATE, alerts=ALERTS))

    assert execute(["check", "--service", str(file)]) == ExitCode.OK
    assert "warning" in (said := capsys.readouterr().err)
    assert "the service does not see /home/ann/x.log (ProtectHome=yes)" in said


def test_looking_and_not_looking_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--service", "--offline", str(tmp_path)]) == ExitCode.USAGE
    assert "--service looks at files, --offline does not: give one of them" in capsys.readouterr().err


@as_root
@pytest.mark.usefixtures("seen_by_nobody")
def test_what_belongs_to_somebody_else_below_the_directories_that_systemd_gives_is_said(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_view, "MADE", (str(log.parent),))
    given, strange = log.parent / "state", log.parent / "alerts.jsonl"
    strange.touch(0o600)

    found = service_problems(config(log, str(given), str(strange)), {})

    assert [problem.key_path for problem in found] == ["sinks.out"]
    assert f"user {NOBODY} may not write to {strange}" in found[0].message
