"""An alert as a message of RFC 5424 that is never longer than its receiver takes, and never cut inside a character."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from monitor.core.alerts import Alert
from monitor.sinks._facts import facts
from monitor.sinks._formats import priority

SD_ID = "aemonitor@32473"
"""32473 is the enterprise number for examples (RFC 5612): this program has none of its own."""
SD_NAMES = ("id", "state", "severity", "stream", "key", "score", "threshold", "fingerprint", "count", "time")
VALUE_BYTES = 100
"""A longer value is cut: all of them, escaped, and the header fit into ``LEAST_BYTES``."""
HOST_CHARACTERS = 255
LEAST_BYTES = 1024
BOM = b"\xef\xbb\xbf"

Write = Callable[[bytes], bytes]


def message(line: bytes, facility: int, write: Write | None, limit: int) -> bytes:
    """The message of an alert.

    Args:
        line: the alert as JSON.
        facility: 0 to 23.
        write: makes the JSON that is the text of the message; None for the alert's sentence.
        limit: no message has more bytes, ``LEAST_BYTES`` or more.
    """
    alert = msgspec.json.decode(line, type=Alert)
    told = facts(alert)
    head = f"{_header(alert, facility)} {_structured(told)} ".encode()
    room = limit - len(head) - len(BOM)
    text = _json(alert, line, write, room) if write else b""
    return head + BOM + (text or _cut(told["summary"], room).encode())


def _header(alert: Alert, facility: int) -> str:
    host = re.sub(r"[^!-~]", "", alert.host)[:HOST_CHARACTERS] or "-"
    when = datetime.fromisoformat(alert.detected_at).astimezone(UTC).isoformat(timespec="milliseconds")
    pri = 8 * facility + priority(alert.severity, alert.state)
    return f"<{pri}>1 {when.replace('+00:00', 'Z')} {host} aemonitor {os.getpid()} {alert.state}"


def _structured(told: dict[str, str]) -> str:
    return f"[{SD_ID}{''.join(f' {name}={_quoted(told[name])}' for name in SD_NAMES if name in told)}]"


def _quoted(text: str) -> str:
    r"""A value as RFC 5424, 6.3.3, wants it.

    >>> print(_quoted('a"b]c'))
    "a\"b\]c"
    """
    escaped = re.sub(r'(["\\\]])', r"\\\1", _cut(text, VALUE_BYTES))
    return f'"{escaped}"'


def _json(alert: Alert, line: bytes, write: Write, room: int) -> bytes:
    """The alert as JSON; without its record, then without its fields, where it is too long; empty if nothing helps."""
    for less in (None, {"raw": ""}, {"raw": "", "fields": ()}):
        text = write(line if less is None else msgspec.json.encode(msgspec.structs.replace(alert, **less)))
        if len(text) <= room:
            return text
    return b""


def _cut(text: str, limit: int) -> str:
    """At most so many bytes of UTF-8, and whole characters.

    >>> _cut("aäö", 4)
    'aä'
    """
    return text.encode()[:limit].decode(errors="ignore")
