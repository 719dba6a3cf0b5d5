"""Labels as windows of time: a record inside one is anomalous, one outside is benign, one without time has no label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.errors import DataError
from monitor.core.names import listed, quoted
from monitor.core.records import RecordBatch
from monitor.reporting.labels import ANOMALOUS, BENIGN, UNLABELLED, Codes

KEYS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows [w] in seconds since 1970 UTC, both ends belonging to them; they may overlap and have any order."""

    starts: F64  # [w]
    ends: F64  # [w]

    def hold(self, times: F64) -> Bools:
        """Which times [n] lie in a window; NaN in none."""
        order = np.argsort(self.starts)
        latest = np.maximum.accumulate(np.append(-np.inf, self.ends[order]))  # [w + 1] end of all that start before
        before = np.searchsorted(self.starts[order], times, side="right")
        return (times <= latest[before]) & (before > 0)

    def met(self, times: F64) -> Bools:
        """Which windows [w] hold at least one of the times [n]."""
        ordered = np.sort(times[~np.isnan(times)])
        first = np.searchsorted(ordered, self.starts, side="left")
        return first < np.searchsorted(ordered, self.ends, side="right")


@dataclass
class WindowLabels:
    """The windows of each file of the input; those under the empty name are for all files.

    A name stands for the file whose path is it or ends in it.
    """

    groups: Mapping[str, Windows]
    place: str
    _met: dict[str, Bools] = field(default_factory=dict[str, Bools])
    _first: float = np.inf
    _last: float = -np.inf

    def of(self, context: RecordBatch, records: Bools) -> Codes:
        name = self._name(context.raw.origin.path)
        windows = self.groups[name]
        times = np.full(len(records), np.nan) if context.times is None else context.times
        times = np.where(records, times, np.nan)
        known = times[~np.isnan(times)]
        self._first, self._last = (
            min(self._first, known.min(initial=np.inf)),
            max(self._last, known.max(initial=-np.inf)),
        )
        self._met[name] = self._met.get(name, np.zeros(len(windows.starts), dtype=np.bool_)) | windows.met(times)
        codes = np.where(windows.hold(times), ANOMALOUS, BENIGN)
        return np.where(np.isnan(times), UNLABELLED, codes).astype(np.int8)

    def finish(self) -> list[str]:
        met = np.concatenate([*self._met.values(), np.zeros(0, dtype=np.bool_)])
        if not len(met) or met.all():
            return []
        if not met.any():
            raise DataError(self._nothing_met(len(met)))
        return [f"{int((~met).sum()):,} of {len(met):,} labelled windows hold no record of the input"]

    def _name(self, path: str) -> str:
        """The group of a file; the longest name it ends in."""
        names = [name for name in self.groups if not name or f"/{path}".endswith(f"/{name}")]
        if not names:
            tail = path.rpartition("/")[2]
            names = [name for name in self.groups if name.rpartition("/")[2] == tail]
        if not names or (len(names) > 1 and not f"/{path}".endswith(f"/{max(names, key=len)}")):
            raise DataError(
                f"{self.place}: has no windows for the input {quoted(path)}; it has them for "
                f"{listed(list(self.groups)[:KEYS_SHOWN])}{', …' * (len(self.groups) > KEYS_SHOWN)}"
                "; a name stands for the file whose path ends in it, and a plain list of windows for every file"
            )
        return max(names, key=len)

    def _nothing_met(self, windows: int) -> str:
        used = [self.groups[name] for name in self._met]
        first, last = min(w.starts.min() for w in used if len(w.starts)), max(w.ends.max() for w in used if len(w.ends))
        if self._first > self._last:
            return f"{self.place}: no record of the input has an event time, so none lies in a window; look at `time:`"
        return (
            f"{self.place}: none of the {windows:,} windows holds a record: the windows go from {_shown(first)} to "
            f"{_shown(last)}, the input from {_shown(self._first)} to {_shown(self._last)}; is it the right file, "
            "and the right time zone in `time:`?"
        )


def _shown(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
