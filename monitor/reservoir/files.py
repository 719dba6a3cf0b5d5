"""A sample on disk: one Parquet file a day, each whole or not there; what cannot be read costs that day alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from monitor.core.arrays import I64
from monitor.core.arrow import pq
from monitor.core.durable import replace_file
from monitor.core.records import Field
from monitor.reservoir.columns import FILE, OFFSET, RANK, SPAN, TIME, numbers, schema
from monitor.reservoir.sample import SPANS_PER_DAY
from monitor.reservoir.turns import Tally

LAYOUT, STRETCHES_LAYOUT = "aemonitor.reservoir/v1", "aemonitor.stretches/v1"
"""Of single records, and of stretches of them: neither can be read for the other."""

_BOUNDS, _LAYOUT, _TALLIES = b"aemonitor.bounds", b"aemonitor.layout", b"aemonitor.tallies"
EPOCH = date(1970, 1, 1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Day:
    """The sample of a day, and the bounds of its hours; of stretches also what is known of each quarter."""

    table: pa.Table
    bounds: Mapping[int, int]
    tallies: Mapping[int, Tally] = field(default_factory=dict[int, Tally])

    @property
    def spans(self) -> I64:
        """The hour of each record, [n]."""
        spans: I64 = numbers(self.table, SPAN)
        return spans


def day_of(span: int) -> int:
    """The day of an hour, counted from 1970 as the hour is."""
    return span // SPANS_PER_DAY


def day_path(directory: Path, day: int) -> Path:
    """The file of a day."""
    return directory / f"{EPOCH + timedelta(days=day)}.parquet"


def write_day(path: Path, day: Day) -> int:
    """Write a day in the order of its events; how many bytes the file takes. OSError as it comes."""
    metadata = {_LAYOUT: LAYOUT.encode(), _BOUNDS: json.dumps(day.bounds).encode()}
    if RANK in day.table.column_names:
        tallies = {span: tally.plain() for span, tally in day.tallies.items()}
        metadata |= {_LAYOUT: STRETCHES_LAYOUT.encode(), _TALLIES: json.dumps(tallies).encode()}
    ordered = day.table.sort_by([(name, "ascending") for name in (SPAN, TIME, FILE, OFFSET)])
    sink = pa.BufferOutputStream()
    pq.write_table(ordered.replace_schema_metadata(metadata), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    replace_file(path, data)
    return len(data)


def read_days(directory: Path, fields: Sequence[Field], *, stretches: bool = False) -> Iterator[tuple[Path, Day | str]]:
    """Every file there, the oldest day first, with these fields, or why it cannot be used; none without directory.

    ``stretches``: those are wanted.
    """
    for path in sorted(directory.glob("[0-9]*-[0-9]*-[0-9]*.parquet")):
        yield path, _read(path, fields, stretches=stretches)


def _read(path: Path, fields: Sequence[Field], *, stretches: bool) -> Day | str:
    wanted, layout = schema(fields, stretches=stretches), STRETCHES_LAYOUT if stretches else LAYOUT
    try:
        found = pq.read_schema(path)
        metadata = found.metadata or {}
        if metadata.get(_LAYOUT) != layout.encode():
            return f"its layout is not {layout}{_other(metadata.get(_LAYOUT))}"
        missing = [column.name for column in wanted if column not in list(found)]
        if missing:
            return f"kept for other features, without {', '.join(missing)}"
        with pq.ParquetFile(path) as file:  # ``read_table`` would load the machinery of data sets, 40 MB
            table = file.read(wanted.names, use_threads=False).select(wanted.names)
        bounds = {int(span): int(bound) for span, bound in json.loads(metadata[_BOUNDS]).items()}
        tallies = json.loads(metadata[_TALLIES]) if stretches else {}
        if stretches and not set(numbers(table, SPAN).tolist()) <= {int(span) for span in tallies}:
            return "damaged: it does not tell how long rounds are"
        day = Day(table.replace_schema_metadata(None), bounds, {int(s): Tally.of(t) for s, t in tallies.items()})
    except FileNotFoundError:
        return "it is gone"
    except (OSError, pa.ArrowException, ValueError, KeyError, AttributeError, TypeError) as error:
        return f"damaged: {(str(error) or type(error).__name__).splitlines()[0]}"
    return day


def _other(layout: bytes | None) -> str:
    """Says what a file of ours has that is not what is wanted."""
    has = {LAYOUT.encode(): "single records", STRETCHES_LAYOUT.encode(): "stretches of records"}
    return f"; it has {has[layout]}, kept when the stream had other features" if layout in has else ""


def days(table: pa.Table, bounds: Mapping[int, int], tallies: Mapping[int, Tally]) -> dict[int, Day]:
    """A sample by days."""
    of_row = numbers(table, SPAN) // SPANS_PER_DAY
    return {
        day: Day(table.filter(of_row == day), _on(day, bounds), _on(day, tallies))
        for day in sorted(set(of_row.tolist()))
    }


def _on(day: int, by_span: Mapping[int, T]) -> dict[int, T]:
    return {span: each for span, each in by_span.items() if day_of(span) == day}


def day_named(path: Path) -> int:
    """The day that a file is of; ValueError where the name is none of ours."""
    return (datetime.strptime(path.stem, "%Y-%m-%d").replace(tzinfo=UTC).date() - EPOCH).days
