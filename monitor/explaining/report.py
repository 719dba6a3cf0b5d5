"""An explanation as a person reads it: the sentence, where the record stands, every field as a line of a table.

No line is wider than 100 columns and none has an invisible character, however hostile the record.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

from msgspec import structs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.core.alerts import Alert, FieldFinding, Score
from monitor.core.printable import printable
from monitor.explaining.explanation import Explanation, Replay
from monitor.explaining.rarity import bans, common, one_in
from monitor.explaining.text import compared, shown

WIDTH = 100

LONGEST = 1400
"""Characters of the sentence or of a note."""

CELL = 60
"""Characters of one cell, which is wrapped where that is wider than its column."""

LITTLE = 0.005
"""With less of the blame than that, shown as 0 %, a field has nothing to answer for."""

UNREAD = 12
"""So many names of fields that no feature reads."""


def as_text(explanation: Explanation) -> str:
    """All of it; lines end in line feeds."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, force_terminal=False, markup=False, highlight=False)
    console.print(_text(_sentence(explanation)))
    console.print()
    console.print(_facts(explanation))
    console.print()
    console.print(_table(_fields(explanation), alerts=_alerts(explanation)))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _sentence(explanation: Explanation) -> str:
    told = explanation.alert or explanation.replay
    return "" if told is None else told.summary


def _alerts(explanation: Explanation) -> bool:
    return explanation.replay is None or explanation.alert is not None or explanation.replay.alerts


def _facts(explanation: Explanation) -> Table:
    """Names and what there is to say of each, side by side."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in (*_alert(explanation.alert), *_replay(explanation), *_notes(explanation)):
        grid.add_row(name, _text(fact))
    return grid


def _alert(alert: Alert | None) -> Iterator[tuple[str, str]]:
    if alert is None:
        return
    yield "alert", f"{alert.id}, {alert.severity}, raised {alert.detected_at}"
    key = "" if alert.key is None else f"; key {printable(alert.key, CELL)}"
    time = "" if alert.time is None else f"; event time {alert.time}"
    yield "record", f"{printable(alert.source.text(), LONGEST)}{time}{key}"
    yield "model", f"{alert.model.version} of stream {alert.stream}"
    yield "score", _score(alert.score)


def _replay(explanation: Explanation) -> Iterator[tuple[str, str]]:
    alert, replay = explanation.alert, explanation.replay
    if replay is None:
        yield "replay", "none; these are the figures that the alert itself keeps"
    elif alert is None:
        yield "model", f"{replay.model.version} of stream {explanation.stream}"
        yield "score", f"{_score(replay.score)}; {'an alert' if replay.alerts else 'no alert'}"
    elif explanation.repeats:
        yield "replay", "scored once more by the same model, with the same result"
    else:
        whose = "the same model" if alert.model == replay.model else f"model {replay.model.version}"
        yield (
            "replay",
            f"scored alone by {whose}: {_score(replay.score)}; {'an alert' if replay.alerts else 'no alert'}",
        )


def _notes(explanation: Explanation) -> Iterator[tuple[str, str]]:
    if explanation.replay is not None and (unread := _unread(explanation.replay)):
        yield "unused", unread
    for note in explanation.notes:
        yield "note", note


def _unread(replay: Replay) -> str:
    names = ", ".join(printable(name, CELL) for name in replay.unread[:UNREAD])
    more = len(replay.unread) - UNREAD
    return f"{names} and {more:,} more" if more > 0 else names


def _score(score: Score) -> str:
    rare = "" if score.p_value is None else f"; rarity among benign records: {one_in(bans(score.p_value))}"
    return f"{compared(score.value, score.threshold)}, limit {score.threshold:g}{rare}; plain L1 score {score.l1:.3g}"


def _fields(explanation: Explanation) -> Iterator[FieldFinding]:
    """Every field, those of the alert as it told them unless the replay repeats them."""
    alert, replay = explanation.alert, explanation.replay
    told = () if alert is None or explanation.repeats_fields or explanation.other_model else alert.fields
    yield from told
    names = {finding.name for finding in told}
    for finding in () if replay is None else replay.fields:
        if finding.name not in names:
            yield structs.replace(finding, contribution=math.nan) if told else finding


def _table(findings: Iterator[FieldFinding], *, alerts: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for name in ("field", "actual", "expected", "benign"):
        table.add_column(name, overflow="fold")
    table.add_column("blame", justify="right", no_wrap=True)
    table.add_column("rarity", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for finding in findings:
        table.add_row(*map(_text, (*_cells(finding), _reason(finding, alerts=alerts))))
    return table


def _cells(finding: FieldFinding) -> tuple[str, ...]:
    expected = "" if finding.expected is None else printable(shown(finding.expected), CELL)
    share = "" if math.isnan(finding.contribution) else f"{finding.contribution:.0%}"
    rare = "" if finding.rarity is None else one_in(finding.rarity)
    actual = printable(shown(finding.actual), CELL)
    return printable(finding.name, CELL), actual, expected, finding.benign_range, share, rare


def _reason(finding: FieldFinding, *, alerts: bool) -> str:
    """Why it is unusual, if it is: encoders give a reason for every value that they are asked about."""
    unusual = alerts if finding.rarity is None else not common(finding.rarity)
    return finding.reason if unusual and finding.contribution >= LITTLE else ""


def _text(text: str) -> Text:
    return Text(printable(text, LONGEST))
