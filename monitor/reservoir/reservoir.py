"""The sample of a stream, kept over restarts: scoring adds to it, a thread saves it, and no disk can stop either."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.core.durable import replace_file
from monitor.core.records import Field, RawBatch
from monitor.core.strings import U64
from monitor.reservoir.columns import HASH, SIZE, Sampled, numbers, schema
from monitor.reservoir.files import Day, day_named, day_path, days, read_days, write_day
from monitor.reservoir.hashing import KEY_BYTES, record_hashes
from monitor.reservoir.sample import NO_BOUND, Limits, Sample
from monitor.telemetry import StreamTelemetry


class Reservoir:
    """The sample in ``directory``, of records with these fields. One thread adds and another one saves.

    What was added and not saved is lost when the process is killed: of the sample, never of the stream.
    """

    def __init__(
        self, directory: Path, fields: Sequence[Field], limits: Limits, telemetry: StreamTelemetry, now: float
    ) -> None:
        self.fields = tuple(fields)
        self._directory = directory
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._saved: dict[int, object] = {}  # by day: what its file was made of
        self._key = _read_key(directory)
        self._sample = Sample(limits, schema(self.fields).empty_table())
        self._load(now)

    def hashes(self, raw: RawBatch) -> U64:
        """The hash of each record, [n]: only those below the bound of their hour are wanted."""
        return record_hashes(raw, self._key)

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
            table, parts = self._sample.table, days(self._sample.table, self._sample.bounds)
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
        for path, day in read_days(self._directory, self.fields):
            if isinstance(day, str):
                self._telemetry.reservoir_skipped(str(path), day)
                continue
            self._sample.bounds.update(day.bounds)
            self._sample.add(day.table)
        self._sample.settle()
        self._saved = {day: _made_of(part) for day, part in days(self._sample.table, self._sample.bounds).items()}
        table = self._sample.table
        self._telemetry.reservoir_saved(len(table), int(numbers(table, SIZE).sum()), now if len(table) else 0.0)


def _made_of(day: Day) -> object:
    """The same for the same records and bounds, whatever their order."""
    return len(day.table), int(np.bitwise_xor.reduce(numbers(day.table, HASH), initial=0)), tuple(day.bounds.items())


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
