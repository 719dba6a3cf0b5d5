"""The alert as it is stored and sent (schema ``aemonitor.alert/v1``): one JSON object a line."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitor.core.places import place

SCHEMA = "aemonitor.alert/v1"

SILENCE = "silence"
"""What is blamed for an alert that is of no record, since none came."""

Value = float | int | str | bool | None


class SourceRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the record stands: ``offset`` in bytes from the start of the file's epoch, or the number of a message."""

    path: str
    offset: int
    file_id: str = ""
    epoch: int = 0

    def text(self) -> str:
        """For a person. A silence may be of no file, and then it has no place in one."""
        return place(self.file_id, self.path, self.offset) if self.file_id or self.offset else self.path


class Score(msgspec.Struct, frozen=True):
    """``l1``: 0 = best benign, 1 = worst benign calibration record, above 1 = worse than anything benign.

    ``p_value`` is the estimated share of benign records that are as rare as this one (itself, where ``value`` is an
    average of several); None where the score does not tell.
    """

    l1: float
    value: float
    threshold: float
    p_value: float | None = None


class FieldFinding(msgspec.Struct, frozen=True):
    """One field of an alert, in its own units; ``contribution`` is its share of the blame, 0 to 1.

    ``rarity`` is how rare its part of the record is in bans: 3 means that it errs as much in one benign record in a
    thousand. None where the score does not tell.
    """

    name: str
    actual: Any
    expected: Any
    benign_range: str
    contribution: float
    reason: str
    rarity: float | None = None


class ModelRef(msgspec.Struct, frozen=True):
    """The exact model version that scored the record."""

    version: str
    sha256: str


class EpisodeRef(msgspec.Struct, frozen=True):
    """The episode that an alert tells, as it stands then: ``id`` is that of the alert that told it first.

    ``first`` and ``last`` are the event times of its alerting records, RFC 3339 UTC; ``peak`` is their highest score.
    ``keys`` is how many different keys alerted: of a storm, many.
    """

    id: str
    first: str | None
    last: str | None
    peak: float
    keys: int = 1


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One anomalous record, or the first of an episode of ``count`` so far.

    ``id`` is stable over replays, so a receiver can recognise a repetition. With the ``state`` resolved it is the same
    alert once more, now that its episode is over. Two states are never sent: ``held``, until it is clear that it is not
    one of many, and ``suppressed``; ``suppressed_by`` says by which rule.
    """

    schema: str = SCHEMA
    id: str
    fingerprint: str
    state: str = "firing"
    severity: str
    stream: str
    key: str | None
    time: str | None  # event time, RFC 3339 UTC
    detected_at: str  # RFC 3339 UTC
    source: SourceRef
    count: int = 1
    episode: EpisodeRef | None = None
    score: Score
    fields: tuple[FieldFinding, ...]
    summary: str
    raw: str
    model: ModelRef
    host: str
    suppressed_by: str | None = None


def alert_id(stream: str, file_id: str, epoch: int, offset: int) -> str:
    """A 128-bit hex id that depends on nothing but the record's place.

    >>> alert_id("web", "f", 0, 10) == alert_id("web", "f", 0, 10) != alert_id("web", "f", 0, 11)
    True
    """
    place = f"{stream}\0{file_id}\0{epoch}\0{offset}".encode()
    return hashlib.blake2b(place, digest_size=16).hexdigest()


def fingerprint(stream: str, key: str | None, fields: tuple[str, ...]) -> str:
    """A hex id that alerts of the same kind share: the stream, the key and the fields blamed most."""
    return hashlib.blake2b("\0".join((stream, key or "", *fields)).encode(), digest_size=8).hexdigest()
