"""Sampled records as one table: what a parser made of them, and beside it where they stand and how they scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.arrays import F64, I64, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.columns import arrow_type
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.rows import without_lines
from monitor.core.strings import U64

HASH, SPAN, SIZE = "hash", "span", "size"
TIME, KEY, SCORE = "time", "key", "score"
FILE, EPOCH, OFFSET = "file_id", "epoch", "offset"
RANK, LEFT_OUT, SITTING = "rank", "left_out", "sitting"
NUMBER_BYTES = 8


def schema(fields: Sequence[Field], *, stretches: bool = False) -> Any:
    """The columns of a sample of records, or of ``stretches`` of them, that have these fields.

    Those of a field are named by its type and name.
    """
    own = [
        (HASH, pa.uint64()),
        (SPAN, pa.int64()),
        (SIZE, pa.int64()),
        (TIME, pa.float64()),
        (KEY, pa.string()),
        (SCORE, pa.float64()),
        (FILE, pa.string()),
        (EPOCH, pa.int64()),
        (OFFSET, pa.int64()),
    ]
    turns = [(RANK, pa.uint64()), (LEFT_OUT, pa.bool_()), (SITTING, pa.int64())] if stretches else []
    return pa.schema([*own, *turns, *((column_name(field), arrow_type(field.type)) for field in fields)])


def column_name(field: Field) -> str:
    """How the column of a field is called."""
    return f"{field.type}:{field.name}"


def numbers(table: pa.Table, name: str) -> Any:
    """A column of numbers or truths without missing ones, [n]."""
    return table.column(name).to_numpy()


@dataclass(frozen=True, slots=True)
class InTurn:
    """What is known of records, [m], beside themselves, where stretches of them are kept.

    ``ranks``: see ``turns``. ``left_out``: they alerted, or came near an alert, and are never learned.
    ``sittings``: between records of different ones others may have been lost.
    """

    ranks: U64
    left_out: Bools
    sittings: I64

    @classmethod
    def joined(cls, parts: Sequence[InTurn]) -> InTurn:
        """That of several, one behind the other."""
        ranks, left_out, sittings = zip(*((each.ranks, each.left_out, each.sittings) for each in parts), strict=True)
        return cls(np.concatenate(ranks), np.concatenate(left_out), np.concatenate(sittings))

    def of(self, rows: Bools) -> InTurn:
        """That of some of them."""
        return InTurn(self.ranks[rows], self.left_out[rows], self.sittings[rows])


@dataclass(frozen=True, slots=True)
class Sampled:
    """Some records of a batch: ``records`` [m] parsed with time and key, the ``rows`` [m] they are of ``raw``.

    ``times`` [m], finite, are those of the events, or of the arrival where a stream has none; ``spans`` [m] the hours
    they are counted to; ``hashes`` and ``scores`` [m] are theirs.
    """

    raw: RawBatch
    rows: I64
    records: RecordBatch
    times: F64
    spans: I64
    hashes: U64
    scores: F64
    turns: InTurn | None = None

    def table(self, fields: Sequence[Field]) -> pa.Table:
        """These records as rows of a sample."""
        count, origin, records = len(self.rows), self.raw.origin, self.records
        columns = [records.columns[field] for field in fields]
        own = [
            self.hashes,
            self.spans,
            sum((_sizes(column) for column in columns), start=np.zeros(count, dtype=np.int64)),
            self.times,
            pa.nulls(count, pa.string()) if records.keys is None else records.keys,
            self.scores,
            pa.repeat(origin.file_id, count),
            np.full(count, origin.epoch),
            self.raw.offsets[self.rows],
        ]
        turns = [self.turns.ranks, self.turns.left_out, self.turns.sittings] if self.turns else []
        return pa.table([*own, *turns, *columns], schema=schema(fields, stretches=self.turns is not None))


def _sizes(column: Column) -> I64:
    """How many bytes each value takes, [n]."""
    if pa.types.is_string(column.type):
        lengths = pc.binary_length(column)
    elif pa.types.is_list(column.type) and pa.types.is_floating(column.type.value_type):
        lengths = pc.multiply(pc.list_value_length(column), NUMBER_BYTES)
    elif pa.types.is_list(column.type):
        texts = [sum(map(len, filter(None, texts or ()))) for texts in column.to_pylist()]
        lengths = pa.array(texts, pa.int64())
    else:
        lengths = pa.repeat(NUMBER_BYTES, len(column))
    sizes: I64 = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return sizes


def records_of(table: pa.Table, fields: Sequence[Field], *, timed: bool, keyed: bool) -> RecordBatch:
    """The sampled records as a parser gives them, without their text."""
    whole = table.combine_chunks()
    return RecordBatch(
        raw=without_lines(),
        columns={field: _array(whole, column_name(field), field.type) for field in fields},
        ok=np.ones(len(whole), dtype=np.bool_),
        times=numbers(whole, TIME) if timed else None,
        keys=_array(whole, KEY, FieldType.TEXT) if keyed else None,
    )


def _array(table: pa.Table, name: str, kind: FieldType) -> Column:
    chunks = table.column(name).chunks
    return chunks[0] if chunks else pa.array([], arrow_type(kind))
