"""How much faster a daemon is with one helping process, on one hot file and on many files.

The wall time of `aemonitor run --once` over the whole input, that of starting left out, in turns without and with a
helper; the least of several rounds counts. Helpers take seconds to start, so the input must be long.

Usage: python benches/two_cores.py [--records 3000000] [--rounds 2] [--only access,json,csv,text] [--method l1|blend]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import workloads
from program import aemonitor
from throughput import OUT, Contest

FILES = 8


def seconds(contest: Contest, include: str, helpers: int) -> float:
    """The wall time of one run over the files that match."""
    for stale in (contest.directory / "state").glob("ledger.sqlite3*"):
        stale.unlink()
    config = contest.directory / f"helpers-{helpers}.yaml"
    drafted = (contest.directory / "aemonitor.yaml").read_text()
    source = next(line for line in drafted.splitlines() if "file_tail" in line)
    other = f"    source: {{file_tail: {{include: ['{include}']}}}}"
    config.write_text(f"helpers: {helpers}\n{drafted.replace(source, other)}")
    program = aemonitor("run", "--config", config)
    begun = time.monotonic()
    subprocess.run(
        [*program, "--once", "--log-level", "error"],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return time.monotonic() - begun


def split(data: Path, files: int) -> str:
    """The lines of a file dealt out to several; the pattern that matches these."""
    directory = data.with_suffix(".parts")
    directory.mkdir(exist_ok=True)
    if len(list(directory.glob("*.log"))) != files:
        lines = data.read_bytes().splitlines(keepends=True)
        for part in range(files):
            (directory / f"{part}.log").write_bytes(b"".join(lines[part::files]))
    return f"{directory}/*.log"


def main() -> None:
    """Measure, print the table, keep the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=3_000_000)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--only", default=",".join(workloads.WORKLOADS))
    options.add_argument("--method", default="l1", choices=("l1", "blend"))
    given = options.parse_args()
    OUT.mkdir(exist_ok=True)
    empty = OUT / "empty.log"
    empty.write_bytes(b"")
    found: list[dict[str, object]] = []
    print("| workload | files | records/s alone | with a helper | ratio |\n|---|---|---|---|---|")
    for name in given.only.split(","):
        contest = Contest(name, given.records, given.method)
        start = min(seconds(contest, str(empty), 0) for _ in range(given.rounds))
        for files, include in ((1, str(contest.data)), (FILES, split(contest.data, FILES))):
            pairs = [[seconds(contest, include, count) for count in (0, 1)] for _ in range(given.rounds)]
            alone, helped = (given.records / (min(each) - start) for each in zip(*pairs, strict=True))
            found.append({"workload": name, "files": files, "alone": alone, "helped": helped})
            print(f"| {name} | {files} | {alone:,.0f} | {helped:,.0f} | {helped / alone:.2f} |", flush=True)
    (OUT / f"two-cores-{given.method}.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
