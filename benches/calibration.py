"""What a limit rests on, what is promised of it and what comes, with the newest records alone and with all of a file.

``retrain --max-records 20000`` of a file, and of its newest 20,000 records alone: the same network either way,
calibrated with what is held out of these, or with all older records as well. Then as many benign records as the file
has, which came later, are scored. Two made-up services: one stays as it is, the other one grows by 1 % a day.

Usage: python benches/calibration.py [--records 300000] [--learned 20000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from program import aemonitor
from thirty_days_traffic import traffic

from monitor.datasets.requests import requests
from monitor.reporting.row_text import as_jsonl

CONFIG = """
state_dir: {root}/state
device: cpu
streams:
  web:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: json_lines
    time: {{field: time}}
    key: client
    features:
      host: categorical
      method: categorical
      path: path
      status: categorical
      cached: boolean
      bytes: {{numeric: {{scale: log}}}}
      request_bytes: {{numeric: {{scale: log}}}}
      duration_ms: {{numeric: {{scale: log}}}}
    alert: {{false_alarm_rate: {rate}}}
    sinks: []
"""
RATES = (0.01, 0.001, 0.0001)
DAYS = 9
"""Of the service that grows: so many are learned, and so many come after, before the first attack on it."""


def steady(records: int, *, later: bool) -> Iterator[pa.Table]:
    """Four weeks of a service that stays as it is, or the four weeks after them."""
    batch = requests(records, seed=2 if later else 1)
    columns = {field.name: column for field, column in batch.columns.items()}
    yield pa.table({**columns, "time": pa.array(batch.times)})


def growing(records: int, *, later: bool) -> Iterator[pa.Table]:
    """Nine days of a service that grows, or the nine days after them."""
    first = 1 if later else 1 - DAYS
    yield from (traffic(day, records // DAYS) for day in range(first, first + DAYS))


def run(*words: str | Path) -> bytes:
    """A command to its end; what it printed."""
    return subprocess.run(
        aemonitor(*words), stdout=subprocess.PIPE, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ).stdout


def calibrated(root: Path, rate: float, file: Path, learned: int, fresh: Path) -> str:
    """A row of the table."""
    config, scored = root / "aemonitor.yaml", root / "scores.parquet"
    config.write_text(CONFIG.format(root=root, rate=rate))
    said = run("retrain", "-c", config, "--input", file, "--max-records", str(learned), "--force", "--json")
    report: dict[str, Any] = json.loads(said)[0]
    run("score", "-c", config, fresh, "-o", scored)
    scores = pq.read_table(scored, columns=["score"]).column("score").to_numpy()
    above = int((scores > report["threshold"]).sum())
    limit = report["limit"]
    return (
        f"{rate:.2%} | {limit['records']:,} | {limit['share']:.4%} | {limit['share_upper']:.4%} | "
        f"{above / len(scores):.4%} ({above:,})"
    )


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=300_000)
    options.add_argument("--learned", type=int, default=20_000)
    asked = options.parse_args()
    print("| service | calibrated with | wanted | records | expected | at most | came |")
    print("|---|---|---|---|---|---|---|")
    for name, world in (("steady", steady), ("growing", growing)):
        with TemporaryDirectory(prefix="aemonitor-") as place:
            root = Path(place)
            whole, newest, fresh = (root / f"{each}.jsonl" for each in ("whole", "newest", "fresh"))
            whole.write_text("".join(map(as_jsonl, world(asked.records, later=False))))
            fresh.write_text("".join(map(as_jsonl, world(asked.records, later=True))))
            with whole.open() as lines:
                newest.write_text("".join(deque(lines, asked.learned)))
            for rate in RATES:
                for what, file in (("the newest", newest), ("all", whole)):
                    row = calibrated(root, rate, file, asked.learned, fresh)
                    print(f"| {name} | {what} | {row} |", flush=True)


if __name__ == "__main__":
    main()
