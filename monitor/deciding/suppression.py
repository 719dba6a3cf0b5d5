"""Rules of which alerts nobody need be told; the first that holds counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.records import Field, RecordBatch
from monitor.core.suppress_config import SuppressConfig
from monitor.deciding.calendars import Calendar
from monitor.deciding.conditions import meet, wanted
from monitor.deciding.weekly import Weekly

NOBODY = ""
"""Stands for the rule of an alert that none suppresses."""


class Rule:
    """One of them, ready to be asked; its calendar is read when it is made (see ``Calendar`` for what that raises)."""

    def __init__(self, config: SuppressConfig) -> None:
        self.name = config.name
        self._conditions = config.fields
        self._end = np.inf if config.end is None else config.end
        self._times: list[Weekly | Calendar] = []
        if config.weekly:
            self._times.append(Weekly(config.weekly, config.timezone))
        if config.calendar is not None:
            self._times.append(Calendar(config.calendar, config.timezone))

    @property
    def fields(self) -> list[Field]:
        """The columns it reads."""
        return wanted(self._conditions)

    def hold(self, records: RecordBatch, times: F64) -> Bools:
        """For which records [n], which happened at ``times`` [n], it holds."""
        held = (times <= self._end) & meet(self._conditions, records)
        if self._times and held.any():
            held &= np.logical_or.reduce([each.hold(times) for each in self._times])
        return held


class Suppression:
    """The rules of a stream, in order."""

    def __init__(self, rules: Sequence[SuppressConfig]) -> None:
        self._rules = [Rule(rule) for rule in rules]

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [rule.name for rule in self._rules]

    @property
    def fields(self) -> list[Field]:
        """The columns they read, each once, sorted."""
        return sorted({field for rule in self._rules for field in rule.fields})

    def by(self, records: RecordBatch, times: F64) -> list[str]:
        """The rule that suppresses each of some records [n] with ``fields``, or NOBODY."""
        found = np.full(len(records), -1)
        for number, rule in enumerate(self._rules):
            left = found < 0
            found[left & rule.hold(records, times)] = number
        return [self._rules[number].name if number >= 0 else NOBODY for number in found.tolist()]
