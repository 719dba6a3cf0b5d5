"""A web configuration is right as a whole or refused, with the place of everything that is wrong."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from monitor.core.errors import ConfigError, NoInputError, PermissionDeniedError
from monitor.web import WebSettings, load_web_settings
from monitor.web.web_file import HSTS
from tests.support_web import HASH, TLS, USERS, Site

WEB = TLS


def load(here: Site, text: str, environ: dict[str, str] | None = None) -> WebSettings:
    here.write(text)
    return load_web_settings(here.web_config, environ or {})


def problems(here: Site, text: str) -> list[str]:
    """What is said of a text, without the directory."""
    with pytest.raises(ConfigError) as caught:
        load(here, text)
    return str(caught.value).replace(f"{here.directory}/", "").split("\n")


def test_an_empty_file_protects_nothing(here: Site) -> None:
    settings = load(here, "")

    assert settings == WebSettings(files=(here.web_config,))


def test_everything_that_may_be_written(here: Site) -> None:
    settings = load(
        here,
        f"""
tls_server_config:
  cert_file: web.crt
  key_file: web.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [scraper.example.org]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=0}}
basic_auth_users: {{scraper: {HASH}}}
rate_limit: {{interval: 20ms, burst: 50}}
""",
    )

    assert settings.tls is not None
    assert settings.tls.allowed_sans == frozenset({"scraper.example.org"})
    assert settings.users == {"scraper": HASH}
    assert settings.headers == {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=0"}
    assert (settings.pace.interval, settings.pace.burst) == (0.02, 50)
    assert settings.files == tuple(here.directory / name for name in ("web.yaml", "web.crt", "web.key", "ca.pem"))


@pytest.mark.parametrize("interval", ["0", "0s", '"0"', "0.0"])
def test_no_limit_is_written_as_zero(here: Site, interval: str) -> None:
    assert load(here, f"rate_limit: {{interval: {interval}}}").pace.interval == 0


def test_tls_brings_its_header_along(here: Site) -> None:
    assert load(here, TLS).headers == {"Strict-Transport-Security": HSTS}


def test_paths_may_come_from_the_environment(here: Site, tmp_path: Path) -> None:
    text = 'tls_server_config: {cert_file: "${env:CREDENTIALS}/web.crt", key_file: "${env:CREDENTIALS}/web.key"}'

    settings = load(here, text, {"CREDENTIALS": str(tmp_path)})

    assert settings.key_file == tmp_path / "web.key"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "web.yaml:1:1: a web configuration is a mapping (`key: value`)"),
        (
            "basic_auth_user: {}",
            "web.yaml:1:1: basic_auth_user: unknown key 'basic_auth_user'; did you mean 'basic_auth_users'?",
        ),
        (
            "tls_server_config:\n  cert_file: web.crt",
            "web.yaml:1:1: tls_server_config.key_file: the required key 'key_file' is missing",
        ),
        (
            f"{TLS.rstrip()[:-1]}, min_version: TLS10}}",
            (
                "web.yaml:1:73: tls_server_config.min_version: expected 'TLS12' or 'TLS13', got the text 'TLS10'; "
                "did you mean 'TLS13'?"
            ),
        ),
        (
            f"{TLS.rstrip()[:-1]}, min_version: TLS13, max_version: TLS12}}",
            "web.yaml:1:20: tls_server_config: max_version is older than min_version: nobody could connect",
        ),
        (
            f"{TLS.rstrip()[:-1]}, client_auth_type: RequireAndVerifyClientCert}}",
            (
                "web.yaml:1:20: tls_server_config: client_auth_type: RequireAndVerifyClientCert needs client_ca_file, "
                "which says who signs them"
            ),
        ),
        (
            f"{TLS.rstrip()[:-1]}, client_ca_file: ca.pem}}",
            (
                "web.yaml:1:20: tls_server_config: client_ca_file has no effect without client_auth_type: "
                "RequireAndVerifyClientCert (or VerifyClientCertIfGiven)"
            ),
        ),
        (
            f"{TLS.rstrip()[:-1]}, client_allowed_sans: [a]}}",
            "web.yaml:1:20: tls_server_config: client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert",
        ),
        (
            f"{TLS.rstrip()[:-1]}, client_auth_type: RequestClientCert}}",
            (
                "web.yaml:1:78: tls_server_config.client_auth_type: expected 'NoClientCert', "
                "'VerifyClientCertIfGiven' or 'RequireAndVerifyClientCert', got the text 'RequestClientCert'; "
                "did you mean 'RequireAndVerifyClientCert'?"
            ),
        ),
        (
            f"{TLS.rstrip()[:-1]}, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]}}",
            (
                "web.yaml:1:76: tls_server_config.cipher_suites[0]: there is no suite 'TLS_RSA_WITH_AES_128_CBC_SHA' "
                "of TLS 1.2 among the strong ones; did you mean 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'?"
            ),
        ),
        (
            "http_server_config: {http2: true}",
            "web.yaml:1:29: http_server_config.http2: HTTP/2 is not spoken here; write false or leave it out",
        ),
        (
            "http_server_config: {headers: {X-Frame-Option: deny}}",
            (
                "web.yaml:1:32: http_server_config.headers.X-Frame-Option: the header 'X-Frame-Option' is not set "
                "here; did you mean 'X-Frame-Options'?"
            ),
        ),
        (
            'http_server_config: {headers: {X-Frame-Options: "deny\\r\\nSet-Cookie: a=b"}}',
            (
                "web.yaml:1:49: http_server_config.headers.X-Frame-Options: "
                "a header's value is one line of ASCII characters"
            ),
        ),
        (
            f'basic_auth_users: {{"a:b": {HASH}}}',
            "web.yaml:1:19: basic_auth_users: a user's name is printable, not empty and without a colon",
        ),
        (
            "rate_limit: {interval: 20}",
            "web.yaml:1:24: rate_limit.interval: expected a time such as 20ms, 1s or 0",
        ),
        ("rate_limit: {interval: fast}", "web.yaml:1:24: rate_limit.interval: expected a time such as 20ms, 1s or 0"),
        (
            "rate_limit: {burst: 0}",
            "web.yaml:1:21: rate_limit.burst: expected a number of at least 1, got the number 0",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(here: Site, text: str, message: str) -> None:
    assert problems(here, text) == [message]


def test_every_problem_is_told_at_once(here: Site) -> None:
    (here.directory / "web.key").unlink()

    found = problems(here, f"{TLS}basic_auth_users: {{a: plain}}\nrate_limit: {{burst: 0}}\n")

    assert [problem.split(": ")[1] for problem in found] == ["basic_auth_users.a", "rate_limit.burst"]


@pytest.mark.parametrize("password", ["hunter2", "1234", "[hunter2]", "$2b$04$short", "null"])
def test_a_password_in_the_place_of_its_hash_is_not_repeated(here: Site, password: str) -> None:
    (problem,) = problems(here, f"basic_auth_users:\n  anna: {password}\n")

    assert problem == (
        "web.yaml:2:9: basic_auth_users.anna: expected a bcrypt hash, as `aemonitor web-password` and `htpasswd -nB` "
        "print it"
    )


@pytest.mark.parametrize("cost", ["03", "15", "31"])
def test_a_hash_that_takes_too_long_to_check_is_refused(here: Site, cost: str) -> None:
    (problem,) = problems(here, f"basic_auth_users: {{anna: {HASH.replace('$04$', f'${cost}$')}}}")

    assert f"the hash's cost {int(cost)} is not 4 to 14: checking it would take too long" in problem


def damage(here: Site, name: str, text: str) -> None:
    (here.directory / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "key"), [("web.crt", "cert_file"), ("web.key", "key_file"), ("ca.pem", "client_ca_file")]
)
def test_a_file_that_is_not_there_is_told_where_it_is_named(here: Site, name: str, key: str) -> None:
    (here.directory / name).unlink()

    (problem,) = problems(
        here, f"{TLS.rstrip()[:-1]}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem}}"
    )

    assert f": tls_server_config.{key}: {name}: No such file or directory" in problem


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("web.crt", "cert_file: web.crt holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"),
        ("web.key", "key_file: web.key holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"),
        ("ca.pem", "client_ca_file: ca.pem holds no certificates in PEM form: no certificate or crl found"),
    ],
)
def test_a_file_of_something_else_is_refused(here: Site, name: str, message: str) -> None:
    damage(here, name, "something else")

    (problem,) = problems(
        here, f"{TLS.rstrip()[:-1]}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem}}"
    )

    assert problem.endswith(message)


def test_a_damaged_certificate_is_refused(here: Site) -> None:
    damage(here, "web.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    (problem,) = problems(here, TLS)

    assert "tls_server_config.cert_file: web.crt and its key cannot be used: " in problem


def test_the_key_of_another_certificate_is_refused(here: Site) -> None:
    key = (here.directory / "web.key").read_text()
    here.certify()
    damage(here, "web.key", key)

    (problem,) = problems(here, TLS)

    assert problem == "web.yaml:1:51: tls_server_config.key_file: web.key is not the key of web.crt"


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(here: Site) -> None:
    key = here.directory / "web.key"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", key, "-out", key.with_suffix(".new"), "-passout", "pass:x"], check=True
    )
    key.with_suffix(".new").replace(key)

    (problem,) = problems(here, TLS)

    assert problem.endswith("web.key is encrypted; decrypt it: `openssl pkey -in ... -out ...`")


def test_suites_that_do_not_fit_the_key_are_found_by_trying(here: Site) -> None:
    suites = "min_version: TLS12, max_version: TLS12, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"

    (problem,) = problems(here, f"{TLS.rstrip()[:-1]}, {suites}}}")  # the key is one of elliptic curves

    assert problem.endswith("no client could use web.crt: no shared cipher")


def test_a_certificate_that_is_not_for_servers_is_refused(here: Site) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", here.directory / "web.key",
         "-out", here.directory / "web.crt", "-subj", "/CN=x", "-addext", "extendedKeyUsage=clientAuth"],
        check=True, capture_output=True,
    )  # fmt: skip

    (problem,) = problems(here, TLS)

    assert problem.startswith("web.yaml:1:32: tls_server_config.cert_file: no client could use web.crt: unsuitable")


def test_a_file_that_is_not_there_is_no_protection(tmp_path: Path) -> None:
    with pytest.raises(
        NoInputError, match=r"web configuration .*web.yaml \(`server.web_config`\) cannot be read: No such"
    ):
        load_web_settings(tmp_path / "web.yaml", {})


def test_a_file_that_may_not_be_read_is_told_from_one_that_is_missing(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything

    with pytest.raises(PermissionDeniedError, match=r"the web configuration .* must not be read by this user"):
        load_web_settings(here.web_config, {})


def test_text_that_is_not_utf8_is_told_with_its_place(here: Site) -> None:
    here.web_config.write_bytes(USERS.encode() + b"# \xff")

    with pytest.raises(ConfigError, match=r"web\.yaml:2:3: the file is not UTF-8 text here"):
        load_web_settings(here.web_config, {})


# -- what is shipped and told ----------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


def test_the_file_that_is_shipped_is_right_with_and_without_its_comments(here: Site) -> None:
    shipped = (ROOT / "config" / "web.yaml").read_text()
    (here.directory / "ca.pem").rename(here.directory / "clients.crt")

    as_it_is = load(here, shipped)
    commented_in = load(
        here, re.sub(r"^# (?=[a-z_]+:|  )", "", shipped, flags=re.MULTILINE).replace("$2b$12$...", HASH)
    )

    assert as_it_is == WebSettings(files=(here.web_config,))
    assert commented_in.tls is not None
    assert commented_in.users == {"prometheus": HASH}
    assert commented_in.headers == {"Strict-Transport-Security": "max-age=0"}
    assert commented_in.pace == as_it_is.pace


def test_the_examples_of_the_guide_are_right(here: Site) -> None:
    guide = (ROOT / "docs" / "howto" / "https.md").read_text()
    examples = [
        text for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if not re.match("server:|scrape", text)
    ]

    assert len(examples) == 2
    for example in examples:
        load(here, example)
