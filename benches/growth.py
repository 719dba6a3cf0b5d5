"""How the cost of a record grows with its size, its fields, features, keys, and with streams and files.

Each point is the daemon as a user runs it (`aemonitor run --once`), the processor time of starting left out. A second
column tells how the cost of one record has changed since the line above, beside how much the size has grown: what is
no worse than linear stays below that.

Small records are many, so that the work can be told from the seconds of starting.

Usage: python benches/growth.py [--megabytes 400] [--only size,fields,features,keys,streams,files]
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from program import aemonitor
from throughput import OUT, Usage, run

ROOT = OUT / "growth"
BENIGN = 5_000
ROUNDS = 3
LEAST_RECORDS, MOST_RECORDS = 150_000, 600_000
BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What the records and the installation of one point look like."""

    bytes: int = 300
    fields: int = 16
    features: int = 8
    keys: int = 0
    streams: int = 1
    files: int = 1


SERIES: dict[str, tuple[str, Sequence[Shape]]] = {
    "size": ("bytes", [Shape(bytes=size) for size in (300, 1_000, 3_000, 10_000)]),
    "fields": ("fields", [Shape(bytes=0, fields=count, features=4) for count in (4, 16, 64, 256)]),
    "features": ("features", [Shape(bytes=0, fields=256, features=count) for count in (4, 16, 64, 256)]),
    "keys": ("keys", [Shape(keys=count) for count in (10, 1_000, 100_000, 1_000_000)]),
    "streams": ("streams", [Shape(streams=count) for count in (1, 10, 100)]),
    "files": ("files", [Shape(files=count) for count in (1, 10, 100, 1_000, 5_000)]),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the table."""

    series: str
    value: float
    line_bytes: float
    microseconds: float
    rss_mb: float


def lines(shape: Shape, count: int, seed: int) -> Iterator[str]:
    """Readings that follow a few hidden causes.

    Never many at once: the system counts what a process had as memory of those it starts.
    """
    random = np.random.default_rng(seed)
    causes = np.random.default_rng(7).normal(size=(3, shape.fields))
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        values = np.round(20 + random.normal(size=(size, 3)) @ causes, 2)
        keys = random.integers(max(1, shape.keys), size=size)
        for number, (row, key) in enumerate(zip(values.tolist(), keys, strict=True), start=first):
            record: dict[str, object] = {f"f{index}": value for index, value in enumerate(row)}
            if shape.keys:
                record |= {"at": 1_760_000_000 + number / 1_000, "device": f"d{key}"}
            text = json.dumps(record, separators=(",", ":"))
            padding = shape.bytes - len(text) - len(',"text":""')
            yield text[:-1] + f',"text":"{"x" * padding}"}}' if padding > 0 else text


def many(shape: Shape, megabytes: int) -> int:
    """How many records of this shape are about so much text."""
    sample = "\n".join(lines(shape, BLOCK, 3))
    return min(MOST_RECORDS, max(LEAST_RECORDS, megabytes * 1_000_000 * BLOCK // len(sample)))


def stream(shape: Shape, include: str) -> str:
    """The configuration of one stream."""
    features = [f"      f{index}: numeric" for index in range(shape.features)]
    keyed = ["    time: {field: at}", "    key: device"] if shape.keys else []
    if shape.keys:
        features.append("      pause: interarrival")
    return "\n".join(
        [
            f"    source: {{file_tail: {{include: ['{include}']}}}}",
            "    parser: json_lines",
            *keyed,
            "    features:",
            *features,
            "    model: {epochs: 2}",
            "    score: {method: l1}",
            "    alert: {threshold: 1000.0}",
            "    reservoir: {enabled: false}",
        ]
    )


class Place:
    """The files and the model of one point."""

    def __init__(self, shape: Shape, records: int) -> None:
        shutil.rmtree(ROOT, ignore_errors=True)
        self.logs = ROOT / "logs"
        self.logs.mkdir(parents=True)
        self.shape, self.records, self.config = shape, records, ROOT / "aemonitor.yaml"
        names = [f"s{number}" for number in range(shape.streams)]
        streams = "".join(f"  {name}:\n{stream(shape, f'{self.logs}/{name}-*.jsonl')}\n" for name in names)
        self.config.write_text(
            f"server: {{listen: none}}\nstate_dir: {ROOT / 'state'}\ndevice: cpu\nstreams:\n{streams}"
        )
        benign = "".join(f"{line}\n" for line in lines(shape, BENIGN, 1))
        for name in names:
            (self.logs / f"{name}-0.jsonl").write_text(benign)
        self.aemonitor("retrain", "--force")
        for name in names:
            (self.logs / f"{name}-0.jsonl").unlink()
        self.start = min(self._read().cpu_seconds for _ in range(ROUNDS))
        self._write(names)

    def _write(self, names: Sequence[str]) -> None:
        places = [(name, number) for name in names for number in range(self.shape.files)]
        parts = np.array_split(np.arange(self.records), len(places))
        found = lines(self.shape, self.records, 2)
        for (name, number), part in zip(places, parts, strict=True):
            with (self.logs / f"{name}-{number}.jsonl").open("w") as file:
                file.writelines(f"{next(found)}\n" for _ in part)

    def aemonitor(self, command: str, *options: str) -> Usage:
        """Run a command on one core."""
        return run(aemonitor(command, "--config", self.config, *options), {"OMP_NUM_THREADS": "1"})

    def measured(self, series: str, value: float) -> Point:
        """What a record costs, of the round that was disturbed least."""
        rounds = [self._read() for _ in range(ROUNDS)]
        size = sum(path.stat().st_size for path in self.logs.iterdir())
        cost = (min(usage.cpu_seconds for usage in rounds) - self.start) / self.records * 1e6
        return Point(series, value, size / self.records, cost, max(usage.rss_mb for usage in rounds))

    def _read(self) -> Usage:
        """Read everything once, from a fresh ledger."""
        for stale in (ROOT / "state").glob("ledger.sqlite3*"):
            stale.unlink()
        return self.aemonitor("run", "--once", "--log-level", "error")


def table(points: Sequence[Point]) -> str:
    """One series as a Markdown table."""
    rows = [f"| {points[0].series} | bytes a line | us a record | times as much | times as many | RSS MB |"]
    rows.append("|---|---|---|---|---|---|")
    for before, point in zip([None, *points], points, strict=False):
        grown = f"{point.microseconds / before.microseconds:.2f}" if before else ""
        more = f"{point.value / before.value:g}" if before and before.value else ""
        rows.append(
            f"| {point.value:,g} | {point.line_bytes:,.0f} | {point.microseconds:.2f} | {grown} | {more} "
            f"| {point.rss_mb:.0f} |"
        )
    return "\n".join(rows)


def plot(found: dict[str, list[Point]], path: Path) -> None:
    """All series, the cost of a record against what grows, both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(14, 6.5), layout="constrained")
    for axis in axes.flat[len(found) :]:
        axis.remove()
    for axis, (series, points) in zip(axes.flat, found.items(), strict=False):
        values = [point.value or 1e-4 for point in points]
        axis.plot(values, [point.microseconds for point in points], marker="o", color="#2563eb")
        axis.set(xscale="log", yscale="log", xlabel=series, ylabel="CPU µs a record")
        axis.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print each table, keep the figures and the plot."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=400)
    options.add_argument("--only", default=",".join(SERIES))
    given = options.parse_args()
    found: dict[str, list[Point]] = {}
    for name in given.only.split(","):
        option, shapes = SERIES[name]
        found[name] = [
            Place(shape, many(shape, given.megabytes)).measured(name, getattr(shape, option)) for shape in shapes
        ]
        print(f"{table(found[name])}\n", flush=True)
    (OUT / "growth.json").write_text(json.dumps([asdict(point) for each in found.values() for point in each], indent=2))
    plot(found, OUT / "growth.png")


if __name__ == "__main__":
    main()
