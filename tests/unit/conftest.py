"""What tests of several modules begin with: a log, a web server (``WEB`` of a module is its web configuration)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry
from monitor.web import Server
from tests.support_web import Site, serving, site


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The place of a log that nobody has written yet."""
    return tmp_path / "access.log"


@pytest.fixture
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    """The directory of the web configuration, with certificates."""
    return site(tmp_path, request.module.WEB)


@pytest.fixture
def telemetry() -> Telemetry:
    """Of a clock that stands still."""
    return Telemetry(ManualClock())


@pytest.fixture
def server(here: Site, telemetry: Telemetry) -> Iterator[Server]:
    """A server that runs with it."""
    with serving(here.web_config, telemetry) as running:
        yield running
