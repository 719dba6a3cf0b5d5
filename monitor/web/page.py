"""The status page: one small page without scripts, every value escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from monitor.core.printable import printable
from monitor.telemetry import StreamOverview

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>aemonitor</title>
<style>
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { padding: 0.3em 0.8em; border-bottom: 1px solid #ccc; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #a00000; }
</style>
</head>
<body>
<h1>aemonitor</h1>
<p><a href="metrics">metrics</a> <a href="-/healthy">health</a> <a href="-/ready">readiness</a></p>
"""
_COLUMNS = ("read", "scored", "unparsed", "in flight", "alerts", "bytes behind")


def status_page(streams: Sequence[StreamOverview], troubles: Sequence[str]) -> str:
    """The page as HTML. ``troubles`` are the reasons for not being healthy or ready."""
    return "".join((_HEAD, _troubles(troubles), _table(streams), "</body>\n</html>\n"))


def _troubles(troubles: Sequence[str]) -> str:
    if not troubles:
        return "<p>Healthy and ready.</p>\n"
    items = "".join(f"<li>{_text(trouble)}</li>\n" for trouble in troubles)
    return f'<ul class="bad">\n{items}</ul>\n'


def _table(streams: Sequence[StreamOverview]) -> str:
    if not streams:
        return "<p>No stream is running.</p>\n"
    numbers = "".join(f'<th class="number">{column}</th>' for column in _COLUMNS)
    rows = "".join(_row(stream) for stream in streams)
    return f"<table>\n<tr><th>stream</th><th>model</th><th>threshold</th>{numbers}</tr>\n{rows}</table>\n"


def _row(stream: StreamOverview) -> str:
    counts = (stream.read, stream.scored, stream.unparsed, stream.in_flight, stream.alerts, stream.lag_bytes)
    cells = (
        f"<td>{_text(stream.name)}</td>",
        f"<td>{_text(stream.version or 'none')}</td>",
        f"<td>{'-' if stream.threshold is None else f'{stream.threshold:g}'}</td>",
        *(f'<td class="number">{count:,}</td>' for count in counts),
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def _text(text: str) -> str:
    return escape(printable(text, 500))
