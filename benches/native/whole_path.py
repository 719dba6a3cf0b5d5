"""The daemon on a file, as it is and with the native parsers: records per CPU second, and what its stages take."""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import workloads
from throughput import OUT, STREAMS, TRAINING_RECORDS, run

from monitor.app.compose import load_pipeline
from monitor.core.clock import SystemClock
from monitor.ingest.reading import read_files
from monitor.plugins import load_config

HERE = Path(__file__).resolve().parent
PROGRAMS = {"library": "monitor", "native": "native.daemon"}
"""The modules that are run."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parent}:{HERE.parent.parent}"}


class Daemon:
    """A trained model and a file of lines it has not seen."""

    def __init__(self, workload: str, method: str, records: int) -> None:
        self.directory = OUT / "native" / f"{workload}-{method}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "aemonitor.yaml"
        self.workload, self.method, self.records = workload, method, records
        self.data = workloads.write(workload, OUT / "native" / f"{workload}-{records}.log", records)
        self.empty = OUT / "native" / "empty.log"
        self.empty.touch()
        training = workloads.write(workload, OUT / "native" / f"{workload}-{TRAINING_RECORDS}.log", TRAINING_RECORDS)
        self._run("library", training, "retrain", "--input", str(training), "--force")

    def seconds(self, program: str, data: Path) -> float:
        """CPU seconds for reading a file to its end, from a fresh ledger."""
        for stale in (self.directory / "state").glob("ledger.sqlite3*"):
            stale.unlink()
        return self._run(program, data, "run", "--once", "--log-level", "warning")

    def stage_seconds(self) -> Mapping[str, float]:
        """Seconds of the stages of the data path for the whole file, the library's parser in it."""
        self._configure(self.data)
        pipeline = load_pipeline(load_config(self.config), "bench", SystemClock())
        total: Counter[str] = Counter()
        for raw in read_files([self.data]):
            total.update(pipeline.process(raw).stage_seconds)
        return total

    def _run(self, program: str, data: Path, command: str, *options: str) -> float:
        self._configure(data)
        arguments = [sys.executable, "-m", PROGRAMS[program], command, "--config", str(self.config), *options]
        return run(arguments, ENVIRONMENT).cpu_seconds

    def _configure(self, data: Path) -> None:
        self.config.write_text(
            f"server: {{listen: none}}\nstate_dir: {self.directory / 'state'}\ndevice: cpu\n"
            f"streams:\n  bench:\n    source: {{file_tail: {{include: ['{data}']}}}}\n    {STREAMS[self.workload]}\n"
            f"    score: {{method: {self.method}}}\n"
            "    alert: {threshold: 1000000.0}\n"
        )


def row(daemon: Daemon, rounds: int) -> str:
    """One line of the table: medians of rounds in which both programs start and read in turns."""
    spent: dict[tuple[str, Path], list[float]] = {}
    for _ in range(rounds):
        for way in ((program, data) for program in PROGRAMS for data in (daemon.empty, daemon.data)):
            spent.setdefault(way, []).append(daemon.seconds(*way))
    medians = {way: statistics.median(seconds) for way, seconds in spent.items()}
    rates = {p: daemon.records / (medians[p, daemon.data] - medians[p, daemon.empty]) for p in PROGRAMS}
    stages = ", ".join(f"{name} {1e9 * taken / daemon.records:,.0f}" for name, taken in daemon.stage_seconds().items())
    return (
        f"| {daemon.workload}, {daemon.method} | {rates['library']:,.0f} | {rates['native']:,.0f} "
        f"| {rates['native'] / rates['library']:.2f} | {1e9 / rates['library']:,.0f} | {1e9 / rates['native']:,.0f} "
        f"| {stages} |"
    )


def whole_paths(names: Sequence[str], methods: Sequence[str], records: int, rounds: int) -> None:
    """Print the table."""
    print(
        "\n| whole program | library, records/CPU s | native | ratio | library, ns a record | native "
        f"| stages, library |\n|{'---|' * 7}"
    )
    for method in methods:
        for name in names:
            print(row(Daemon(name, method, records), rounds), flush=True)
