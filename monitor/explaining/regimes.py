"""The sentence that tells of a key that has been odd for so long that this may be how it is now."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.core.alerts import FieldFinding
from monitor.core.names import plural
from monitor.core.printable import printable
from monitor.explaining.text import shown

CHANGES = 3
"""Fields that are named."""


def settle(stream: str, key: str | None, episodes: int, since: str | None, fields: Sequence[FieldFinding]) -> str:
    """What has changed, from which range to which value, and what to do about it; printable.

    ``web a: anomalous in 5 episodes since 2026-11-21T03:12:00Z, perhaps how it is now: level benign 20 to 36 -> 900;
    if so, retrain with newer records or label this benign; nothing more is told until it is over``
    """
    whose = "" if key is None else f" {printable(key)}"
    times = plural(episodes, "episode")
    begun = f" since {since}" if since else ""
    changes = ", ".join(map(_change, fields[:CHANGES])) or "the record as a whole"
    return (
        f"{printable(stream)}{whose}: anomalous in {times}{begun}, perhaps how it is now: {changes}; if so, retrain "
        "with newer records or label this benign; nothing more is told until it is over"
    )


def _change(finding: FieldFinding) -> str:
    benign = f"benign {printable(finding.benign_range)}" if finding.benign_range else "what was benign"
    return f"{printable(finding.name)} {benign} -> {shown(finding.actual)}"
