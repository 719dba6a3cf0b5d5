"""The same records scored offline by one process, by several, and on Ray with a worker killed on the way.

Wall time, processor time and memory (the most that all processes of the command hold together, shared pages counted
once each, sampled) of `aemonitor score FILE -o FILE.parquet`; the files written have to be equal byte by byte.

Usage: python benches/engines.py [--records 10000000] [--workers 2] [--method l1|blend]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

import psutil
from program import aemonitor
from throughput import OUT, Contest

SAMPLED_SECONDS = 2.0


@dataclass(frozen=True)
class Engine:
    """How the command is called, and whether one of its workers is killed after a quarter of the first run's time."""

    name: str
    options: tuple[str, ...] = ()
    kill: str = ""


@dataclass(frozen=True)
class Figures:
    """What one run took."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    digest: str
    killed: int


def run(contest: Contest, engine: Engine, kill_after: float) -> Figures:
    """One command to its end."""
    written = contest.directory / f"scores-{engine.name}.parquet"
    program = aemonitor("score", "--config", contest.directory / "aemonitor.yaml")
    begun, before = time.monotonic(), os.times()
    command = subprocess.Popen(
        [*program, str(contest.data), *engine.options, "-o", str(written)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    most = killed = 0
    while command.poll() is None:
        try:
            command.wait(SAMPLED_SECONDS)
        except subprocess.TimeoutExpired:
            most = max(most, memory(command.pid))
            if engine.kill and not killed and time.monotonic() - begun > kill_after:
                killed = kill(command.pid, engine.kill)
    if command.returncode:
        raise SystemExit(f"{engine.name}: exit code {command.returncode}")
    seconds, after = time.monotonic() - begun, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    digest = hashlib.file_digest(written.open("rb"), "sha256").hexdigest()
    written.unlink()
    return Figures(seconds, cpu, most, digest, killed)


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(pid: int) -> int:
    """The proportional memory of a family."""
    total = 0
    for process in family(pid):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def kill(pid: int, name: str) -> int:
    """Kill one worker that is at work; how many were killed."""
    for process in family(pid):
        try:
            if name in " ".join(process.cmdline()) and process.cpu_percent(0.2) > 20:
                process.send_signal(signal.SIGKILL)
                return 1
        except psutil.Error:
            continue
    return 0


def main() -> None:
    """Measure one after the other, print the table, keep the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=10_000_000)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--method", default="l1", choices=["l1", "blend"])
    asked = options.parse_args()
    contest = Contest("json", asked.records, asked.method)
    many = ("--workers", str(asked.workers))
    found: dict[str, Figures] = {}
    for engine in (
        Engine("inline"),
        Engine("processes", ("--engine", "processes", *many), "spawn_main"),
        Engine("ray", ("--engine", "ray", *many), "ray::"),
    ):
        first = found.get("inline")
        found[engine.name] = run(contest, engine, first.seconds / 4 if first else 0.0)
        figures = found[engine.name]
        same = "" if first is None else ", the same bytes" if figures.digest == first.digest else ", OTHER BYTES"
        print(
            f"{engine.name:10} {figures.seconds:7.1f} s, {asked.records / figures.seconds:10,.0f} records/s, "
            f"{figures.cpu_seconds:7.1f} s CPU, {figures.memory_bytes / 1e6:7,.0f} MB, {figures.killed} killed{same}",
            flush=True,
        )
    summary = {name: vars(figures) for name, figures in found.items()}
    (OUT / "engines.json").write_text(json.dumps({"records": asked.records, **summary}, indent=2))
    if len({figures.digest for figures in found.values()}) > 1:
        raise SystemExit("the results differ")


if __name__ == "__main__":
    main()
