"""What a plugin promises and what it may rely on.

A plugin is one file ``monitor/<group>/<kind>.py`` with

* a module docstring, whose first line stands in the documentation,
* ``Config``: a frozen ``StrictModel`` (unknown keys are errors),
* ``EXAMPLE``: a YAML text of its options that the contract tests build and run,
* ``build(config, ...)``: makes the object; the arguments after ``config`` are the group's, given below.

The module's name is the name users write. Heavy or optional libraries are imported inside the plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from monitor.core.accounting import Arrival, FileState, MemoryChange, Position
from monitor.core.arrays import F32, Column
from monitor.core.clock import Clock
from monitor.core.records import Chunk, Field, Messages, RawBatch, RecordBatch
from monitor.core.strict import StrictModel


class SourceEvents(Protocol):
    """What a source reports of itself; the telemetry layer turns it into metrics and log events."""

    def rotated(self, path: str, kind: str) -> None: ...
    def identity_reset(self, path: str, reason: str) -> None: ...
    def file_failed(self, path: str, error: OSError) -> None: ...
    def files(self, opened: int, tracked: int) -> None: ...
    def bytes_abandoned(self, path: str, count: int, reason: str) -> None: ...
    def lag(self, behind_bytes: int) -> None: ...
    def unread(self, oldest_seconds: float, pinned_bytes: int) -> None: ...
    def adopted(self, path: str) -> None: ...
    def copy_ignored(self, path: str) -> None: ...
    def scanned(self, seconds: float, watch_mode: str) -> None: ...
    def connected(self, place: str) -> None: ...
    def disconnected(self, place: str, reason: str) -> None: ...
    def records_lost(self, place: str, count: int) -> None: ...
    def lag_records(self, behind: int) -> None: ...


Boundary = Callable[[bytes, bytes, int], int | None]
"""Of the first bytes of a file, a piece of it, and where in the file that piece stands: the place in the piece behind
the last delimiter, None when there is none."""


def behind_newline(head: bytes, data: bytes, offset: int) -> int | None:
    """The boundary of plain lines.

    >>> behind_newline(b"", b"ab\\ncd", 0), behind_newline(b"", b"cd", 3)
    (3, None)
    """
    del head, offset
    return data.rfind(b"\n") + 1 or None


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given: its stream's name, where it left off, and how to wake the reader.

    ``begin`` says where to begin when nothing is known any more of what was read; None: as the source's options say.
    ``wake`` may be called from any thread and only shortens a wait; a source must work if it is never called.
    ``boundary`` tells where lines end, as framing has it. ``max_records`` is the most messages of one batch.
    """

    stream: str
    resume: Sequence[FileState]
    clock: Clock
    events: SourceEvents
    wake: Callable[[], None]
    begin: Literal["beginning", "end"] | None = None
    boundary: Boundary = behind_newline
    max_records: int = 8192


class Source(Protocol):
    """Reads bytes, or messages. ``build(config, context: SourceContext)``. Owned by one reader thread.

    ``read`` never blocks: it returns what is there now, about ``budget_bytes`` at the most; empty means nothing new.
    Chunks of one origin come in order and contiguous from the resumed (or first) offset. A source reads ahead of
    what is committed; ``committed`` tells it what has become durable, so that it may let go of finished files, or
    acknowledge messages. It is told of positions in order, of several of one origin perhaps the last alone, and of
    what was committed after the last ``read`` as well.
    ``exhausted`` becomes True when nothing will ever follow (end of a pipe; all files read when ``once``).
    ``sightings`` tells once where each new file was begun, to be committed no later than its first records.
    ``forgettable`` tells once of each remembered file that is gone for good: its progress need not be kept.
    ``pause`` is how many seconds the driver may sleep after a ``read`` that found nothing.
    ``close`` may be called twice and from the owner thread only.
    """

    @property
    def exhausted(self) -> bool: ...
    @property
    def pause(self) -> float: ...
    def read(self, budget_bytes: int) -> Sequence[Chunk | Messages]: ...
    def sightings(self) -> list[Position]: ...
    def forgettable(self) -> list[str]: ...
    def committed(self, position: Position) -> None: ...
    def close(self) -> None: ...


@runtime_checkable
class MovingSource(Protocol):
    """A source whose origins come from other daemons and go to them, with what is remembered of their keys.

    ``remembered`` is told what a batch changed, before ``committed`` is told of its position. ``arrivals`` tells once
    of each origin that came with memories, no later than behind the ``read`` that gives its first records.
    """

    def remembered(self, position: Position, changes: Sequence[MemoryChange]) -> None: ...
    def arrivals(self) -> list[Arrival]: ...


class Parser(Protocol):
    """Turns framed records into columns. ``build(config, fields: Sequence[Field] | None)``.

    With ``fields`` the result has exactly these columns, typed. With None the parser finds the fields by itself and
    returns every one with its natural type (for inference, and for the few lines that are explained).
    Never raises for bad input: the row is marked (``ok[i] = False``) with a short reason. Stateless between calls.
    """

    def parse(self, raw: RawBatch) -> RecordBatch: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What an encoder says of one value: ``expected`` and ``benign_range`` in the field's own units.

    ``actual`` is the value itself where no field of the record says it; None leaves that to the record.
    """

    expected: Any
    benign_range: str
    reason: str
    actual: Any = None


class FittedEncoder(Protocol):
    """A feature as learned from benign data. Immutable but for keyed state (see ``KeyedEncoder``).

    ``columns`` and ``novelty`` name the network columns and the novelty columns (see ``monitor.core.features``).
    ``encode`` gets both views zeroed, one row a record, and writes them in place, also for rows that are not ok (their
    values are missing): finite always, 0 in novelty columns for whatever benign data showed.
    ``explain`` gets one encoded row and its reconstruction (network columns only); its texts are printable.
    ``decode`` turns network columns [n, columns], a reconstruction say, back into values of the fields it reads, each a
    column of n values of the field's type; empty where the encoding cannot be undone (hashed text, paths, times).
    ``state`` is plain JSON data; the module's ``restore(config, field, state)`` gives an equal encoder.
    """

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def novelty(self) -> tuple[str, ...]: ...
    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None: ...
    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding: ...
    def decode(self, columns: F32) -> Mapping[Field, Column]: ...
    def state(self) -> Mapping[str, Any]: ...


@runtime_checkable
class QuotingEncoder(Protocol):
    """A fitted encoder of texts that can also say which part of one is odd.

    ``quote`` gets a text as it came and its encoded novelty columns, and gives the few characters that stand out,
    printable; empty where no wording is new, or where they are the whole text.
    """

    def quote(self, text: str, novelty: F32) -> str: ...


@runtime_checkable
class WideningEncoder(Protocol):
    """A fitted encoder that knows which values benign data showed.

    ``widened`` gives one that also knows those of further benign records, which are ok. All else stays as learned, so
    every record is encoded as before but for novelty columns: what is known now is new no more, and nothing else is.
    """

    def widened(self, batch: RecordBatch) -> FittedEncoder: ...


class KeyedChanges(NamedTuple):
    """What a keyed memory changed since it was asked last, as plain JSON data.

    ``updated`` has every key seen since, also those whose numbers stayed as they were, with all of its numbers (finite,
    a few, always as many); the key seen last stands last, and every key that is not in it was seen longer ago than all
    that are. ``forgotten`` has the keys told of before that are remembered no more, in no promised order.
    No key is in both. The key None is that of records without one.
    """

    updated: Mapping[str | None, list[float]]
    forgotten: Sequence[str | None]


@runtime_checkable
class KeyedEncoder(Protocol):
    """A fitted encoder that also remembers what it has seen of each key; that memory is no part of ``state``.

    The memory is bounded: beyond a number of keys, the key seen longest ago is forgotten. What is remembered depends on
    the records alone, not on how they were cut into batches. One that reads the event time beside its fields says so
    with an attribute ``timed`` that is True.

    ``keyed_state`` is the whole memory as plain JSON data, to be made durable together with the progress it belongs to:
    ``{"version": 1, "keys": [key, ...], "values": [[number, ...], ...]}``, the key seen last standing last.
    ``keyed_changes`` is what changed since its last call, or since ``load_keyed_state``, or else since the beginning;
    it costs as much as there are keys in it. Whoever starts from the ``keyed_state`` of one moment and, for each call
    since, removes the ``forgotten`` keys and moves the ``updated`` ones to the end, in their order, with their new
    values, has the ``keyed_state`` of now, bit by bit. It need not be called: what it holds ready is bounded, too.
    ``load_keyed_state`` takes over what ``keyed_state`` gave out, or what was put together so, in that order; nothing
    counts as changed then. With a smaller memory the keys seen last are kept, and the others count as forgotten. It
    raises StateError, naming what is wrong, for data it did not make; nothing is changed then.
    """

    def keyed_state(self) -> Mapping[str, Any]: ...
    def keyed_changes(self) -> KeyedChanges: ...
    def load_keyed_state(self, state: Mapping[str, Any]) -> None: ...


class Encoder(Protocol):
    """How a field becomes columns, not yet fitted. ``build(config, field: str)``, ``restore(config, field, state)``.

    ``config`` and ``field`` are what ``build`` was given. ``fields`` are the columns it reads: none for an encoder that
    needs only the event time or the key. Its class stands in the plugin's module, whose name is its kind.
    ``fit`` learns from benign records that are ok; it raises DataError, naming the field, when nothing can be learned.
    """

    @property
    def config(self) -> StrictModel: ...
    @property
    def field(self) -> str: ...
    @property
    def fields(self) -> tuple[Field, ...]: ...
    def fit(self, batch: RecordBatch) -> FittedEncoder: ...


class Sink(Protocol):
    """Delivers alerts. ``build(config)``. Owned by the sender thread.

    ``send`` gets alerts as JSON lines (no newline) in order and returns how many of them, from the first on, are
    durable or accepted, at least one if there is one; it is called again with the rest. A repetition is allowed only
    of what was not counted, so a receiver that takes alerts one by one is given one a call. It may block for some
    seconds, but not for ever. It raises UnavailableError to be called again later with the same alerts, or one of
    ``monitor.core.delivery`` that says more. Nothing that it raises has a secret in its message.
    ``close`` may be called twice.
    """

    def send(self, alerts: Sequence[bytes]) -> int: ...
    def close(self) -> None: ...


@runtime_checkable
class RepeatingSink(Protocol):
    """A sink whose receiver forgets what it is not told again.

    ``repeat`` gets every alert whose episode is not over, up to a number, oldest first: once in the beginning, so that
    a restart is no gap, and then every ``repeat_seconds``. It raises what ``send`` does; nothing is put aside for it.
    """

    @property
    def repeat_seconds(self) -> float: ...
    def repeat(self, alerts: Sequence[bytes]) -> None: ...
