"""Reads alerts back from the ledger, beside a running daemon, with what people said of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from monitor.app.labels import Label, Verdict, add_labels, read_labels
from monitor.app.streams import chosen_streams
from monitor.core.alerts import Alert
from monitor.core.clock import Clock
from monitor.core.errors import NoInputError, UsageError
from monitor.core.printable import printable, printable_json
from monitor.ledger import Ledger
from monitor.plugins import load_config, resolve_state_dir


def _state_dir(config_path: Path) -> Path:
    return resolve_state_dir(load_config(config_path), os.environ)


def _ledger(config_path: Path) -> Ledger:
    return Ledger.open(_state_dir(config_path), read_only=True)


def alert_lines(config_path: Path, stream: str | None, limit: int, *, suppressed: bool = False) -> list[bytes]:
    """The newest ``limit`` alerts as JSON, oldest of them first; UsageError for an unknown stream.

    With ``suppressed`` those that nobody was told of.
    """
    chosen_streams(load_config(config_path), [stream] if stream else [])
    with _ledger(config_path) as ledger:
        return ledger.alerts(stream, limit, which="suppressed" if suppressed else "sent")[::-1]


def followed(config_path: Path, stream: str | None, limit: int, wait: Callable[[], bool]) -> Iterator[bytes]:
    """The newest ``limit`` alerts as JSON, and then each as it is committed, until ``wait`` says no.

    It is called when all that there is was given out.

    Raises:
        UsageError: there is no such stream.
        NoInputError: there is no ledger yet.
    """
    streams = [*chosen_streams(load_config(config_path), [stream])] if stream else None
    with _ledger(config_path) as ledger:
        place, found = 0, ledger.newest(streams, limit)
        if not limit:
            place = max((seq for seq, _ in ledger.newest(None, 1)), default=0)
        while found or wait():
            yield from (line for _, line in found)
            place = max([place, *(seq for seq, _ in found)])
            found = ledger.sent_after(place, streams)


def labels(config_path: Path) -> dict[str, Label]:
    """What people said of alerts, by their ids."""
    return read_labels(_state_dir(config_path))


def short_line(line: bytes, labels: Mapping[str, Label]) -> str:
    """One alert as one line for a person, with its label.

    Control characters of the record cannot reach the terminal.
    """
    alert = msgspec.json.decode(line, type=Alert)
    said = f"[{labels[alert.id].label}] " if alert.id in labels else ""
    standing = alert.suppressed_by or (alert.severity if alert.state == "firing" else alert.state)
    return printable(f"{alert.id[:8]}  {alert.detected_at}  {standing:8}  {said}{alert.summary}", limit=400)


def as_sent(line: bytes, labels: Mapping[str, Label]) -> msgspec.Raw:
    """One alert as the sinks get it, with its label, if it has one."""
    alert = msgspec.json.decode(line, type=Alert)
    return msgspec.Raw(msgspec.json.encode(_content(alert, labels)) if alert.id in labels else line)


def full_text(config_path: Path, alert_id: str) -> str:
    """One alert as indented JSON, with its label; nothing in it can reach a terminal.

    Raises:
        NoInputError: no alert has an id that begins so.
        UsageError: several have.
    """
    content = _content(find_alert(config_path, alert_id), labels(config_path))
    return printable_json(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


def find_alert(config_path: Path, alert_id: str) -> Alert:
    """The alert whose id begins so; where the ledger has forgotten it, as it was labelled.

    Raises:
        NoInputError: there is none.
        UsageError: there are several.
    """
    return found_alert(_state_dir(config_path), alert_id)


def raised_alert(config_path: Path, alert_id: str) -> Alert:
    """The same as it was raised, also when its episode is over by now."""
    newest = find_alert(config_path, alert_id)
    if newest.state != "resolved":
        return newest
    with _ledger(config_path) as ledger:
        told = ledger.told(newest.id)
    return newest if told is None else msgspec.json.decode(told[0], type=Alert)


def found_alert(state_dir: Path, alert_id: str) -> Alert:
    """The same for a state directory."""
    with Ledger.open(state_dir, read_only=True) as ledger:
        found = ledger.alert(alert_id)
    if found is not None:
        return msgspec.json.decode(found, type=Alert)
    known = [label.alert for name, label in read_labels(state_dir).items() if name.startswith(alert_id)]
    if len(known) > 1:
        raise UsageError(
            f"several alerts begin with {alert_id!r}: {', '.join(a.id for a in known)}; give more of the id"
        )
    if not known:
        raise NoInputError(f"no alert has an id that begins with {alert_id!r}; see `aemonitor alerts list`")
    return known[0]


def label_alerts(config_path: Path, alert_ids: Sequence[str], verdict: Verdict, note: str, clock: Clock) -> list[Label]:
    """Note what a person says of some alerts; all of them are found before anything is written.

    Raises:
        NoInputError, UsageError: an id is that of no alert, or of several.
    """
    found = {alert.id: alert for alert in (find_alert(config_path, alert_id) for alert_id in alert_ids)}
    return label_found(_state_dir(config_path), list(found.values()), verdict, note, clock)


def label_found(
    state_dir: Path, alerts: Sequence[Alert], verdict: Verdict, note: str, clock: Clock, *, by: str = ""
) -> list[Label]:
    """Note what a person says of these alerts, durable when this returns.

    Raises:
        PermissionDeniedError, CannotCreateError: the labels cannot be written.
    """
    when = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")
    made = [Label(verdict, note, when, alert, by) for alert in alerts]
    add_labels(state_dir, made)
    return made


def _content(alert: Alert, labels: Mapping[str, Label]) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(alert)
    label = labels.get(alert.id)
    if label is not None:
        content["label"] = {"label": label.label, "note": label.note, "labelled_at": label.labelled_at}
    return content
