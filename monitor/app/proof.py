"""Proves from the ledger and the files that every record read is accounted for exactly once.

Two questions are asked: do all sums of the ledger agree, down to the byte; and do the files that still exist have as
many records in the committed ranges as the ledger says, cut by the daemon's own framing?
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

from monitor.app.compose import new_framer
from monitor.app.streams import chosen_streams
from monitor.app.whereabouts import Evidence, whereabouts
from monitor.core.accounting import Counts, FileState
from monitor.core.config import Config
from monitor.core.places import of_messages
from monitor.core.records import Chunk, Origin
from monitor.ingest.framing import Framer
from monitor.ingest.reading import BLOCK_BYTES, opened
from monitor.ledger import Ledger, Range, StreamAccount
from monitor.ledger.ranges import COUNTED, total
from monitor.plugins import load_config, resolve_state_dir

SUMS = (*COUNTED, "bytes")


@dataclass(frozen=True, slots=True)
class RangeProof:
    """One range: ``recounted`` are the records found in ``found_in``; both None when the bytes exist no more."""

    path: str
    file_id: str
    epoch: int
    start: int
    stop: int
    read: int
    recounted: int | None = None
    found_in: str | None = None


@dataclass(frozen=True, slots=True)
class StreamProof:
    """What is known of one stream. ``settled`` are records without a range; ``faults`` should be none.

    A range is kept of bytes alone, and not for ever. Where messages were read, ``messages`` says how far.

    ``in_flight`` is 0: what is read and not committed is in no sum, and is read again after a restart.
    """

    stream: str
    counts: Counts
    settled: int
    ranges: Sequence[RangeProof]
    faults: Sequence[str]
    messages: Sequence[str] = ()
    in_flight: int = 0

    @property
    def recounted(self) -> int:
        """Records that were counted again in files that still exist."""
        return sum(each.recounted or 0 for each in self.ranges)


@dataclass(frozen=True, slots=True)
class Proof:
    """The verdict on a ledger."""

    ledger: str
    streams: Sequence[StreamProof]
    faults: Sequence[str] = field(default_factory=tuple[str, ...])

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts the accounts."""
        return not self.faults and not any(each.faults for each in self.streams)


def prove(config_path: Path, stream: str | None) -> Proof:
    """Look at one stream or at all, also while the daemon runs.

    Raises:
        UsageError: there is no such stream.
        NoInputError, StateError: there is no ledger, or it cannot be read at all.
    """
    config = load_config(config_path)
    names = list(chosen_streams(config, [stream] if stream else []))
    state_dir = resolve_state_dir(config, os.environ)
    with Ledger.open(state_dir, read_only=True) as ledger:
        broken = ledger.broken_table()
        known = [stream] if stream else sorted({*names, *ledger.streams()})
        accounts = [ledger.account(name) for name in known]
    faults = (f"a row of the ledger's table {broken} is not as it was committed",) if broken else ()
    proofs = [prove_stream(account, _framing(config, account.stream)) for account in accounts]
    return Proof(str(state_dir), proofs, faults)


@dataclass(frozen=True, slots=True)
class Framing:
    """How a stream's bytes become records. ``timed``: by when they came, too, so that a later look may find fewer."""

    new_framer: Callable[[], Framer]
    timed: bool


def _framing(config: Config, name: str) -> Framing | None:
    """None for a stream that is configured no longer: only its sums can be looked at."""
    if name not in config.streams:
        return None
    stream = config.streams[name]
    timed = stream.input.multiline is not None or stream.input.force_flush_after_seconds is not None
    return Framing(new_framer(config.limits, stream.input), timed)


def prove_stream(account: StreamAccount, framing: Framing | None) -> StreamProof:
    """The proof of one account."""
    states = {state.origin.file_id: state for state in account.files}
    ranges = [_recount(each, states[each.file_id], framing) for each in account.ranges if each.file_id in states]
    wrong = _wrong_counts(ranges, timed=framing is not None and framing.timed)
    faults = [*_wrong_sums(account), *_wrong_ranges(account, states), *wrong]
    messages = [
        f"{state.origin.path} epoch {state.origin.epoch} up to message {state.offset}"
        for state in account.files
        if of_messages(state.origin.file_id)
    ]
    return StreamProof(account.stream, account.counts, account.settled.read, ranges, faults, messages)


# -- what the ledger says of itself ----------------------------------------------------------------------------


def _wrong_sums(account: StreamAccount) -> Iterator[str]:
    """The totals against the identity, and against the ranges that they are made of."""
    counts, ranges = account.counts, account.settled + total(account.ranges)
    if not counts.balanced:
        yield f"the totals do not add up: {equation(counts)}"
    for name in SUMS:
        told, found = getattr(counts, name), getattr(ranges, name)
        if told != found:
            yield f"the total of {name} is {told:,}, but the ranges of the files add up to {found:,}"


def _wrong_ranges(account: StreamAccount, states: dict[str, FileState]) -> Iterator[str]:
    """Each range against the identity, the one before it, and the place where its file is read on."""
    for file_id in dict.fromkeys(each.file_id for each in account.ranges):
        ranges, state = account.of_file(file_id), states.get(file_id)
        if state is None:
            yield f"{file_id}: its records are counted, but its place is not known"
            continue
        for each in ranges:
            if not each.counts.balanced:
                yield f"{_name(each, state)}: {equation(each.counts)}"
        for before, each in pairwise(ranges):
            if before.epoch == each.epoch and before.stop > each.start:
                yield f"{_name(each, state)}: it begins before byte {before.stop:,}, where the range before it ends"
        yield from _wrong_place(ranges[-1], state)


def _wrong_place(last: Range, state: FileState) -> Iterator[str]:
    if last.epoch > state.origin.epoch:
        yield f"{_name(last, state)}: it is newer than the place, which is in epoch {state.origin.epoch}"
    if last.epoch == state.origin.epoch and (last.stop, last.marker) != (state.offset, state.marker):
        yield f"{_name(last, state)}: it ends elsewhere than the committed place, byte {state.offset:,}"


# -- what the files say ----------------------------------------------------------------------------------------


def _recount(each: Range, state: FileState, framing: Framing | None) -> RangeProof:
    found, counted = None, None
    if each.start == each.stop:
        counted = 0
    elif framing is not None and (found := whereabouts(Evidence.of_range(each, state))) is not None:
        counted = records_between(found, each, state.origin, framing.new_framer())
    return RangeProof(
        state.origin.path, each.file_id, each.epoch, each.start, each.stop, each.counts.read, counted,
        str(found) if found else None,
    )  # fmt: skip


def records_between(path: Path, each: Range, origin: Origin, framer: Framer) -> int:
    """How many records the framer cuts out of the range; those that are there when the file ends before it."""
    records, offset = 0, each.start
    with opened(str(path)) as readable:
        stream = cast("IO[bytes]", readable)
        stream.seek(offset)
        while data := stream.read(min(BLOCK_BYTES, each.stop - offset)):
            final = offset + len(data) == each.stop
            records += sum(map(len, framer.push(Chunk(origin, offset, data, final=final))))
            offset += len(data)
    return records


def _wrong_counts(ranges: Sequence[RangeProof], *, timed: bool) -> Iterator[str]:
    for each in ranges:
        if each.recounted not in (None, each.read) and not (timed and each.recounted < each.read):
            place = f"{each.path} (epoch {each.epoch}) bytes {each.start:,}-{each.stop:,}"
            where = f" in {each.found_in}" if each.found_in else ""
            yield f"{place}: {each.read:,} records are accounted for, {each.recounted:,} are there{where}"


def _name(each: Range, state: FileState) -> str:
    return f"{state.origin.path} (epoch {each.epoch}) bytes {each.start:,}-{each.stop:,}"


def equation(counts: Counts) -> str:
    """The identity with its figures."""
    parts = f"{counts.scored:,} scored + {counts.unparsed:,} unparsed + {counts.filtered:,} filtered"
    sign = "=" if counts.balanced else "is not"
    return f"{counts.read:,} read {sign} {parts} + {counts.sampled_out:,} sampled out + 0 in flight"
