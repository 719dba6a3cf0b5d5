"""Tells people by mail, chat or pager, over any of the services that the library Apprise knows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from pydantic import Field

from monitor.core.alerts import Alert
from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import AemonitorError, DataError, UnavailableError
from monitor.core.extras import require
from monitor.core.printable import printable
from monitor.core.protocols import Sink
from monitor.core.secrets import read_secret
from monitor.core.strict import StrictModel
from monitor.core.tls import TlsOptions, tls_context
from monitor.sinks._apprise_process import NO_URL_STATUS, Task
from monitor.sinks._apprise_told import Told, told
from monitor.sinks._formats import delivery_id
from monitor.sinks._http_options import Proxy, Url
from monitor.sinks._process import Ended, run

EXAMPLE = """\
urls_file: apprise.urls   # one URL a line, such as mailtos://user:password@mail.example.net?to=oncall@example.net
"""

PROGRAM = (sys.executable, "-P", "-m", "monitor.sinks._apprise_process")
MOST_URLS = 16
CHECK_SECONDS = 60.0
"""Looking at a URL takes half a second, and on a busy machine longer."""
LINE_CHARACTERS = 300


class Config(StrictModel):
    """Options of the ``apprise`` sink."""

    urls_file: str = Field(
        description="A file with the Apprise URLs of all who are told, one a line; what begins with # is a comment. It "
        "is read anew for each alert. Passwords stand in it, so only the daemon should be able to read it."
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=60, description="How long telling all of them may take before it is tried again."
    )
    link: Url | None = Field(
        default=None, description="A page to name; `{id}` stands for the alert's id, as in https://host/alerts/{id}."
    )
    ca_file: str | None = Field(
        default=None,
        description="Certificates (PEM) of those who may vouch for the receivers, instead of the system's.",
    )
    proxy: Proxy | None = Field(
        default=None,
        description="A proxy (`http://...`) for what goes over HTTP; those in the environment are not used.",
    )


def build(config: Config) -> Sink:
    """The sink; URLs that Apprise does not know are refused here, before the first alert.

    Raises:
        UnavailableError: Apprise is not installed.
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    return People(config, SystemClock())


class Receiver(NamedTuple):
    """One of those who are told. ``shown`` may be shown to anybody."""

    url: str
    shown: str


class People:
    """One message an alert and receiver, in order. Who has a message is not told again while another one fails.

    Each message is a process, which ends in time and shares nothing with the daemon.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        require("apprise", "apprise")
        self._config = config
        self._clock = clock
        self._message_id = ""
        self._have: set[str] = set()  # URLs that took the message ``_message_id``
        if config.ca_file is not None:
            tls_context(TlsOptions(ca_file=config.ca_file))
        for receiver in self._receivers():
            self._check(receiver)

    def send(self, alerts: Sequence[bytes]) -> int:
        for line in alerts[:1]:
            self._tell(msgspec.json.decode(line, type=Alert))
        return min(1, len(alerts))

    def close(self) -> None:
        """Nothing is open between two alerts."""

    def _tell(self, alert: Alert) -> None:
        if (message_id := delivery_id(msgspec.structs.asdict(alert))) != self._message_id:
            self._message_id, self._have = message_id, set()
        message = told(alert, self._config.link)
        deadline = self._clock.monotonic() + self._config.timeout_seconds
        failures = list(self._failures(message, deadline))
        if failures:
            raise UnavailableError("; ".join(failures))

    def _failures(self, message: Told, deadline: float) -> Iterator[str]:
        """Tell all who do not have it yet; why it did not work."""
        try:
            receivers = self._receivers()
        except AemonitorError as error:
            raise UnavailableError(str(error)) from error  # it could be read before, so it may be again
        for receiver in receivers:
            if receiver.url in self._have:
                continue
            seconds = max(0.0, deadline - self._clock.monotonic())
            ended = self._run(Task(receiver.url, message), seconds)
            if ended.status == 0:
                self._have.add(receiver.url)
            else:
                yield f"{receiver.shown}: {_why(ended, self._config.timeout_seconds)}"

    def _check(self, receiver: Receiver) -> None:
        ended = self._run(Task(receiver.url, None), CHECK_SECONDS)
        if ended.status == NO_URL_STATUS:
            raise DataError(
                f"{receiver.shown}: is no URL that Apprise takes: {_why(ended, CHECK_SECONDS)}; "
                "see https://github.com/caronc/apprise/wiki"
            )
        if ended.status != 0:
            raise UnavailableError(f"{receiver.shown}: cannot be checked: {_why(ended, CHECK_SECONDS)}")

    def _run(self, task: Task, seconds: float) -> Ended:
        try:
            return run(PROGRAM, self._environment(), msgspec.json.encode(task), seconds, self._clock)
        except OSError as error:
            raise UnavailableError(f"{PROGRAM[0]}: cannot be started: {error.strerror}") from error

    def _environment(self) -> dict[str, str]:
        """Where its libraries are, and what the options say; nothing else of ours."""
        config, environment = self._config, {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if config.ca_file is not None:
            environment |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), config.ca_file)
        if config.proxy is not None:
            environment |= dict.fromkeys(("http_proxy", "https_proxy"), config.proxy)
        return environment

    def _receivers(self) -> list[Receiver]:
        """Those in the file as it stands now; what ``read_secret`` raises."""
        path = self._config.urls_file
        lines = enumerate(read_secret(path, "urls_file").splitlines(), 1)
        urls = {number: line.strip() for number, line in lines if line.strip() and not line.strip().startswith("#")}
        if not 0 < len(urls) <= MOST_URLS:
            raise DataError(
                f"{path}: urls_file names a file with {len(urls)} URLs; expected 1 to {MOST_URLS}, one a line"
            )
        return [Receiver(url, f"{path}:{number}{_scheme(url)}") for number, url in urls.items()]


def _scheme(url: str) -> str:
    r"""The kind of receiver, which is all of a URL that is no secret.

    >>> _scheme("mailtos://user:sesame@example.net"), _scheme("sesame")
    (' (mailtos)', '')
    """
    found = re.match("[a-z0-9]{1,32}(?=://)", url)
    return f" ({found[0]})" if found else ""


def _why(ended: Ended, seconds: float) -> str:
    if ended.status is None:
        return f"took longer than {seconds:g} seconds"
    lines = ended.said.decode(errors="replace").strip().splitlines()
    return printable(lines[-1], LINE_CHARACTERS) if lines else f"ended with exit status {ended.status}"
