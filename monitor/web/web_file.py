"""The settings in force: those of the web configuration file and its certificates when they were last right.

A change takes effect without a restart: new connections get the new certificate, the next request the new users. A
file that is wrong changes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.core.config_report import Report
from monitor.core.config_text import MAX_CONFIG_BYTES, config_text
from monitor.core.errors import AemonitorError, NoInputError, PermissionDeniedError
from monitor.core.names import did_you_mean, quoted
from monitor.core.yaml_text import read_yaml
from monitor.telemetry import Telemetry
from monitor.web.pace import Pace
from monitor.web.tls import Tls, TlsError, make_tls
from monitor.web.web_config import HEADERS, RateConfig, TlsConfig, WebConfig, parse_duration

HSTS = "max-age=31536000"
"""For a year browsers use TLS for this host; it says nothing of its subdomains."""
_FILES = ("cert_file", "key_file", "client_ca_file")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the server goes by. ``files`` are those that were read; ``users`` maps names to bcrypt hashes."""

    tls: Tls | None = None
    users: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    pace: Pace = field(default_factory=lambda: _pace(RateConfig()))
    files: tuple[Path, ...] = ()

    @property
    def key_file(self) -> Path | None:
        """The private key, if there is one."""
        return self.files[2] if self.tls else None


def load_web_settings(path: Path, environ: Mapping[str, str]) -> WebSettings:
    """Read and try everything. Relative paths in the file start from its directory.

    Raises:
        ConfigError: with every problem, those of the certificates included.
        NoInputError, PermissionDeniedError: the file itself cannot be read.
    """
    text = read_yaml(config_text(_read(path), str(path)), environ)
    report = Report(text, str(path))
    config = _checked(report, text.value)
    tls_config = _placed(config.tls_server_config if config else None, path.parent)
    tls = _tried(report, tls_config) if tls_config else None
    if config is None or report:
        report.fail()
    return WebSettings(
        tls=tls,
        users=config.basic_auth_users,
        headers={**({"Strict-Transport-Security": HSTS} if tls else {}), **config.http_server_config.headers},
        pace=_pace(config.rate_limit),
        files=(path, *_files(tls_config)),
    )


class WebFile:
    """The settings of a file, kept up to date by ``refresh``. Without a file they are the defaults.

    Raises:
        ConfigError, NoInputError, PermissionDeniedError: as ``load_web_settings``.
    """

    def __init__(self, path: Path | None, telemetry: Telemetry) -> None:
        self._path = path
        self._telemetry = telemetry
        self.settings = WebSettings() if path is None else load_web_settings(path, os.environ)
        self._seen = self._digest()
        self._refusal = ""

    def refresh(self) -> None:
        """Take up what has changed; what is wrong is told once, and the old settings stay.

        After a refusal it is tried each time: the file may name others that are still to come.
        """
        before, now = self._seen, self._digest()
        if self._path is None or (now == before and not self._refusal):
            return
        self._seen = now  # as it was before it is read: a change meanwhile is seen the next time
        try:
            self.settings = load_web_settings(self._path, os.environ)
        except AemonitorError as error:
            if (before, self._refusal) != (now, str(error)):
                self._refusal = str(error)
                self._telemetry.web.config_reloaded(ok=False, reason=self._refusal)
            return
        self._seen, self._refusal = self._digest(), ""
        self._telemetry.web.config_reloaded(ok=True)
        self.in_force()

    def in_force(self) -> None:
        """Tell what a server goes by from now on."""
        tls = self.settings.tls
        self._telemetry.web.in_force(None if tls is None else tls.not_after)

    def _digest(self) -> tuple[bytes, ...]:
        return tuple(_content_digest(file) for file in self.settings.files)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CONFIG_BYTES + 1)
    except PermissionError:
        raise PermissionDeniedError(f"the web configuration {path} must not be read by this user") from None
    except OSError as error:
        reason = error.strerror or error
        raise NoInputError(f"the web configuration {path} (`server.web_config`) cannot be read: {reason}") from error


def _checked(report: Report, value: Any) -> WebConfig | None:
    if not isinstance(value, dict):
        report.add("a web configuration is a mapping (`key: value`)", ())
        return None
    config = report.checked(WebConfig, report.filled(value, ()), ())
    for name in config.http_server_config.headers if config else ():
        if name not in HEADERS:
            message = f"the header {quoted(name)} is not set here{did_you_mean(name, HEADERS)}"
            report.add(message, ("http_server_config", "headers", name), "key")
    return config


def _tried(report: Report, config: TlsConfig) -> Tls | None:
    try:
        return make_tls(config)
    except TlsError as error:
        report.add(str(error), ("tls_server_config", error.key))
        return None


def _placed(config: TlsConfig | None, directory: Path) -> TlsConfig | None:
    if config is None:
        return None
    given = {key: getattr(config, key) for key in _FILES}
    return config.model_copy(update={key: directory / file for key, file in given.items() if file is not None})


def _files(config: TlsConfig | None) -> Iterator[Path]:
    for key in _FILES if config else ():
        file = getattr(config, key)
        if file is not None:
            yield file


def _content_digest(file: Path) -> bytes:
    """Of a file that cannot be read, empty: that it has gone is a change, too."""
    try:
        return hashlib.blake2b(file.read_bytes()).digest()
    except OSError:
        return b""


def _pace(config: RateConfig) -> Pace:
    return Pace(parse_duration(config.interval), config.burst)
