"""An alert in a few short texts that are safe to show anywhere: for receivers that take names and values."""

from __future__ import annotations

from monitor.core.alerts import Alert, FieldFinding
from monitor.core.printable import printable

TEXT_CHARACTERS = 1_000
"""A longer text is cut, so that neither an environment nor a log entry can be made too big by what a record says."""


def facts(alert: Alert) -> dict[str, str]:
    """What there is to say, by name; what an alert does not have is left out, and nothing has a control character.

    Names are those of the alert's JSON; ``score`` and ``threshold`` are the parts of its score that are compared.
    """
    told = {
        "id": alert.id,
        "state": alert.state,
        "severity": alert.severity,
        "stream": alert.stream,
        "key": alert.key or "",
        "fingerprint": alert.fingerprint,
        "score": f"{alert.score.value:.6g}",
        "threshold": f"{alert.score.threshold:.6g}",
        "count": str(alert.count),
        "time": alert.time or "",
        "detected_at": alert.detected_at,
        "host": alert.host,
        "path": alert.source.path,
        "model": alert.model.version,
        "summary": alert.summary,
    }
    return {name: printable(text, TEXT_CHARACTERS) for name, text in told.items() if text}


def described_field(field: FieldFinding) -> str:
    """What a field was, what was expected of it, and why that is odd, in one line."""
    expected = "" if field.expected is None else f", expected {field.expected}"
    benign = f" (benign {field.benign_range})" if field.benign_range else ""
    return printable(f"{field.name}: {field.actual}{expected}{benign}: {field.reason}", TEXT_CHARACTERS)
