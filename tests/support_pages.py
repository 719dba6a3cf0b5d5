"""A state directory with alerts in it, and the pages and the API over it, as the daemon serves them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from monitor.app.desk import LedgerDesk
from monitor.core.accounting import Counts, Outcome, Resolution
from monitor.core.alerts import Alert, EpisodeRef, FieldFinding, SourceRef
from monitor.core.clock import ManualClock
from monitor.ledger import Ledger
from monitor.plugins import load_config
from monitor.telemetry import Telemetry
from monitor.web import Health, Server, build_app
from tests.support_files import alert, position
from tests.support_web import SECRET, USERS, Answer, ask

ANN = f"scraper:{SECRET}"
CONFIG = """
state_dir: {state}
streams:
  web:
    source: {{file_tail: {{include: ['/var/log/app.log']}}}}
    parser: json_lines
    features: {{level: numeric}}
"""
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\"'><img src=x onerror=alert(2)>{{7*7}}"


class Place:
    """A ledger that alerts are put into, and what is needed to serve it."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.telemetry = Telemetry(self.clock)
        self.health = Health(self.clock)
        self.state = directory / "state"
        self.config = directory / "aemonitor.yaml"
        self.config.write_text(CONFIG.format(state=self.state))
        self.web_config = directory / "web.yaml"
        self.web_config.write_text(USERS)
        self.ledger = self.opened()
        self.desk = LedgerDesk(lambda: load_config(self.config), self.clock)
        self._offset = 0

    def opened(self) -> Ledger:
        return Ledger.open(self.state, clock=self.clock)

    def commit(self, *alerts: Alert, resolved: Sequence[Resolution] = (), stream: str = "web") -> None:
        self._offset += 10
        counts = Counts(read=1, scored=1, bytes=10, alerts=len(alerts))
        self.ledger.commit([Outcome(stream, [position(self._offset)], counts, alerts, resolved=resolved)])

    @contextmanager
    def serving(self, *, users: bool = True) -> Iterator[Server]:
        build = partial(build_app, desk=self.desk, clock=self.clock, version="1.2.3")
        web_config = self.web_config if users else None
        server = Server("127.0.0.1:0", self.telemetry, self.health, web_config=web_config, build=build)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def begun(number: int, *, severity: str = "warning", of: int | None = None, stream: str = "web") -> Alert:
    """The alert that tells an episode, its own unless it tells that another's became worse."""
    made = alert(number, stream)
    reference = EpisodeRef(f"{number if of is None else of:032x}", "2023-11-14T22:00:00.000Z", None, 2.0)
    return replace(made, severity=severity, episode=reference)


def over(number: int, count: int = 7) -> Resolution:
    """That it is over."""
    reference = EpisodeRef(f"{number:032x}", "2023-11-14T22:00:00.000Z", "2023-11-14T22:05:00.000Z", 9.5)
    return Resolution(reference, count, "2023-11-14T22:13:25Z", "web: quiet again")


def hostile(number: int) -> Alert:
    """An alert in which whatever comes from a record is meant to do harm."""
    field = FieldFinding(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1.0, HOSTILE, 3.0)
    small = replace(field, contribution=0.01)
    source = SourceRef(path=HOSTILE, offset=3)
    return replace(
        begun(number), key=HOSTILE, summary=HOSTILE, raw=HOSTILE, fields=(field, small), source=source, host=HOSTILE
    )


def answer(server: Server, path: str, *, status: int = 200, **options: Any) -> Any:
    """The JSON of an answer with this status."""
    found, headers, body = ask(server, path, user=ANN, **options)
    assert found == status, body
    assert headers["content-type"] == ("application/json" if status == 200 else "application/problem+json")
    return json.loads(body)


def post(server: Server, path: str, form: dict[str, str], **headers: str) -> Answer:
    """Send a form as a browser would from our own page, but for what ``headers`` say (``_`` for ``-``)."""
    given = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return ask(server, path, "POST", user=ANN, headers=given, body=urlencode(form).encode())
