"""Lines become records of several lines, in constant memory: however they arrive, the same records come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.arrow import pc
from monitor.core.cuts import between
from monitor.core.input_config import MultilineConfig
from monitor.ingest.charset import LINE_FEED, Charset
from monitor.ingest.lines import Lines, joined

_UTF8 = Charset("utf-8", "\n")


class Grouper:
    """Joins lines of one file. The last record is held back: the next line may belong to it.

    Of a record that is too long the first lines and bytes are kept (whole characters only), the rest is counted.

    Args:
        config: which lines belong together, and how many at the most.
        cap: most bytes of a record, whatever ``config`` allows.
    """

    def __init__(self, config: MultilineConfig, cap: int) -> None:
        self._pattern = config.start or config.continuation
        self._starts = config.start is not None
        self._max_lines = config.max_lines
        self._max_bytes = min(cap, config.max_bytes or cap)
        self._held: Lines | None = None  # one record, with its delimiter
        self._held_lines = 0
        self._full = False  # what is held has reached a limit: nothing more is added to it

    def push(self, lines: Lines) -> Lines | None:
        """The records that are complete now, and behind them the one that is held back; None when it is the only one.

        ``lines`` are in UTF-8, ended by line feeds.
        """
        lines = _without_returns(lines)
        heads = self._heads(lines)
        counts = np.ones(len(lines), dtype=np.int64)
        if self._held is not None:
            lines = joined(self._held, lines)
            heads = np.concatenate([[True], heads])
            counts = np.concatenate([[self._held_lines], counts])
        heads[0] = True
        firsts = np.flatnonzero(heads)
        groups = self._grouped(lines, firsts, counts)
        self._held_lines = int(counts[firsts[-1] :].sum())
        self._held = _with_delimiter(groups.rows(len(groups) - 1, len(groups)))
        return groups if len(groups) > 1 else None

    def flush(self) -> Lines | None:
        """The record that is held back, complete as it stands; None when there is none."""
        held = self._held
        self._held, self._held_lines, self._full = None, 0, False
        return held

    def _heads(self, lines: Lines) -> Bools:
        """Which lines begin a record, [n]."""
        texts = between(lines.text, lines.starts, lines.ends)
        matches = pc.match_substring_regex(texts, self._pattern).to_numpy(zero_copy_only=False)
        heads: Bools = matches == self._starts
        return heads

    def _grouped(self, lines: Lines, firsts: I64, counts: I64) -> Lines:
        """One record for each of ``firsts``, the rows that begin one; ``counts`` are the lines in each row."""
        lasts = np.append(firsts[1:], len(lines)) - 1
        starts, stops = lines.starts[firsts], lines.ends[lasts]
        kept = self._kept(firsts, lasts, counts)
        ends, full = self._ends(lines.text, starts, stops, lines.ends[kept])
        if self._full:
            ends[0], full[0] = lines.ends[0], True
        self._full = bool(full[-1])
        groups = Lines(
            lines.text,
            starts,
            ends,
            lines.offsets[firsts],
            np.logical_or.reduceat(lines.truncated, firsts) | full,
            np.add.reduceat(lines.dropped, firsts) + stops - ends,
            np.add.reduceat(lines.skipped, firsts),
            np.add.reduceat(lines.replaced, firsts),
        )
        long = np.flatnonzero(ends < stops)
        return groups.without(ends[long], stops[long])

    def _kept(self, firsts: I64, lasts: I64, counts: I64) -> I64:
        """The last row of each group that is within the limit of lines; at least its first."""
        if int((lasts - firsts).max()) + self._held_lines < self._max_lines:
            return lasts
        reached = np.cumsum(counts)
        before = reached[firsts] - counts[firsts]
        return np.clip(np.searchsorted(reached, before + self._max_lines, side="right") - 1, firsts, lasts)

    def _ends(self, text: bytes, starts: I64, stops: I64, ends: I64) -> tuple[I64, Bools]:
        """Where each record ends within the limits, and whether it has reached one."""
        ends = ends.copy()
        for row in np.flatnonzero(ends - starts > self._max_bytes).tolist():
            start = int(starts[row])
            ends[row] = start + len(_UTF8.whole(text[start : start + self._max_bytes]))
        return ends, ends < stops


def _without_returns(lines: Lines) -> Lines:
    """The lines ended by a line feed alone; within a record, ``\\r\\n`` is the end of a line, not a part of it."""
    stops = np.append(lines.starts[1:], len(lines.text)) - 1
    stops[-1] += not lines.ended(LINE_FEED)
    returned = np.flatnonzero(stops > lines.ends)
    return lines.without(lines.ends[returned], stops[returned])


def _with_delimiter(record: Lines) -> Lines:
    return record if record.ended(LINE_FEED) else replace(record, text=record.text + LINE_FEED)
