"""The sample of a stream, kept over restarts: scoring adds to it, a thread saves it, and no disk can stop either."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from monitor.core.arrays import F64, Bools
from monitor.core.durable import replace_file
from monitor.core.records import Field, RawBatch, RecordBatch
from monitor.core.strings import U64
from monitor.reservoir.columns import HASH, SITTING, SIZE, Sampled, numbers, schema
from monitor.reservoir.files import Day, day_named, day_path, days, read_days, write_day
from monitor.reservoir.hashing import KEY_BYTES, key_hashes, record_hashes
from monitor.reservoir.sample import NO_BOUND, SPANS_PER_DAY, Limits, Sample
from monitor.reservoir.turns import SPAN_HOURS, Turns, spans_of
from monitor.telemetry import StreamTelemetry


class Reservoir:
    """The sample in ``directory``, of records with these fields. One thread adds and another one saves.

    What was added and not saved is lost when the process is killed: of the sample, never of the stream.
    ``stretches``: of runs of records that follow each other, instead of single ones.
    """

    def __init__(
        self,
        directory: Path,
        fields: Sequence[Field],
        limits: Limits,
        telemetry: StreamTelemetry,
        now: float,
        *,
        stretches: bool = False,
    ) -> None:
        self.fields = tuple(fields)
        self.stretches = stretches
        self._directory = directory
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._saved: dict[int, object] = {}  # by day: what its file was made of
        self._key = _read_key(directory)
        shares = SPANS_PER_DAY // SPAN_HOURS if stretches else SPANS_PER_DAY
        columns = schema(self.fields, stretches=stretches)
        self._sample = Sample(limits, columns.empty_table(), fewest_shares=shares)
        self._turns = Turns()
        self._sitting = 0
        self._load(now)

    def hashes(self, raw: RawBatch) -> U64:
        """The hash of each record, [n]: only those below the bound of their hour are wanted."""
        return record_hashes(raw, self._key)

    def sit(self) -> int:
        """The number of a new sitting: what is added in it does not follow what was added in those before."""
        self._sitting += 1
        return self._sitting

    def key_hashes(self, records: RecordBatch) -> U64:
        """The hash of the key of each record, [n]."""
        return key_hashes(records, self._key)

    def take_turns(self, times: F64, keys: U64, places: U64, learned: Bools) -> tuple[U64, Bools]:
        """The rank of each record, [m], and which of them are wanted; ``learned`` ones are counted.

        Args:
            times: when they happened, seconds since 1970, [m].
            keys: hashes of their keys, [m].
            places: hashes of themselves, [m].
            learned: which are benign, [m].
        """
        spans = spans_of(times)
        with self._lock:
            self._turns.count(spans[learned], times[learned], keys[learned], places[learned])
            ranks = self._turns.ranks(spans, times, keys)
            return ranks, self._sample.wants(spans, ranks)

    @property
    def newest(self) -> int | None:
        """The newest hour there is."""
        return self._sample.newest

    @property
    def bound(self) -> int:
        """Below it records of the newest hour are wanted."""
        return self._sample.bound

    @property
    def is_open(self) -> bool:
        """Whether every record of the newest hour is wanted."""
        return self.bound == NO_BOUND

    def add(self, sampled: Sampled) -> None:
        """Offer some records."""
        with self._lock:
            self._sample.add(sampled.table(self.fields))

    def hold_to(self, limits: Limits) -> None:
        """Keep other limits from now on."""
        with self._lock:
            self._sample.hold_to(limits)

    def save(self, now: float) -> None:
        """Write the days that changed and delete those that are out of sight; what fails is tried again next time."""
        with self._lock:
            self._sample.settle()
            self._turns.forget(self._sample.oldest)
            table, parts = self._sample.table, self._days()
        changed = {day: part for day, part in parts.items() if _made_of(part) != self._saved.get(day)}
        if not changed and self._saved.keys() == parts.keys():
            return
        try:
            self._write(changed, oldest=min(parts))
        except OSError as error:
            self._telemetry.reservoir_failed(error)
        else:
            self._saved = {day: _made_of(part) for day, part in parts.items()}
            self._telemetry.reservoir_saved(len(table), int(numbers(table, SIZE).sum()), now)

    def _write(self, changed: dict[int, Day], oldest: int) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        replace_file(self._directory / "key", self._key)
        for day, part in changed.items():
            write_day(day_path(self._directory, day), part)
        for path in self._directory.glob("*.parquet"):
            if _is_before(path, oldest):
                path.unlink(missing_ok=True)

    def _load(self, now: float) -> None:
        for path, day in read_days(self._directory, self.fields, stretches=self.stretches):
            if isinstance(day, str):
                self._telemetry.reservoir_skipped(str(path), day)
                continue
            self._sample.bounds.update(day.bounds)
            self._turns.tallies.update(day.tallies)
            self._sample.add(day.table)
        self._sample.settle()
        self._saved = {day: _made_of(part) for day, part in self._days().items()}
        table = self._sample.table
        self._sitting = int(numbers(table, SITTING).max()) if self.stretches and len(table) else 0
        self._telemetry.reservoir_saved(len(table), int(numbers(table, SIZE).sum()), now if len(table) else 0.0)

    def _days(self) -> dict[int, Day]:
        """As it is now: tallies go on."""
        tallies = {span: replace(tally) for span, tally in self._turns.tallies.items()}
        return days(self._sample.table, self._sample.bounds, tallies)


def _made_of(day: Day) -> object:
    """The same for the same records, bounds and tallies, whatever their order."""
    hashes, tallies = numbers(day.table, HASH), (repr(tally.plain()) for tally in day.tallies.values())
    return len(hashes), int(np.bitwise_xor.reduce(hashes, initial=0)), tuple(day.bounds.items()), tuple(tallies)


def _read_key(directory: Path) -> bytes:
    """The key of the hashes; a new one where there is none: then records may get in that were left out before."""
    try:
        key = (directory / "key").read_bytes()
    except OSError:
        key = b""
    return key if len(key) == KEY_BYTES else os.urandom(KEY_BYTES)


def _is_before(path: Path, day: int) -> bool:
    try:
        return day_named(path) < day
    except ValueError:  # not ours
        return False
