"""What JSON libraries would do in the parser's place: CPU seconds from a block of lines to the wanted columns.

Whoever is not installed is left out. Only well-formed lines of one shape are measured; what becomes of an odd one is
told beside the speed: a column that changes its type, a line that ends too soon.

Usage: PYTHONPATH=benches OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 python -m native.libraries [--records N] [--rounds N]
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import workloads

from monitor.core.arrays import Column
from monitor.core.arrow import pa
from monitor.core.columns import arrow_type
from monitor.core.records import RawBatch
from monitor.parsers.json_lines import JsonLines
from monitor.runtime.memory import keep_freed_memory, settle_garbage_collector

from .json_lines import NativeJsonLines
from .measure import JSON_FIELDS, framed, medians

NAMES = [field.name for field in JSON_FIELDS]
ODD = (
    b'{"mode":"heat","s00":1.5}\n{"mode":7,"s00":"1.5"}\n',
    b'{"mode":"heat","s00":1.5}\n{"mode":"heat","s00":\n',
    b'{"mode":"heat","s00":1e400}\n',
)
"""A type that changes, a line cut short, a number too large for a double."""
Read = Callable[[bytes], Mapping[str, Column]]


def schema() -> Any:
    """The wanted columns."""
    return pa.schema([(field.name, arrow_type(field.type)) for field in JSON_FIELDS])


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Column]:
    """Dicts as columns."""
    return by_column([row.get(name) for name in NAMES] for row in rows)


def by_column(rows: Iterable[Sequence[Any]]) -> Mapping[str, Column]:
    """The wanted values of each row as columns."""
    values = zip(*rows, strict=True)
    return {f.name: pa.array(column, arrow_type(f.type)) for f, column in zip(JSON_FIELDS, values, strict=True)}


def columns_of(table: Any) -> Mapping[str, Column]:
    """The columns of an Arrow table, each in one piece."""
    return {name: table.column(name).combine_chunks() for name in NAMES}


def with_orjson(library: Any) -> Read:
    """Each line as a dict."""
    return lambda data: from_rows(map(library.loads, data.splitlines()))


def with_pysimdjson(library: Any) -> Read:
    """Each line looked at in place."""
    parser = library.Parser()
    return lambda data: from_rows(parser.parse(line, recursive=True) for line in data.splitlines())


def with_fastsimdjson(library: Any) -> Read:
    """All lines in one call, the wanted fields of each."""
    pointers = [f"/{name}" for name in NAMES]
    return lambda data: by_column(library.loads_many(data, fields=pointers, default=None))


def with_polars(library: Any) -> Read:
    """Lines to a frame of given types."""
    types = {"double": library.Float64, "string": library.String}
    wanted = {field.name: types[str(field.type)] for field in schema()}
    return lambda data: columns_of(library.read_ndjson(io.BytesIO(data), schema=wanted).to_arrow())


def with_pyarrow(library: Any) -> Read:
    """Lines to a table of given types."""
    options = library.ParseOptions(explicit_schema=schema(), unexpected_field_behavior="ignore")
    whole = library.ReadOptions(use_threads=False, block_size=1 << 22)
    return lambda data: columns_of(library.read_json(io.BytesIO(data), whole, options))


READERS: dict[str, tuple[str, Callable[[Any], Read]]] = {
    "orjson": ("orjson", with_orjson),
    "pysimdjson": ("simdjson", with_pysimdjson),
    "fastsimdjson": ("fastsimdjson", with_fastsimdjson),
    "polars": ("polars", with_polars),
    "pyarrow.json": ("pyarrow.json", with_pyarrow),
}


def of_batch(read: Read) -> Callable[[RawBatch], object]:
    """The same of a framed batch."""
    return lambda raw: read(raw.data)


def found() -> Iterator[tuple[str, Read]]:
    """The libraries that are installed."""
    for name, (module, reader) in READERS.items():
        try:
            yield name, reader(import_module(module))
        except ImportError:
            continue


def fate(read: Read, data: bytes) -> str:
    """What becomes of a block with an odd line in it."""
    try:
        columns = read(data)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the answer
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return f"mode {columns['mode'].to_pylist()}, s00 {columns['s00'].to_pylist()}"


def main() -> None:
    """Print the table, and what became of the odd lines."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    keep_freed_memory()
    settle_garbage_collector()
    batches = framed(list(workloads.json_lines(np.random.default_rng(20260105), given.records)))
    readers = dict(found())
    ways: dict[str, Callable[[RawBatch], object]] = {
        "ours": JsonLines(JSON_FIELDS).parse,
        "native": NativeJsonLines(JSON_FIELDS).parse,
    }
    ways |= {name: of_batch(read) for name, read in readers.items()}
    taken = medians(ways, batches, given.rounds)
    print("| reader | rows/CPU s | ns a row |\n|---|---|---|")
    for name, spent in taken.items():
        print(f"| {name} | {given.records / spent:,.0f} | {1e9 * spent / given.records:,.0f} |")
    for name, read in readers.items():
        print(name, *(fate(read, data) for data in ODD), sep="\n  ")


if __name__ == "__main__":
    main()
