"""The records that `score --top` and `--lowest` show, as a person reads them on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.cli.picture import draw
from monitor.core.printable import printable
from monitor.explaining.text import shown
from monitor.reporting.evaluation import Picture
from monitor.reporting.score_rows import FieldValues, ScoreRow

MOST_FIELDS = 12
"""Fields shown of one record; the rest are counted."""

VALUE_CHARACTERS = 60

HEADINGS = {"top": "Most anomalous first", "lowest": "Prototypes of normal, best reproduced first"}


def print_rows(console: Console, rows: Sequence[ScoreRow], pictures: dict[str, list[Picture]]) -> None:
    """A table for each group that is there; of images the first one of the group is drawn below its table."""
    for group, heading in HEADINGS.items():
        chosen = [row for row in rows if row.group == group]
        if not chosen:
            continue
        console.print(_table(chosen, heading))
        for picture in pictures.get(group, [])[:1]:
            console.print(Text(f"line {picture.line}{_label(picture)}", style="bold"))
            many = console.color_system in ("256", "truecolor") and not console.no_color
            console.print(draw(picture, console.width, colours=many), no_wrap=True, crop=True)


def _label(picture: Picture) -> str:
    return f" · label {printable(picture.label)}" if picture.label else ""


def _table(rows: Sequence[ScoreRow], heading: str) -> Table:
    files = len({row.file for row in rows}) > 1
    squared = any(row.squared_error is not None for row in rows)
    table = Table(title=heading, title_justify="left", title_style="bold", show_lines=True)
    table.add_column("score", justify="right", no_wrap=True)
    if squared:
        table.add_column("squared error", justify="right")
    table.add_column("file:line" if files else "line", justify="right", overflow="fold")
    table.add_column("record", ratio=1)
    for row in rows:
        score = Text(f"{row.score:.4g}", style="bold red" if row.alert else "")
        place = Text(f"{printable(row.file)}:{row.line}" if files else str(row.line))
        error = [Text(f"{row.squared_error:.4g}")] if squared else []
        table.add_row(score, *error, place, _record(row))
    return table


def _record(row: ScoreRow) -> RenderableType:
    """The sentence of the alert, if there is one, above the fields."""
    fields = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("field", "actual", "reconstructed"):
        fields.add_column(name, overflow="fold")
    for name, values in list(row.fields.items())[:MOST_FIELDS]:
        fields.add_row(Text(printable(name, VALUE_CHARACTERS)), _value(values.actual), _guess(values))
    parts: list[RenderableType] = [Text(printable(row.summary, 1000))] if row.summary else []
    parts.append(fields)
    if more := len(row.fields) - MOST_FIELDS:
        parts += [Text(f"and {more} more; --format jsonl has them all", style="dim")] if more > 0 else []
    return Group(*parts)


def _value(value: object) -> Text:
    return Text(printable(_shown(value), VALUE_CHARACTERS))


def _shown(value: object) -> str:
    """Numbers with more digits than a sentence has: here they are compared.

    >>> _shown(85656.86), _shown(0.1234567), _shown(41.0), _shown(1234567.8)
    ('85656.9', '0.123457', '41', '1234568')
    """
    if not isinstance(value, float) or not math.isfinite(value) or value.is_integer():
        return shown(value)
    return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def _guess(values: FieldValues) -> Text:
    """Nothing where the encoding cannot be undone; what differs stands out."""
    if not values.decoded:
        return Text("")
    same = _shown(values.actual) == _shown(values.reconstructed)
    text = _value(values.reconstructed)
    text.stylize("" if same else "yellow")
    return text
