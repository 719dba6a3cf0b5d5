"""All that the pages and the API tell of, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.clock import Clock
from monitor.telemetry import Telemetry
from monitor.web.desk import Desk
from monitor.web.health import Health


@dataclass(frozen=True, slots=True)
class Site:
    """``version`` is that of the program."""

    telemetry: Telemetry
    health: Health
    desk: Desk
    clock: Clock
    version: str
