"""A running daemon as its API tells of it, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import urllib3

from monitor.core.config import ServerConfig
from monitor.core.errors import DataError, PermissionDeniedError, UnavailableError, UsageError
from monitor.core.printable import printable
from monitor.web.api.answers import Episode, Episodes, Status, Stream, Streams

PATIENCE = urllib3.Timeout(total=5.0)
LISTED = 20
"""Episodes that are asked for, the newest."""

Answer = TypeVar("Answer")


class View(NamedTuple):
    """How the daemon and its streams stand, and its newest episodes, newest first."""

    status: Status
    streams: list[Stream]
    episodes: list[Episode]


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks; without a user nobody in particular. ``ca_file``: who vouches for the server, by default the system."""

    user: str | None = None
    password: str = ""
    ca_file: Path | None = None


class Remote:
    """Asks the daemon at ``url``, such as http://127.0.0.1:9464."""

    def __init__(self, url: str, login: Login) -> None:
        self.url = url.rstrip("/")
        named = f"{login.user}:{login.password}" if login.user else None
        headers = urllib3.make_headers(basic_auth=named, user_agent="aemonitor-top")
        ca_file = None if login.ca_file is None else str(login.ca_file)
        self._http = urllib3.PoolManager(timeout=PATIENCE, retries=False, headers=headers, ca_certs=ca_file)

    def look(self) -> View:
        """How things stand now.

        Raises:
            UnavailableError: nobody answers, or not in time.
            PermissionDeniedError: the daemon asks for a user.
            DataError: what answers is no aemonitor, or a newer one.
        """
        status, streams = self._ask("status", Status), self._ask("streams", Streams)
        episodes = self._ask(f"alerts?limit={LISTED}", Episodes)
        return View(status, streams.streams, episodes.alerts)

    def _ask(self, what: str, kind: type[Answer]) -> Answer:
        try:
            answer = self._http.request("GET", f"{self.url}/api/v1/{what}", redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"{self.url} does not answer: {error}; does the daemon run there?") from error
        if answer.status in (401, 403):
            raise PermissionDeniedError(f"{self.url} asks for a user: give --user and --password-file")
        if answer.status in (429, 503):
            raise UnavailableError(f"{self.url} is busy (HTTP {answer.status})")
        try:
            return msgspec.json.decode(answer.data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            said = printable(str(error), 200)
            raise DataError(
                f"{self.url} does not answer as this aemonitor does (HTTP {answer.status}): {said}"
            ) from error


def url_of(server: ServerConfig) -> str:
    """Where the daemon of a configuration is asked on its own machine.

    Raises:
        UsageError: it has no server, or one whose address the configuration does not tell.
    """
    if server.address is None or not server.address[1]:
        raise UsageError(f"server.listen is {server.listen}: give the address of the daemon as --url")
    if server.web_config is not None:
        raise UsageError(
            "the server has a web configuration: give its address as --url, https:// and the name it shows"
        )
    host, port = server.address
    local = host if host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - every address has this one
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"
