"""When to look at what: busy files at every turn, quiet ones now and then, silent ones with the directory."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.sources._opening import Opener
from monitor.sources._tailed import TailedFile

ACTIVE_SECONDS = 10.0
"""A file written to within this time is looked at in every turn."""

SILENT_SECONDS = 60.0
"""A file not written to for this time is looked at by the scan alone, so that thousands of them cost nothing."""

RECONCILE_SECONDS = 10.0
"""How often directories are read although they seem unchanged: not every file system keeps time stamps faithfully."""

RECONCILE_SHARE = 0.005
"""What that may cost of the time: with a hundred thousand names in a directory it is done less often."""

SCAN_SHARE, LONGEST_SCAN_SECONDS = 0.01, 1.8
"""What the other scans may cost: with thousands of files they come later, but a line is found within two seconds."""

SHORT_SECONDS = 0.25
"""The next scan when files wait for a descriptor."""

HINTED_SECONDS = 0.05
"""Least time between two scans, however often the watch reports a change."""


class Row:
    """The files that take turns. ``active`` are looked at in every turn."""

    def __init__(self) -> None:
        self.active: list[TailedFile] = []
        self._idle: list[TailedFile] = []

    def arrange(self, files: Iterable[TailedFile], now: float) -> None:
        """Sort all files anew."""
        self.active, self._idle = [], []
        for file in files:
            quiet = now - file.quiet_since
            if not file.active:
                continue
            if file.leaving or file.ended or not file.drained or quiet < ACTIVE_SECONDS:
                self.active.append(file)
            elif quiet < SILENT_SECONDS:
                self._idle.append(file)

    def due(self, *, idle: bool) -> list[TailedFile]:
        """Whose turn it is, each once."""
        return list(dict.fromkeys([*self.active, *self._idle])) if idle else self.active

    def served(self, files: list[TailedFile]) -> None:
        """These had something: they are active, and stand behind the others next time."""
        if files:
            self.active = [file for file in self.active if file not in files] + files


class Schedule:
    """The times of scans and of looks at idle files, in monotonic seconds."""

    def __init__(self, scan_seconds: float, idle_seconds: float) -> None:
        self._scan_seconds = scan_seconds
        self._idle_seconds = idle_seconds
        self._last_scan = float("-inf")
        self._next_reconcile = self._next_idle = float("-inf")
        self.next_scan = float("-inf")
        self.scans = 0

    def scan_due(self, now: float, *, hinted: bool) -> bool:
        """Whether to look through the directories."""
        if hinted:
            self.next_scan = min(self.next_scan, self._last_scan + HINTED_SECONDS)
        return now >= self.next_scan

    def thorough(self, now: float) -> bool:
        """Whether this scan reads everything anew."""
        due = now >= self._next_reconcile
        if due:
            self._next_reconcile = now + RECONCILE_SECONDS
        return due

    def idle_due(self, now: float) -> bool:
        """Whether to look at idle files, too."""
        due = now >= self._next_idle
        if due:
            self._next_idle = now + self._idle_seconds
        return due

    def scanned(self, now: float, took_seconds: float, opener: Opener, *, once: bool) -> None:
        """A scan is over: when is the next one?"""
        self.scans += 1
        self._next_reconcile = max(self._next_reconcile, now + took_seconds / RECONCILE_SHARE)
        self._last_scan = now
        wait = max(self._scan_seconds, min(took_seconds / SCAN_SHARE, LONGEST_SCAN_SECONDS))
        self.next_scan = min(now + wait, opener.retries.next_time(now))
        if opener.short:
            self.next_scan = now if once else min(self.next_scan, now + SHORT_SECONDS)
