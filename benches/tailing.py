"""What following a log costs at a steady rate with rotations: reading, framing and committing; then scoring as well.

One writer appends access log lines and rotates by rename, keeping ten backups. The reader is a process of its own:
first the daemon's own reader, framer, queue and ledger with nothing between that looks at a record, then the whole
daemon. Processor time is the operating system's, all threads, over the writing; starting is left out.

Usage: python benches/tailing.py [--rate 50000] [--seconds 30] [--rotate-seconds 0.25] [--methods l1,blend]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import workloads
from latency import cpu_seconds
from program import aemonitor
from throughput import OUT, STREAMS, TRAINING_RECORDS

from monitor.core.accounting import Counts, Memory, MemoryChange, Outcome, Position
from monitor.core.arrays import F64
from monitor.core.clock import SystemClock
from monitor.core.config import LimitsConfig
from monitor.core.protocols import SourceContext
from monitor.core.records import RawBatch
from monitor.ingest.framing import Framer
from monitor.ledger import Ledger
from monitor.runtime.byte_queue import ByteQueue
from monitor.runtime.flow import Flow, PausingLedger
from monitor.runtime.reader import Reader, StreamInput
from monitor.runtime.scorer import Scorer
from monitor.sources import file_tail
from monitor.telemetry import Telemetry
from monitor.web import Health

STREAM = "bench"
BACKUPS = 10
SAMPLE = 200_000
"""Different lines; the writer goes round and round, with a line of its own each time: equal files would be copies."""
STAMP = b'10.1.0.1 - - [05/Jan/2026:00:00:00 +0000] "GET /?id=%d HTTP/1.1" 200 3000 "-" "-"\n'
CATCH_UP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Counted:
    """A batch of which every record counts as scored."""

    outcome: Outcome
    scores: F64 = field(default_factory=lambda: np.empty(0))
    l1: F64 = field(default_factory=lambda: np.empty(0))
    newest_time: float | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    lost_device: str = ""


class Counter:
    """A data path that looks at no record."""

    def process(self, raw: RawBatch, prepared: object = None) -> Counted:
        """Count."""
        del prepared
        counts = Counts(read=len(raw), scored=len(raw), bytes=raw.input_bytes)
        return Counted(Outcome(STREAM, (Position(raw.origin, raw.next_offset, raw.tail),), counts))

    def idle(self, *, ending: bool = False) -> None:
        """Nothing."""
        del ending

    def memories(self) -> Mapping[str, Memory]:
        """Nothing."""
        return {}

    def take_over(self, memories: Mapping[str, Memory]) -> Mapping[str, str]:
        """Nothing to go on with."""
        del memories
        return {}

    def join(self, changes: Sequence[MemoryChange]) -> tuple[Sequence[MemoryChange], Mapping[str, str]]:
        """Nothing to add to."""
        return changes, {}


def tail(log: Path, state: Path, parent: Connection) -> None:
    """Read, frame and commit until told to stop, with the threads of the daemon."""
    clock, ledger = SystemClock(), Ledger.open(state)
    health, telemetry, queue = Health(clock), Telemetry(clock), ByteQueue(8 << 20)

    def forget(stream: str, file_ids: Sequence[str]) -> None:
        ledger.forget(stream, file_ids)

    flow = Flow(queue, clock, health, turn_bytes=2 << 20, keep_one_in=1)
    reader = Reader(
        queue, flow, ahead=lambda *_: None, forget=forget, beat=lambda: health.beat("reader"), failed=_end,
        gather_seconds=LimitsConfig().gather_milliseconds / 1000,
    )  # fmt: skip
    stream = telemetry.stream(STREAM)
    context = SourceContext(STREAM, ledger.resume(STREAM), clock, stream, reader.wake)
    source = file_tail.build(file_tail.Config(include=[str(log)]), context)
    tailed = StreamInput(STREAM, source, Framer, stream)

    scorer = Scorer(
        queue, PausingLedger(ledger, flow), telemetry, health, clock,
        max_records=8192, failed=_end, committed=tailed.committed.append,
    )  # fmt: skip
    scorer.swap({STREAM: Counter()})
    scorer.start()
    reader.replace([tailed])
    reader.start()
    parent.send("ready")
    parent.recv()
    for thread in (reader, scorer):
        thread.stop()
        thread.join()
    ledger.close()


def _end(_error: BaseException) -> None:
    os._exit(1)


class Tail:
    """``tail`` in a process of its own."""

    def __init__(self, log: Path, state: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._child, parent = spawn.Pipe()
        self._process = spawn.Process(target=tail, args=(log, state, parent))
        self._process.start()
        parent.close()  # so that the end of the process is the end of the pipe
        self._child.recv()
        self.pid = self._process.pid or 0

    def end(self) -> None:
        """Stop it and wait."""
        self._child.send("stop")
        self._process.join()


CONFIG = """server: {{listen: none}}
state_dir: {state}
device: cpu
streams:
  bench:
    source: {{file_tail: {{include: ['{log}']}}}}
    {stream}
    score: {{method: {method}}}
    alert: {{threshold: 1000000.0}}
"""


class Daemon:
    """The program as a user runs it, with a model of its own."""

    def __init__(self, log: Path, state: Path, method: str) -> None:
        config = state.with_suffix(".yaml")
        config.write_text(CONFIG.format(state=state, log=log, stream=STREAMS["access"], method=method))
        training = workloads.write("access", OUT / f"access-{TRAINING_RECORDS}.log", TRAINING_RECORDS)
        subprocess.run(aemonitor("retrain", "-c", str(config), "--input", str(training)), check=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            aemonitor("run", "-c", str(config)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
        )
        self.pid = self._process.pid
        messages = self._process.stderr
        assert messages is not None
        if not any(b"started" in message for message in messages):
            raise SystemExit("the daemon did not start")
        threading.Thread(target=messages.read, daemon=True).start()

    def end(self) -> None:
        """SIGTERM and wait."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def rotate(log: Path) -> None:
    """``log.1`` becomes ``log.2`` and so on; the eleventh goes."""
    for age in range(BACKUPS, 0, -1):
        old = log.with_name(f"{log.name}.{age - 1}") if age > 1 else log
        if old.exists():
            old.replace(log.with_name(f"{log.name}.{age}"))


def produce(log: Path, blocks: Sequence[bytes], rate: int, seconds: float, rotate_seconds: float) -> tuple[int, int]:
    """Append ``blocks`` and a stamp fifty times a second, round and round; how many lines, and how many rotations."""
    begun, rotations = time.monotonic(), 0
    out = log.open("ab", buffering=0)
    for tick in range(int(50 * seconds)):
        time.sleep(max(0.0, begun + tick / 50 - time.monotonic()))
        out.write(STAMP % tick + blocks[tick % len(blocks)])
        if tick / 50 >= (rotations + 1) * rotate_seconds:
            rotations += 1
            out.close()
            rotate(log)
            out = log.open("ab", buffering=0)
    out.close()
    return int(50 * seconds) * (rate // 50), rotations


def measure(name: str, directory: Path, blocks: Sequence[bytes], given: argparse.Namespace) -> str:
    """One row of the table."""
    log, state = directory / name / "app.log", directory / name / "state"
    log.parent.mkdir(parents=True)
    log.touch()
    reader = Tail(log, state) if name == "tail" else Daemon(log, state, name)
    try:
        cpu = cpu_seconds(reader.pid)
        lines, rotations = produce(log, blocks, given.rate, given.seconds, given.rotate_seconds)
        cpu = cpu_seconds(reader.pid) - cpu
        read = settled(state, lines)
    finally:
        reader.end()
    cost = 100 * cpu / given.seconds
    return f"| {name} | {given.rate:,} | {lines:,} | {rotations:,} | {lines - read:,} | {cost:.1f} % |"


def settled(state: Path, lines: int) -> int:
    """How many lines are committed, once it is all of them or time is up."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while True:
        with Ledger.open(state, read_only=True) as ledger:
            read = ledger.counts(STREAM).read
        if read >= lines or time.monotonic() > deadline:
            return read
        time.sleep(0.1)


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=50_000, help="lines a second; a multiple of 50")
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--rotate-seconds", type=float, default=0.25)
    options.add_argument("--methods", default="l1,blend", help="how the daemon scores; empty for no daemon")
    given = options.parse_args()
    directory = OUT / "tailing"
    shutil.rmtree(directory, ignore_errors=True)
    OUT.mkdir(exist_ok=True)
    sample = workloads.write("access", OUT / f"access-{SAMPLE}.log", SAMPLE).read_bytes().splitlines(keepends=True)
    tick = given.rate // 50 - 1
    blocks = [b"".join(sample[start : start + tick]) for start in range(0, SAMPLE - tick + 1, tick)]
    print(f"{len(b''.join(sample)) / SAMPLE:.0f} bytes a line, load {os.getloadavg()[0]:.1f}, Python {sys.version[:6]}")
    print("| what | lines/s | lines | rotations | not read | of a core |\n|---|---|---|---|---|---|", flush=True)
    for name in ["tail", *re.findall(r"\w+", given.methods)]:
        print(measure(name, directory, blocks, given), flush=True)


if __name__ == "__main__":
    main()
