"""What a parser in native code gains over the library's, alone and in the whole program, in CPU seconds of one core.

Alone: blocks as framing makes them become batches of columns, both parsers in turns, median of five rounds; with lines
native code does not recognise (a letter that is no ASCII in one field) among the others. In the program: the daemon
reads a file to its end, once as it is and once with the native parsers in place, in turns; starting is left out.

Usage: PYTHONPATH=benches OMP_NUM_THREADS=1 python -m native.measure [--records N] [--rounds N] [--program-records N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import workloads

from monitor.app.serve import TURN_BYTES
from monitor.core.protocols import Parser
from monitor.core.records import Chunk, Field, FieldType, Origin, RawBatch
from monitor.ingest.framing import Framer
from monitor.parsers.access_log import AccessLogParser
from monitor.parsers.json_lines import JsonLines
from monitor.runtime.memory import keep_freed_memory, settle_garbage_collector

from .access_log import NativeAccessLog
from .building import rust_library
from .comparing import difference
from .json_lines import NativeJsonLines
from .whole_path import whole_paths

JSON_FIELDS = [
    *(Field(name, FieldType.TEXT) for name in ("mode", "site")),
    *(Field(f"s{i:02d}", FieldType.NUMBER) for i in range(workloads.SENSORS)),
]
ACCESS_FIELDS = [
    *(Field(name, FieldType.TEXT) for name in ("method", "path", "status", "referer", "agent")),
    Field("bytes", FieldType.NUMBER),
]
"""What the streams of the throughput benchmark ask for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A workload, the parsers of its lines (native ones by language), and where in a line a non-ASCII letter fits."""

    workload: str
    library: Parser
    natives: Mapping[str, NativeJsonLines | NativeAccessLog]
    odd_place: str

    def spoil(self, lines: list[str], share: float) -> list[str]:
        """The lines, a share of them, evenly among the others, with the letter."""
        rows = np.arange(len(lines))
        odd = np.floor((rows + 1) * share) < np.floor((rows + 2) * share)
        return [
            line.replace(self.odd_place, self.odd_place + "é", 1) if spoilt else line
            for line, spoilt in zip(lines, odd.tolist(), strict=True)
        ]


def subjects() -> Iterator[Subject]:
    """What is measured; Rust where its compiler is installed."""
    natives = {"C": NativeJsonLines(JSON_FIELDS)}
    if shutil.which("rustc"):
        natives["Rust"] = NativeJsonLines(JSON_FIELDS, native=rust_library())
    yield Subject("json", JsonLines(JSON_FIELDS), natives, '"site-')
    yield Subject("access", AccessLogParser("auto", ACCESS_FIELDS), {"C": NativeAccessLog(ACCESS_FIELDS)}, ".example/")


def long_numbers(lines: list[str]) -> list[str]:
    """The JSON lines with numbers of full precision, which the prototype leaves to the library."""
    records = map(json.loads, lines)
    return [
        json.dumps(
            {name: value / 3 if isinstance(value, float) else value for name, value in record.items()},
            separators=(",", ":"),
        )
        for record in records
    ]


def inputs(subject: Subject, records: int) -> Iterator[tuple[str, list[str]]]:
    """What is parsed: its name, its lines."""
    lines = list(workloads.WORKLOADS[subject.workload](np.random.default_rng(20260105), records))
    yield "all recognised", lines
    yield "1 % not", subject.spoil(lines, 0.01)
    yield "50 % not", subject.spoil(lines, 0.5)
    yield "none", subject.spoil(lines, 1.0)
    if subject.workload == "json":
        yield "numbers of 17 digits", long_numbers(lines)


def framed(lines: list[str]) -> list[RawBatch]:
    """The batches the daemon would get."""
    data = "".join(line + "\n" for line in lines).encode()
    origin, framer = Origin("measured", 0, "measured"), Framer()
    blocks = range(0, len(data), TURN_BYTES)
    return [raw for at in blocks for raw in framer.push(Chunk(origin, at, data[at : at + TURN_BYTES]))]


def seconds(work: Callable[[RawBatch], object], batches: list[RawBatch]) -> float:
    """CPU seconds for all batches, each let go before the next."""
    begun = time.process_time()
    for raw in batches:
        work(raw)
    return time.process_time() - begun


def medians(ways: Mapping[str, Callable[[RawBatch], object]], batches: list[RawBatch], rounds: int) -> dict[str, float]:
    """The median time of each way, all of them in turns; a first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, work in ways.items():
            times[name].append(seconds(work, batches))
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def row(subject: Subject, language: str, name: str, lines: list[str], rounds: int) -> str:
    """One line of the table; before it is measured, both parsers are seen to say the same."""
    native, batches = subject.natives[language], framed(lines)
    for raw in batches:
        if found := difference(native.parse(raw), subject.library.parse(raw)):
            raise SystemExit(f"not the same: {found}")
    known = sum(int(native.recognised(raw).sum()) for raw in batches)
    ways = {"library": subject.library.parse, "native": native.parse, "scan": native.recognised}
    taken = medians(ways, batches, rounds)
    library, parsed, scanned = (1e9 * spent / len(lines) for spent in taken.values())
    line_bytes = sum(map(len, lines)) / len(lines) + 1
    return (
        f"| {subject.workload}, {name} | {language} | {line_bytes:.0f} | {known / len(lines):.1%} "
        f"| {1e9 / library:,.0f} | {1e9 / parsed:,.0f} | {library / parsed:.2f} "
        f"| {library:,.0f} | {parsed:,.0f} | {scanned:,.0f} |"
    )


HEAD = """| lines | | bytes | recognised | library, rows/CPU s | native | ratio | library, ns a row | native | scan |
|---|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--program-records", type=int, default=1_000_000, help="0: leave the whole program out")
    options.add_argument("--methods", default="l1", help="how records are scored in the whole program")
    given = options.parse_args()
    keep_freed_memory()
    settle_garbage_collector()
    print(HEAD, flush=True)
    measured = list(subjects())
    for subject in measured:
        for name, lines in inputs(subject, given.records):
            for language in subject.natives:
                print(row(subject, language, name, lines, given.rounds), flush=True)
    if given.program_records:
        whole_paths(
            [subject.workload for subject in measured], given.methods.split(","), given.program_records, given.rounds
        )


if __name__ == "__main__":
    main()
