"""`aemonitor check` and the files that sinks and calendars name: what the daemon would not start with, all at once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.app.service_view import acting_as
from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.core.config import Config
from monitor.plugins import load_config
from monitor.plugins.startable import closed_files, obstacles

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
WIKI = "https://github.com/caronc/apprise/wiki"
SINKS = {
    "hook": "webhook: {url: 'https://example.net/', secret_file: '%s/hook.secret', ca_file: '%s/ca.pem'}",
    "people": "apprise: {urls_file: '%s/people.urls'}",
    "page": "command: {argv: ['%s/page']}",
    "away": "alertmanager: {urls: ['http://127.0.0.1:1'], token_file: '%s/token'}",
}
EVENTS = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR\n"
)


def configured(root: Path, sinks: Sequence[str] = (), calendar: str | None = None) -> Path:
    """A configuration whose files are those of ``root``."""
    (root / "app.log").touch()
    rule = f"alert: {{suppress: [{{name: moves, reason: r, calendar: '{root / calendar}'}}]}}" if calendar else ""
    text = [
        f"state_dir: {root}/state",
        "streams:",
        "  web:",
        f"    source: {{file_tail: {{include: ['{root}/app.log']}}}}",
        "    parser: json_lines",
        "    features: {a: numeric}",
        f"    {rule}",
        f"    sinks: [{', '.join(['out', *sinks])}]",
        "sinks:",
        f"  out: {{jsonl: {{path: '{root}/alerts.jsonl'}}}}",
        *(f"  {name}: {{{options.replace('%s', str(root))}}}" for name, options in SINKS.items()),
    ]
    file = root / "aemonitor.yaml"
    file.write_text("\n".join(text) + "\n")
    return file


def put(root: Path, **files: str) -> None:
    names = {"hook": "hook.secret", "people": "people.urls", "calendar": "c.ics", "page": "page"}
    for name, content in files.items():
        (root / names[name]).write_text(content)


def test_everything_that_cannot_be_used_is_told_and_the_exit_code_is_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, people="sesame://12345\n", page="#!/bin/sh\n")
    file = configured(tmp_path, ["hook", "people", "page"], "c.ics")

    assert execute(["check", str(file)]) == ExitCode.CONFIG

    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{file}: ").replace(str(tmp_path), "") for line in said] == [
        "sinks.hook: /hook.secret: there is no such file (secret_file)",
        f"sinks.people: /people.urls:1 (sesame): is no URL that Apprise takes: Unparseable URL …; see {WIKI}",
        "sinks.page: /page: this user may not execute it; chmod a+x /page, or change `argv`",
        "streams.web.alert.suppress[0].calendar: /c.ics: there is no such calendar",
        "aemonitor: 4 problems in /aemonitor.yaml",
    ]


def test_what_is_there_and_right_is_fine_and_nothing_is_written(tmp_path: Path) -> None:
    put(tmp_path, people="json://127.0.0.1:1\n", page="#!/bin/sh\n", calendar=EVENTS)
    (tmp_path / "page").chmod(0o755)
    file = configured(tmp_path, ["people", "page"], "c.ics")
    before = sorted(tmp_path.rglob("*"))

    assert execute(["check", str(file)]) == ExitCode.OK
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("mode", "who"), [(0o604, "everybody"), (0o600, "")])
def test_a_secret_that_others_may_read_is_a_warning(
    tmp_path: Path, mode: int, who: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, people="json://127.0.0.1:1\n")
    (tmp_path / "people.urls").chmod(mode)

    assert execute(["check", str(configured(tmp_path, ["people"]))]) == ExitCode.OK

    said = capsys.readouterr().err
    told = f"sinks.people.apprise.urls_file: {tmp_path}/people.urls may be read by {who}; `chmod 600`"
    assert (told in said, "may be read by" in said) == (bool(who), bool(who))


def test_a_calendar_that_is_none_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, calendar="BEGIN:VCALENDAR\nnonsense")

    assert execute(["check", "--json", str(configured(tmp_path, calendar="c.ics"))]) == ExitCode.CONFIG

    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["key_path"] == "streams.web.alert.suppress[0].calendar"
    assert "c.ics: this is not an iCalendar file" in problem["message"]


def test_a_directory_that_is_missing_for_alerts_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = configured(tmp_path)
    file.write_text(file.read_text().replace("/alerts.jsonl", "/no/alerts.jsonl"))

    assert execute(["check", str(file)]) == ExitCode.OK
    assert f"sinks.out: the directory {tmp_path}/no does not exist; create it" in capsys.readouterr().err


def test_sinks_that_nobody_uses_and_offline_look_at_no_file(tmp_path: Path) -> None:
    assert execute(["check", str(configured(tmp_path))]) == ExitCode.OK
    assert execute(["check", "--offline", str(configured(tmp_path, ["hook"], "c.ics"))]) == ExitCode.OK


def open_to_all(directory: Path) -> None:
    """Let everybody look into it; how many directories there are above depends on how many processes run the tests."""
    above = [each for each in directory.parents if each.is_relative_to(tempfile.gettempdir())][:-1]
    for each in (directory, *above):
        each.chmod(0o755)


@as_root
def test_what_a_user_may_not_read_is_a_warning_with_the_cure(tmp_path: Path) -> None:
    put(tmp_path, hook="x", people="x", calendar=EVENTS)
    for name in ("hook.secret", "people.urls", "c.ics"):
        (tmp_path / name).chmod(0o600)
    open_to_all(tmp_path)
    config: Config = load_config(configured(tmp_path, ["people"], "c.ics"))

    with acting_as("nobody", []):
        found, rest = list(closed_files(config)), list(obstacles(config))

    assert [problem.key_path for problem in found] == [
        "sinks.people.apprise.urls_file",
        "streams.web.alert.suppress[0].calendar",
    ]
    urls = tmp_path / "people.urls"
    assert found[0].message == f"user nobody may not read {urls}; allow it with `setfacl -m u:nobody:rX {urls}`"
    assert rest == []


@as_root
def test_a_directory_that_hides_a_secret_is_named(tmp_path: Path) -> None:
    put(tmp_path, people="x")
    open_to_all(tmp_path)
    tmp_path.chmod(0o700)
    config = load_config(configured(tmp_path, ["people"]))

    with acting_as("nobody", []):
        (found,) = closed_files(config)

    assert found.message.startswith(f"user nobody may not look into {tmp_path}, so not read {tmp_path}/people.urls; ")
