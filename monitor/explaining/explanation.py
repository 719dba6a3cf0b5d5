"""One record explained in full: what its alert said, and what a model says of it when it is scored once more."""

from __future__ import annotations

import math

import msgspec

from monitor.core.alerts import Alert, FieldFinding, ModelRef, Score

SCHEMA = "aemonitor.explanation/v1"

CLOSE = 1e-4
"""Scores that differ by less, relative or absolute, are the same: two processors differ by as much."""


class Replay(msgspec.Struct, frozen=True):
    """What a model says of a record that is scored alone: nothing is remembered of records before it.

    ``fields`` has every one that the model reads, the one to blame most first; ``unread`` names those of the record
    that nothing reads. ``past`` names features that depend on earlier records, ``averaged`` is how many scores of a
    key the model averages.
    """

    model: ModelRef
    score: Score
    alerts: bool
    summary: str
    fields: tuple[FieldFinding, ...]
    unread: tuple[str, ...]
    past: tuple[str, ...]
    averaged: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """``alert`` is None for a record that is no alert's; without ``replay`` the model is not there any more.

    ``notes`` say in what the replay may differ from what the daemon saw. Where they differ, the alert is right.
    """

    schema: str = SCHEMA
    stream: str
    alert: Alert | None
    replay: Replay | None
    notes: tuple[str, ...] = ()

    @property
    def repeats_fields(self) -> bool:
        """Whether the replay saw in every field what the alert did: then the plain errors are equal."""
        return self._agree("l1")

    @property
    def repeats(self) -> bool:
        """Whether the replay arrived at the very figures of the alert."""
        return self.repeats_fields and self._agree("value")

    @property
    def other_model(self) -> bool:
        """Whether another model than the one that raised the alert was asked."""
        return self.alert is not None and self.replay is not None and self.alert.model != self.replay.model

    def _agree(self, name: str) -> bool:
        if self.alert is None or self.replay is None or self.other_model:
            return False
        stored, found = getattr(self.alert.score, name), getattr(self.replay.score, name)
        return math.isclose(stored, found, rel_tol=CLOSE, abs_tol=CLOSE)
