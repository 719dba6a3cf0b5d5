"""Every record of an evaluated input, as columns in its order: where it stands, its score, its true label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.records import RecordBatch
from monitor.reporting.labels import UNLABELLED, Codes
from monitor.scoring.scores import ScoreBatch


@dataclass(frozen=True, slots=True)
class Labelled:
    """All records, [m] each; the place of a record is its row here. Lines that are column headers are no records."""

    paths: tuple[str, ...]  # files of the input
    files: I64  # index into paths
    lines: I64  # from 1 in the file
    scores: F64  # NaN: could not be parsed
    errors: F64
    codes: Codes
    times: F64 | None  # seconds since 1970 UTC; None: the stream has no event time
    keys: I64  # index into names
    names: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def parsed(self) -> Bools:
        """Records that have a score."""
        parsed: Bools = ~np.isnan(self.scores)
        return parsed

    @property
    def usable(self) -> Bools:
        """Records that have a score and a label."""
        usable: Bools = self.parsed & (self.codes != UNLABELLED)
        return usable


class Gathering:
    """Puts the records of an input together, batch by batch."""

    def __init__(self) -> None:
        self._paths: dict[str, int] = {}
        self._names: dict[str | None, int] = {}
        self._columns: list[tuple[F64, ...]] = []
        self._codes: list[Codes] = []
        self._timed = False
        self.records = 0

    def add(self, context: RecordBatch, scores: ScoreBatch, codes: Codes, first_line: int, ok: Bools) -> I64:
        """Take a batch; its rows' places in the whole input, [n], -1 for headers.

        Args:
            context: the batch with event times and keys, where the stream has them.
            scores: its scores.
            codes: its labels, [n].
            first_line: the number of its first line within its file.
            ok: which rows were parsed and scored, [n].
        """
        records = is_record(context)
        file = self._paths.setdefault(context.raw.origin.path, len(self._paths))
        times = np.full(len(ok), np.nan) if context.times is None else context.times
        self._timed = self._timed or context.times is not None
        columns = (
            np.full(len(ok), float(file)),
            np.arange(first_line, first_line + len(ok), dtype=np.float64),
            np.where(ok, scores.scores, np.nan),
            np.where(ok, scores.errors.astype(np.float64), np.nan),
            times,
            self._keys(context.keys, len(ok)),
        )
        self._columns.append(tuple(column[records] for column in columns))
        self._codes.append(codes[records])
        places = np.full(len(ok), -1)
        places[records] = np.arange(self.records, self.records + records.sum())
        self.records += int(records.sum())
        return places

    def whole(self) -> Labelled:
        """All of it."""
        columns = [np.concatenate(column) for column in zip(*self._columns, strict=True)] or [np.empty(0)] * 6
        files, lines, scores, errors, times, keys = columns
        return Labelled(
            paths=tuple(self._paths),
            files=files.astype(np.int64),
            lines=lines.astype(np.int64),
            scores=scores,
            errors=errors,
            codes=np.concatenate([*self._codes, np.empty(0, dtype=np.int8)]),
            times=times if self._timed else None,
            keys=keys.astype(np.int64),
            names=tuple(self._names),
        )

    def _keys(self, keys: Column | None, rows: int) -> F64:
        if keys is None:
            return np.full(rows, float(self._names.setdefault(None, len(self._names))))
        encoded = keys.dictionary_encode(null_encoding="encode")
        names: Sequence[str | None] = encoded.dictionary.to_pylist()
        codes = np.array([self._names.setdefault(name, len(self._names)) for name in names], dtype=np.float64)
        each: F64 = codes[encoded.indices.to_numpy(zero_copy_only=False)]
        return each


def is_record(batch: RecordBatch) -> Bools:
    """Which rows are records, [n]: all but column headers, which no one labels."""
    return ~batch.headers
