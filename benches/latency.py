"""From line written to alert visible in the alert file, at a steady rate; the daemon runs as a user runs it.

One line in so many is a fault; its alert carries the moment the line was written.

Usage: python benches/latency.py [--rate 1000] [--seconds 30] [--fault-every 100] [--gather 25] [--method blend|l1]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from program import aemonitor

OUT = Path(__file__).resolve().parent.parent / "bench-out" / "latency"
CONFIG = """server: {{listen: none}}
state_dir: {out}/state
device: cpu
limits: {{gather_milliseconds: {gather}}}
streams:
  bench:
    source: {{file_tail: {{include: ['{out}/app.log']}}}}
    parser: json_lines
    features: {{level: numeric, mode: categorical}}
    model: {{epochs: 20}}
    score: {{method: {method}}}
    alert: {{tell: records}}
    sinks: [file]
sinks:
  file: {{jsonl: {{path: '{out}/alerts.jsonl'}}}}
"""


def line(number: int, *, faulty: bool) -> bytes:
    """A reading that carries the moment it was written."""
    record = {"level": 900.0 if faulty else 20.0 + number % 17, "mode": "abc"[number % 3], "written": time.time()}
    return json.dumps(record).encode() + b"\n"


class Watcher(threading.Thread):
    """Notes when each alert becomes visible, to a millisecond."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.delays: list[float] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        offset = 0
        while not self.stopped.wait(0.001):
            if not self._path.exists() or self._path.stat().st_size == offset:
                continue
            now = time.time()
            with self._path.open("rb") as alerts:
                alerts.seek(offset)
                text = alerts.read()
            whole = text[: text.rfind(b"\n") + 1]
            offset += len(whole)
            self.delays += [now - json.loads(json.loads(alert)["raw"])["written"] for alert in whole.splitlines()]


def main() -> None:
    """Measure and print one line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=30)
    options.add_argument("--fault-every", type=int, default=100)
    options.add_argument("--gather", type=int, default=25, help="milliseconds")
    options.add_argument("--method", default="blend", choices=["blend", "l1"])
    given = options.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    config = OUT / "aemonitor.yaml"
    config.write_text(CONFIG.format(out=OUT, gather=given.gather, method=given.method))
    (OUT / "benign.jsonl").write_bytes(b"".join(line(n, faulty=False) for n in range(3000)))
    (OUT / "app.log").touch()
    subprocess.run(
        aemonitor("retrain", "-c", str(config), "--input", str(OUT / "benign.jsonl")), check=True, capture_output=True
    )
    daemon = subprocess.Popen(aemonitor("run", "-c", str(config)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert daemon.stderr is not None
    while b"started" not in daemon.stderr.readline():
        pass
    watcher = Watcher(OUT / "alerts.jsonl")
    watcher.start()
    threading.Thread(target=daemon.stderr.read, daemon=True).start()
    cpu_before = cpu_seconds(daemon.pid)
    produce(OUT / "app.log", given.rate, given.seconds, given.fault_every)
    time.sleep(1)
    cpu = cpu_seconds(daemon.pid) - cpu_before
    watcher.stopped.set()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait()
    delays = 1000 * np.array(watcher.delays)
    expected = given.rate * given.seconds // given.fault_every
    print(
        f"{given.rate} lines/s for {given.seconds} s, {given.method}, gathered {given.gather} ms: "
        f"{len(delays)} of {expected} alerts, latency ms "
        f"p50 {np.quantile(delays, 0.5):.1f}, p99 {np.quantile(delays, 0.99):.1f}, max {delays.max():.1f}; "
        f"{100 * cpu / (given.seconds + 1):.1f} % of a core"
    )


def cpu_seconds(pid: int) -> float:
    """Processor time a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def produce(log: Path, rate: int, seconds: int, fault_every: int) -> None:
    """Write one line at a time at a steady rate."""
    begun = time.monotonic()
    with log.open("ab", buffering=0) as out:
        for number in range(rate * seconds):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            out.write(line(number, faulty=number % fault_every == 0))


if __name__ == "__main__":
    main()
