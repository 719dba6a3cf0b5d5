"""Where each microsecond of a record goes, per format, beside what the machine could do.

One process, one thread, the data path as the daemon has it, all batches in memory. The least processor time of several
rounds counts. The bounds are of the same bytes: copying them, finding the lines in them, decoding them with the fastest
library there is for the format (nothing is made of the values), and the network's multiplications at the speed of large
matrix products.

Usage: python benches/stages.py [--records 200000] [--rounds 5] [--method l1|blend] [--only json,access,csv,text]
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
import workloads
from throughput import OUT, Contest

from monitor.app.compose import load_pipeline, new_framer
from monitor.app.pipeline import Pipeline
from monitor.core.clock import SystemClock
from monitor.core.records import Chunk, Origin, RawBatch
from monitor.ingest.framing import Framer
from monitor.ledger import Ledger
from monitor.model.autoencoder import Autoencoder
from monitor.plugins import load_config
from monitor.runtime.memory import keep_freed_memory, leave_pandas_out, settle_garbage_collector

CHUNK_BYTES = 2 << 20
STREAM = "bench"
STAGES: tuple[str, ...] = ("frame", "parse", "encode", "score", "decide", "commit")


@dataclass(frozen=True, slots=True)
class Row:
    """Processor time in nanoseconds a record; ``library`` is None where no library decodes the format."""

    workload: str
    line_bytes: float
    columns: int
    stages: dict[str, float]
    copy: float
    lines: float
    library: float | None
    network: float

    @property
    def total(self) -> float:
        """The whole path."""
        return sum(self.stages.values())


def least(work: Callable[[], object], rounds: int) -> float:
    """The least processor seconds of several calls."""
    spent: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def framed(framer: Framer, data: bytes) -> list[RawBatch]:
    """All batches of a file, as the daemon's reader makes them."""
    origin = Origin("f", 0, "/bench.log")
    starts = range(0, len(data), CHUNK_BYTES)
    return [raw for start in starts for raw in framer.push(Chunk(origin, start, data[start : start + CHUNK_BYTES]))]


def scored(pipeline: Pipeline, batches: Sequence[RawBatch]) -> dict[str, float]:
    """Processor seconds of each stage over all batches, committed to a new ledger."""
    spent: dict[str, float] = dict.fromkeys(STAGES[1:], 0.0)
    with TemporaryDirectory() as directory, Ledger.open(Path(directory)) as ledger:
        for raw in batches:
            result = pipeline.process(raw)
            for stage, seconds in result.stage_seconds.items():
                spent[stage] += seconds
            begun = time.perf_counter()
            ledger.commit([result.outcome])
            spent["commit"] += time.perf_counter() - begun
    return spent


def decoded(name: str, data: bytes) -> Callable[[], object] | None:
    """The fastest library on the whole file."""
    if name == "json":
        fields = [(key, float) for key in (f"s{index:02d}" for index in range(workloads.SENSORS))]
        shape = msgspec.defstruct("Record", [*fields, ("mode", str), ("site", str)], gc=False)
        return lambda: msgspec.json.Decoder(shape).decode_lines(data)
    if name == "csv":
        options = pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True)
        return lambda: pyarrow.csv.read_csv(io.BytesIO(data), options)
    if name == "access":  # as rows of cells apart by blanks, which is what it nearly is
        options = pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True)
        cells = pyarrow.csv.ParseOptions(delimiter=" ")
        return lambda: pyarrow.csv.read_csv(io.BytesIO(data), options, cells)
    return None


def network_seconds(module: object, rows: int, rounds: int) -> float:
    """The multiplications of so many rows at the speed of large matrix products."""
    assert isinstance(module, Autoencoder)
    side = 1024
    left, right, out = (torch.randn(side, side) for _ in range(3))
    speed = 2 * side**3 / least(lambda: torch.mm(left, right, out=out), 3 * rounds)
    return 2 * sum(before * after for before, after in pairwise(module.widths)) * rows / speed


def measured(name: str, records: int, rounds: int, method: str) -> Row:
    """All of it for one format."""
    contest = Contest(name, records, method)
    config = load_config(contest.directory / "aemonitor.yaml")
    data = contest.data.read_bytes()
    pipeline = load_pipeline(config, STREAM, SystemClock())
    new = new_framer(config.limits, config.streams[STREAM].input)
    frame = least(lambda: framed(new(), data), rounds)
    batches = framed(new(), data)
    runs = [scored(pipeline, batches) for _ in range(rounds)]
    spent = {"frame": frame} | {stage: min(run[stage] for run in runs) for stage in STAGES[1:]}
    octets = np.frombuffer(data, dtype=np.uint8)
    library = decoded(name, data)
    seconds = {
        "copy": least(octets.copy, rounds),
        "lines": least(lambda: np.flatnonzero(octets == ord("\n")), rounds),
        "library": least(library, rounds) if library else None,
        "network": network_seconds(pipeline.bundle.contents.module, records, rounds),
    }
    each = {bound: None if value is None else value / records * 1e9 for bound, value in seconds.items()}
    stages = {stage: value / records * 1e9 for stage, value in spent.items()}
    return Row(name, len(data) / records, pipeline.features.layout.total, stages, **each)  # type: ignore[arg-type]


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    head = ("workload", "bytes", "columns", *STAGES, "**all**", "copy", "find lines", "library alone", "network alone")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        stages = [f"{row.stages[stage]:,.0f}" for stage in STAGES]
        library = "-" if row.library is None else f"{row.library:,.0f}"
        bounds = [f"{row.copy:,.0f}", f"{row.lines:,.0f}", library, f"{row.network:,.0f}"]
        cells = [row.workload, f"{row.line_bytes:.0f}", str(row.columns), *stages, f"**{row.total:,.0f}**", *bounds]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table in nanoseconds a record, keep the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--method", default="l1", choices=("l1", "blend"))
    options.add_argument("--only", default=",".join(workloads.WORKLOADS))
    given = options.parse_args()
    keep_freed_memory()
    leave_pandas_out()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    settle_garbage_collector()
    OUT.mkdir(exist_ok=True)
    rows = [measured(name, given.records, given.rounds, given.method) for name in given.only.split(",")]
    (OUT / f"stages-{given.method}.json").write_text(json.dumps([asdict(row) for row in rows], indent=2))
    print(table(rows))


if __name__ == "__main__":
    main()
