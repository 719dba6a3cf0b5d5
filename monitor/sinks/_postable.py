"""An alert as Alertmanager takes it: labels that say which one it is, annotations for whoever reads it.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (``postableAlert``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from monitor.core.alerts import Alert
from monitor.core.printable import printable
from monitor.sinks._facts import TEXT_CHARACTERS, described_field

ALERTNAME = "AnomalyDetected"
OWN_LABELS = ("stream", "severity", "instance", "key")
"""Labels that tell one alert from another; none is made of what a record says but the key."""
LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
KEY_CHARACTERS = 200
"""A longer key is cut: labels stand in every notification and in the subject of mails."""
DIGEST_BYTES = 4


def postable(
    alert: Alert,
    severity: str,
    ends: datetime,
    now: datetime,
    extra: Mapping[str, str],
    links: Mapping[str, str | None],
) -> dict[str, Any]:
    """What is posted of an alert with this severity that ends at ``ends`` unless it is posted again.

    The labels are the same for an alert and its end. It began when its first record happened, but never later than it
    was noticed or than now: clocks of sources may go ahead, and an alert that ends before it begins is refused.
    """
    first = alert.episode.first if alert.episode else None
    began = min(datetime.fromisoformat(first or alert.time or alert.detected_at), _time(alert.detected_at), now)
    made: dict[str, Any] = {
        "labels": labels(alert, severity, extra),
        "annotations": described(alert, links.get("runbook")),
        "startsAt": began,
        "endsAt": max(began, ends),
    }
    if link := links.get("link"):
        made["generatorURL"] = link.replace("{id}", quote(alert.id, safe=""))
    return made


def labels(alert: Alert, severity: str, extra: Mapping[str, str]) -> dict[str, str]:
    """What makes this alert the same as another one."""
    own = {"stream": alert.stream, "severity": severity, "instance": alert.host, "key": _short(alert.key or "")}
    # To Alertmanager a label that is empty is one that is not there.
    return {"alertname": ALERTNAME, **extra, **{name: value for name, value in own.items() if value}}


def described(alert: Alert, runbook: str | None) -> dict[str, str]:
    """What a person wants to know of it."""
    told = {
        "summary": printable(alert.summary, TEXT_CHARACTERS),
        "description": "\n".join(map(described_field, alert.fields)),
        "alert_id": alert.id,
        "fingerprint": alert.fingerprint,
        "count": str(alert.count),
        "score": f"{alert.score.value:.4g}, limit {alert.score.threshold:.4g}",
        "source": printable(alert.source.text(), TEXT_CHARACTERS),
        "runbook_url": runbook or "",
    }
    return {name: text for name, text in told.items() if text}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _short(key: str) -> str:
    """A key as a label; one that is too long or cannot be shown is told apart by a few hex digits.

    >>> _short("db 1"), len(_short("x" * 1000))
    ('db 1', 209)
    """
    if len(key) <= KEY_CHARACTERS and key.isprintable():
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
    return f"{printable(key, KEY_CHARACTERS)}~{digest}"
