"""Events in time: where they lie in the input, which were found, and how long that took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitor.reporting.evaluation import Event, EventScores
from monitor.reporting.figures.style import (
    ANOMALOUS,
    BENIGN,
    MANY_POINTS,
    THIRD,
    count_ticks,
    legend_below,
    new_figure,
    number_ticks,
    share_ticks,
    styled,
)
from monitor.reporting.wording import short

MOST_KEYS = 12
"""Keys with a line of their own, those with the most events; the others share one."""

DENSE = 60
"""With more events a line, on average, their marks are small."""

OTHERS = "other keys"


@styled
def event_plot(scores: EventScores, records: int) -> Figure:
    """A timeline by key over ``records`` records of input, and how many events were found within which delay."""
    names = _names(scores.events)
    figure = new_figure(4.1 + 0.28 * max(len(names), 1))
    upper, lower = figure.subplots(2, 1, height_ratios=(0.9 + 0.28 * max(len(names), 1), 2.4))
    _timeline(upper, scores.events, names, records)
    _delays(lower, scores.events)
    legend_below(figure, upper, lower, columns=3, marks=1.5)
    return figure


def _names(events: Sequence[Event]) -> list[str | None]:
    """The keys with lines of their own, in the order of their first event; None stands for no key."""
    counts = Counter(event.key for event in events)
    most = {key for key, _ in counts.most_common(MOST_KEYS)}
    return [key for key in dict.fromkeys(event.key for event in events) if key in most]


def _timeline(axes: Axes, events: Sequence[Event], names: Sequence[str | None], records: int) -> None:
    lines = {name: at for at, name in enumerate(names)}
    others = any(event.key not in lines for event in events)
    many, dense = len(events) > MANY_POINTS, len(events) > DENSE * len(names)
    for name, found, color, marker, height in (
        ("found", True, THIRD, "o", 9),
        ("missed", False, ANOMALOUS, "X", 5),
    ):
        chosen = [event for event in events if (event.delay_records is not None) == found]
        if not chosen:
            continue
        places = np.array([lines.get(event.key, len(names)) for event in chosen])
        firsts = np.array([event.first for event in chosen])
        lengths = np.array([event.last - event.first + 1 for event in chosen])
        axes.hlines(
            places, firsts - 0.5, firsts + lengths - 0.5, colors=color, alpha=0.4, linewidth=height, rasterized=many
        )
        # An event of a few records among a million is thinner than a pixel: the mark shows that it is there.
        axes.scatter(
            firsts + (lengths - 1) / 2, places, marker=marker, s=6 if dense else 22, c=color, zorder=3, rasterized=many,
            label=f"{name} ({len(chosen):,})",
        )  # fmt: skip
    shown = [short(name, 24) if name is not None else "all records" for name in names] + [OTHERS] * others
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.set_xlim(0, max(records, 1))
    count_ticks(axes.xaxis)
    axes.set_title("Events: runs of anomalous records")
    axes.set_xlabel("place in the input (records, from 0)")
    axes.set_ylabel("key")


def _delays(axes: Axes, events: Sequence[Event]) -> None:
    found = [event for event in events if event.delay_records is not None]
    timed = bool(found) and all(event.delay_seconds is not None for event in found)
    unit = "seconds" if timed else "records"
    delays = np.sort([float((e.delay_seconds if timed else e.delay_records) or 0) for e in found])
    shares = np.arange(1, len(delays) + 1) / max(len(events), 1)
    longest = float(delays.max(initial=1.0))
    end = longest * 1.3
    axes.step(
        [0.0, *delays, end], [0.0, *shares, shares[-1] if len(shares) else 0.0], where="post", color=BENIGN,
        label="found within the delay",
    )  # fmt: skip
    axes.set_xscale("symlog", linthresh=10, linscale=1) if longest > 100 else axes.set_xscale("linear")
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.04)
    number_ticks(axes.xaxis)
    share_ticks(axes.yaxis)
    axes.set_title("Delay until the first alert")
    axes.set_xlabel(f"delay after the first record of the event ({unit}{', log scale beyond 10' * (longest > 100)})")
    axes.set_ylabel("share of all events")
