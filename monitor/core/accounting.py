"""What one batch did, to be made durable in one transaction: progress, counts, alerts, dead letters, memories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from monitor.core.alerts import Alert, EpisodeRef
from monitor.core.fingerprint import Prefix, prefixes, repeated
from monitor.core.records import Mark, Origin


@dataclass(frozen=True, slots=True)
class Position:
    """Everything before ``offset`` of this epoch of this file has been dealt with.

    ``tail`` is the <= 256 bytes before ``offset``; the ledger keeps a hash of them to recognise the file again.
    """

    origin: Origin
    offset: int
    tail: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """Whole numbers of records (and bytes) since the ledger was made, or the change one batch brings.

    The accounting identity: ``read = scored + unparsed + filtered + sampled_out`` for everything committed.
    """

    read: int = 0
    scored: int = 0
    unparsed: int = 0
    filtered: int = 0
    sampled_out: int = 0
    alerts: int = 0
    bytes: int = 0
    truncated: int = 0
    replaced_bytes: int = 0
    dropped_bytes: int = 0
    skipped_bytes: int = 0
    episodes: int = 0  # begun: alerts of a key that are close in time are one
    told: int = 0  # alerts that went to the sinks, those that resolve an episode not counted

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def balanced(self) -> bool:
        """Whether every record read is in exactly one of the other states."""
        return self.read == self.scored + self.unparsed + self.filtered + self.sampled_out


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be parsed: where it stands, why, and its first bytes."""

    origin: Origin
    offset: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What a part of a stream, such as a feature, remembers of keys, wherever that is held (see ``KeyedEncoder``).

    ``made_by`` tells what the numbers mean, as the feature's kind, field and options do: only a part that has the same
    can go on with them. ``state`` reads the whole of it; it raises StateError when it is damaged.
    """

    made_by: str
    state: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """What a batch changed in the memory of that ``name``, the feature's: the ``KeyedChanges`` of its encoder.

    ``moves``: it is what the scores of the keys' next records depend on, whichever daemon reads these.
    """

    name: str
    made_by: str
    updated: Mapping[str | None, Sequence[float]]
    forgotten: Sequence[str | None] = ()
    moves: bool = False


def changed(memory: Memory, change: MemoryChange) -> Memory:
    """The same memory after a change."""

    def state() -> Mapping[str, Any]:
        held = memory.state()
        values = dict(zip(held["keys"], held["values"], strict=True))
        for key in (*change.forgotten, *change.updated):
            values.pop(key, None)
        values |= change.updated
        return {**held, "keys": list(values), "values": list(values.values())}

    return Memory(memory.made_by, state)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An origin was another daemon's up to this position, and this is what that remembered of its keys there."""

    position: Position
    memories: Sequence[MemoryChange]


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A limit that follows moved from ``old`` to ``new`` within a batch, for a reason that a person is told."""

    old: float
    new: float
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """An episode that is over: ``count`` records alerted in it. ``summary`` says so in one sentence."""

    episode: EpisodeRef
    count: int
    detected_at: str
    summary: str


@dataclass(frozen=True, slots=True)
class Release:
    """A held alert that is sent now. Where there is ``now``, that is how its episode stands.

    Then the sentence of the alert follows that of ``now``.
    """

    id: str
    now: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The complete result of a batch of one stream. Committed as a whole or not at all.

    ``dropped`` names memories that are no longer of use; they go before ``memories`` are changed.
    ``suppressed`` is how many records alerted of which nobody is told, by the rule.
    ``withdrawn`` are the ids of held alerts that will not be sent, ``released`` are sent behind ``alerts``, and
    ``resolved`` behind these.
    """

    stream: str
    positions: Sequence[Position]
    counts: Counts
    alerts: Sequence[Alert] = ()
    dead_letters: Sequence[DeadLetter] = ()
    memories: Sequence[MemoryChange] = ()
    dropped: Sequence[str] = ()
    limit_changes: Sequence[LimitChange] = ()
    suppressed: Mapping[str, int] = field(default_factory=dict[str, int])
    withdrawn: Sequence[str] = ()
    released: Sequence[Release] = ()
    resolved: Sequence[Resolution] = ()


@dataclass(frozen=True, slots=True)
class FileState:
    """What the ledger knows of a file when a source is opened: where to go on, and the evidence it is the same file.

    ``marker`` is BLAKE2b-64 of the last ``tail_bytes`` (<= 256) bytes before ``offset`` (see ``tail_marker``): fewer
    than 256 are known after a start until that many were read. ``committed_at`` is in seconds since 1970, 0 = unknown.
    ``marks`` are places before ``offset`` in the same epoch: a copy that ends before ``offset`` is known by them.
    ``prefixes`` is by what the head is known where the origin has none, since the ledger keeps no text of it.
    """

    origin: Origin
    offset: int
    marker: bytes
    tail_bytes: int = 256
    committed_at: float = 0.0
    marks: tuple[Mark, ...] = ()
    prefixes: tuple[Prefix, ...] = ()

    @classmethod
    def behind(cls, position: Position, committed_at: float, before: FileState | None = None) -> FileState:
        """What is known of a file once ``position`` is committed; ``before`` was known of it until then."""
        tail, head = position.tail[-TAIL_BYTES:], position.origin.head
        passed: tuple[Mark, ...] = ()
        known: tuple[Prefix, ...] = ()
        if before is not None and before.origin.epoch == position.origin.epoch:
            passed = marked(before.marks, Mark(before.offset, before.marker, before.tail_bytes), position.offset)
            known = before.prefixes
        if head and (not known or known[-1].size != len(head)):  # of an epoch the beginning may grow, never change
            known = prefixes(head)
        if not passed:
            passed = tuple(mark for mark in position.origin.early if mark.offset < position.offset)
        return cls(
            replace(position.origin, head=b"", early=()), position.offset, tail_marker(tail), len(tail), committed_at,
            passed, known or (before.prefixes if before is not None else ()),
        )  # fmt: skip

    @property
    def head_bytes(self) -> int:
        """How much of the beginning of the file is known."""
        return len(self.origin.head) or (self.prefixes[-1].size if self.prefixes else 0)

    def repeated(self, beginning: bytes) -> int | None:
        """How many of the first bytes of a file, given as far as this one's are known, are the same; None: others.

        In a file that is shorter than what is known: all of them or, where no text is known, those of whole lines.
        """
        if self.prefixes and not self.origin.head:
            return repeated(self.prefixes, beginning)
        known = self.origin.head
        common = min(len(known), len(beginning))
        return common if known[:common] == beginning[:common] else None


MAX_MARKS = 32
"""Places remembered of a file, of 18 bytes each."""


def marked(marks: tuple[Mark, ...], mark: Mark, offset: int) -> tuple[Mark, ...]:
    """Remember the place ``mark`` that was passed on the way to ``offset``, if anything is known of it.

    When there are too many, every other one of the older half is forgotten. So they lie closer together the nearer they
    are to the last one, whatever the length of the file.
    """
    if not mark.tail_bytes or mark.offset >= offset:
        return marks
    if len(marks) >= MAX_MARKS:
        marks = marks[: MAX_MARKS // 2 : 2] + marks[MAX_MARKS // 2 :]
    return (*marks, mark)


TAIL_BYTES = 256
"""How many bytes before the committed offset identify a file: enough to differ between two logs, 3 us to hash."""


def tail_marker(tail: bytes) -> bytes:
    """BLAKE2b-64 of the last ``TAIL_BYTES`` of ``tail``.

    >>> len(tail_marker(b"abc"))
    8
    """
    return hashlib.blake2b(tail[-TAIL_BYTES:], digest_size=8).digest()
