"""Reads alerts back from the ledger, beside a running daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from monitor.app.streams import chosen_streams
from monitor.core.alerts import Alert
from monitor.core.errors import NoInputError
from monitor.core.printable import printable
from monitor.ledger import Ledger
from monitor.plugins import load_config, resolve_state_dir


def _ledger(config_path: Path) -> Ledger:
    return Ledger.open(resolve_state_dir(load_config(config_path), os.environ), read_only=True)


def alert_lines(config_path: Path, stream: str | None, limit: int) -> list[bytes]:
    """The newest ``limit`` alerts as JSON, oldest of them first; UsageError for an unknown stream."""
    chosen_streams(load_config(config_path), [stream] if stream else [])
    with _ledger(config_path) as ledger:
        return ledger.alerts(stream, limit)[::-1]


def short_line(line: bytes) -> str:
    """One alert as one line for a person.

    Control characters of the record cannot reach the terminal.
    """
    alert = msgspec.json.decode(line, type=Alert)
    return printable(f"{alert.id[:8]}  {alert.detected_at}  {alert.severity:8}  {alert.summary}", limit=400)


def full_text(config_path: Path, alert_id: str) -> str:
    """One alert as indented JSON.

    Raises:
        NoInputError: no alert has an id that begins so.
        UsageError: several have.
    """
    with _ledger(config_path) as ledger:
        found = ledger.alert(alert_id)
    if found is None:
        raise NoInputError(f"no alert has an id that begins with {alert_id!r}; see `aemonitor alerts list`")
    content: dict[str, Any] = msgspec.json.decode(found)
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
