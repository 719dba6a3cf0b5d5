"""What a newcomer types to protect the server: a hash for the web configuration, and the check of all of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import bcrypt
import pytest

from monitor.app.web_check import web_problems
from monitor.cli import execute
from monitor.core.config import Config
from monitor.core.errors import ConfigError
from monitor.plugins import load_config
from monitor.plugins.surroundings import doubts
from monitor.web import load_web_settings
from tests.support_web import HASH, TLS, USERS, Site, site

CONFIG = """
server: {{listen: "{listen}"{web}}}
streams:
  s: {{source: {{file_tail: {{include: [/dev/null]}}}}, parser: json_lines, features: {{a: numeric}}, sinks: [out]}}
sinks: {{out: {{jsonl: {{path: "-"}}}}}}
state_dir: {state_dir}
"""


@pytest.fixture
def here(tmp_path: Path) -> Site:
    made = site(tmp_path, TLS + USERS.replace("$04$", "$10$"))
    for name in ("web.yaml", "web.key"):
        (tmp_path / name).chmod(0o600)
    return made


def config(here: Site, *, listen: str = "127.0.0.1:0", web: bool = True) -> Path:
    path = here.directory / "aemonitor.yaml"
    web_config = ", web_config: web.yaml" if web else ""
    path.write_text(CONFIG.format(listen=listen, web=web_config, state_dir=here.directory))
    return path


def warnings(here: Site, path: Path) -> list[str]:
    checked: Config = load_config(path)
    found = [*doubts(checked), *web_problems(checked, here.directory, {})]
    return [f"{problem.key_path}: {problem.message}".replace(f"{here.directory}/", "") for problem in found]


# -- check -----------------------------------------------------------------------------------------------------


def test_a_safe_server_is_nothing_to_warn_of(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(config(here))]) == 0
    assert capsys.readouterr().err == ""


def test_the_web_configuration_is_checked_with_the_rest(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(here)
    here.write("basic_auth_user: {}")

    assert execute(["check", str(path)]) == 78
    said = capsys.readouterr().err
    assert "web.yaml:1:1: basic_auth_user: unknown key 'basic_auth_user'; did you mean 'basic_auth_users'?\n" in said
    assert execute(["check", str(path), "--json"]) == 78
    assert json.loads(capsys.readouterr().out)["file"] == str(here.web_config)
    assert execute(["check", str(path), "--offline"]) == 0


def test_a_web_configuration_that_is_not_there_is_told(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    here.web_config.unlink()

    assert execute(["check", str(config(here))]) == 66
    assert "web.yaml (`server.web_config`) cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (-2, "the certificate expired on {}: clients refuse it"),
        (3, "the certificate expires on {}; renew it, it is taken up without a restart"),
    ],
)
def test_a_certificate_that_runs_out_is_warned_of(here: Site, days: int, message: str) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    certificate = here.authority.issue_cert("localhost", not_before=end - timedelta(days=90), not_after=end)
    certificate.private_key_pem.write_to_path(here.directory / "web.key")
    certificate.cert_chain_pems[0].write_to_path(here.directory / "web.crt")

    assert warnings(here, config(here)) == [f"server.web_config: {message.format(f'{end:%Y-%m-%d %H:%M} UTC')}"]


def test_a_certificate_of_the_future_is_warned_of(here: Site) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    certificate = here.authority.issue_cert("localhost", not_before=begin, not_after=begin + timedelta(days=90))
    certificate.private_key_pem.write_to_path(here.directory / "web.key")
    certificate.cert_chain_pems[0].write_to_path(here.directory / "web.crt")

    (warning,) = warnings(here, config(here))

    assert f"the certificate is not valid before {begin:%Y-%m-%d %H:%M} UTC: clients refuse it until then" in warning


@pytest.mark.parametrize("name", ["web.key", "web.yaml"])
def test_secrets_that_everybody_may_read_are_warned_of(here: Site, name: str) -> None:
    (here.directory / name).chmod(0o644)

    assert warnings(here, config(here)) == [
        f"server.web_config: {name} may be read by everybody; `chmod 600`, or 640 with a group of the service alone"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to a group it is not in")
@pytest.mark.parametrize(("group", "who"), [(0, None), (54321, "group 54321")])
def test_secrets_of_a_group_are_warned_of_unless_it_is_one_user(here: Site, group: int, who: str | None) -> None:
    key = here.directory / "web.key"
    os.chown(key, -1, group)
    key.chmod(0o640)

    found = warnings(here, config(here))

    assert [f"web.key may be read by {who};" in warning for warning in found] == ([True] if who else [])


def test_cheap_and_unequal_hashes_are_warned_of(here: Site) -> None:
    here.write(f"basic_auth_users: {{anna: {HASH}, bert: {HASH.replace('$04$', '$12$')}}}")

    assert warnings(here, config(here)) == [
        "server.web_config: the password of anna has a hash of cost below 10",
        "server.web_config: the hashes differ in cost: the time of an answer tells which names exist",
    ]


@pytest.mark.parametrize("listen", [":9464", "0.0.0.0:9464", "monitor.example.org:9464"])
def test_a_server_that_anyone_reaches_is_warned_of(here: Site, listen: str) -> None:
    (warning,) = warnings(here, config(here, listen=listen, web=False))
    here.write("")
    (with_file,) = warnings(here, config(here, listen=listen))
    here.write(USERS.replace("$04$", "$10$"))
    (in_clear,) = warnings(here, config(here, listen=listen))

    assert warning.startswith("server.listen: whoever reaches this address may read the alerts with their raw records;")
    assert with_file.startswith("server.web_config: whoever reaches this address may read the alerts")
    assert in_clear == "server.web_config: passwords cross the network in clear; set tls_server_config, too"


@pytest.mark.parametrize("listen", ["localhost:9464", "[::1]:9464", "none"])
def test_a_server_for_this_machine_is_not(here: Site, listen: str) -> None:
    assert warnings(here, config(here, listen=listen, web=False)) == []


def test_client_certificates_are_protection_enough(here: Site) -> None:
    here.write(f"{TLS.rstrip()[:-1]}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}}")

    assert warnings(here, config(here, listen=":9464")) == []


# -- web-password ----------------------------------------------------------------------------------------------


def test_the_line_that_is_printed_is_understood(
    here: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("correct horse\n"))

    assert execute(["web-password", "no", "--cost", "10"]) == 0

    said = capsys.readouterr()
    here.write(f"basic_auth_users:\n{said.out}")
    assert bcrypt.checkpw(b"correct horse", load_web_settings(here.web_config, {}).users["no"].encode())
    assert "horse" not in said.out + said.err


@pytest.mark.parametrize(
    ("user", "typed", "message"),
    [
        ("a:b", "correct horse", "a user's name is printable, not empty and without a colon"),
        ("anna", "short", "a password has at least 8 characters"),
        ("anna", "", "a password has at least 8 characters"),
        ("anna", "ü" * 37, "the password has more than 72 bytes; bcrypt would pass over the rest"),
    ],
)
def test_what_would_not_work_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, user: str, typed: str, message: str
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(typed))

    assert execute(["web-password", user]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_a_web_configuration_that_is_wrong_is_a_wrong_configuration(here: Site) -> None:
    here.write("x: 1")

    with pytest.raises(ConfigError, match="unknown key 'x'"):
        web_problems(load_config(config(here)), here.directory, {})
