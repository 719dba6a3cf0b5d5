"""What ``top`` shows: one line a stream, and the newest episodes below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.core.names import plural
from monitor.core.printable import printable

if TYPE_CHECKING:
    from monitor.app.remote import View
    from monitor.web.api.answers import Episode, Status, Stream

STYLES = {"critical": "bold red", "warning": "yellow"}
UNITS = ("B", "kB", "MB", "GB", "TB")


def view(found: View) -> RenderableType:
    """All of it; nothing of a record can reach the terminal but as text."""
    parts: list[RenderableType] = [_verdict(found.status), _streams(found.streams)]
    if found.episodes:
        parts += [Text("newest episodes", style="bold"), _episodes(found.episodes)]
    return Group(*parts)


def trouble(error: Exception) -> RenderableType:
    """Why nothing can be shown just now."""
    return Text(printable(str(error), 500), style="bold red")


def amount(count: float) -> str:
    """Bytes as a person reads them.

    >>> amount(999), amount(12_340), amount(5e15)
    ('999 B', '12.3 kB', '5000.0 TB')
    """
    power = 0
    while count >= 1000 and power < len(UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.{min(power, 1)}f} {UNITS[power]}"


def _verdict(status: Status) -> Text:
    open_episodes = plural(status.open_episodes, "episode goes", "episodes go") + " on"
    calm = status.healthy and status.ready
    words = [f"aemonitor {status.version}", "healthy" if calm else "; ".join(status.troubles), open_episodes]
    return Text(" · ".join(printable(word, 300) for word in words), style="bold" if calm else "bold red")


def _streams(streams: list[Stream]) -> Table:
    table = _table("stream", "state", "records/s", "behind", "open", "a day", "expected", "limit")
    for each in streams:
        expected = "-" if each.expected_day is None else f"{each.expected_day:.3g}"
        state = Text(printable(f"{each.state}: {each.reason}" if each.reason else each.state, 120))
        numbers = [f"{each.records_per_second:,.1f}", amount(each.lag_bytes), f"{each.open_episodes:,}"]
        numbers += [f"{each.episodes_day:,}", expected, "-" if each.threshold is None else f"{each.threshold:g}"]
        table.add_row(Text(each.name), state, *(Text(number, justify="right") for number in numbers))
    return table


def _episodes(episodes: list[Episode]) -> Table:
    table = _table("id", "since", "state", "records", "peak", "what")
    for each in episodes:
        style = STYLES.get(each.severity, "") if each.state == "firing" else "dim"
        cells = (each.id[:8], each.first[:19], each.state, f"{each.count:,}", f"{each.peak:.3g}", each.summary)
        table.add_row(*(Text(printable(cell, 300), style=style, overflow="ellipsis") for cell in cells))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in {"state", "what"})
    return table
