"""What `aemonitor check --sample` found, as a person reads it: what is wrong, one line for each thing configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from monitor.core.printable import printable
from monitor.reporting.wording import side_by_side

if TYPE_CHECKING:
    from monitor.app.checking import Checked
    from monitor.app.sample_items import Item

SHOWN = 40
"""Features with nothing to warn of, and unused fields, are listed up to so many: a person looks for what is wrong."""

REASONS = 3
"""Of the reasons why records do not parse, so many are shown, the most frequent ones."""

NAME_CHARACTERS = 40
LINE_CHARACTERS = 240


def as_text(checked: Checked) -> str:
    """The report, its lines ended by line feeds."""
    rows = [_row(item) for item in _shown(checked.items)]
    rows += [("", "unused", *_cells(c.name, c.kind or "-", c.reason)) for c in checked.unused[:SHOWN]]
    lines = [_heading(checked)]
    for row, text in zip(rows, side_by_side(rows, words=range(5)), strict=True):
        lines.append(printable(text, LINE_CHARACTERS))
        if row[1] == "records":
            lines += _reasons(checked)
    lines += _more(checked)
    return "\n".join(lines) + "\n"


def as_data(checked: Checked) -> dict[str, Any]:
    """Everything, for JSON."""
    from dataclasses import asdict

    items = [asdict(item) | {"level": item.level} for item in checked.items]
    return asdict(checked) | {"items": items, "unused": [asdict(choice) for choice in checked.unused]}


def _heading(checked: Checked) -> str:
    first = "" if checked.whole else "the first "
    count = f"{checked.records:,} record{'s' * (checked.records != 1)}"
    return printable(f"{checked.stream}: {first}{count} of {', '.join(checked.files)}", LINE_CHARACTERS)


def _shown(items: tuple[Item, ...]) -> Iterator[Item]:
    """All that is to be warned of, and of the rest the first."""
    quiet = 0
    for item in items:
        quiet += item.level == "ok"
        if item.level != "ok" or quiet <= SHOWN:
            yield item


def _row(item: Item) -> tuple[str, ...]:
    level = "" if item.level == "ok" else item.level.upper()
    return (level, item.subject, *_cells(item.name, item.kind, "; ".join(remark.text for remark in item.remarks)))


def _cells(name: str, kind: str, text: str) -> tuple[str, str, str]:
    return printable(name, NAME_CHARACTERS), kind, text


def _reasons(checked: Checked) -> Iterator[str]:
    """Why records do not parse, each with the first such line."""
    for reason in checked.reasons[:REASONS]:
        yield f"    {reason.records:,} x {reason.reason}; first {reason.file}:{reason.line}: {reason.text}"
    if len(checked.reasons) > REASONS:
        yield f"    and {len(checked.reasons) - REASONS:,} more reasons"


def _more(checked: Checked) -> Iterator[str]:
    if left := len(checked.items) - len(list(_shown(checked.items))):
        yield f"and {left:,} more features with nothing to warn of"
    if left := len(checked.unused[SHOWN:]):
        yield f"and {left:,} more unused fields"
