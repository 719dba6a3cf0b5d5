"""What an explained alert costs: milliseconds of one core, from a scored row to the alert as it is stored.

Trains the default model on made-up records of mixed fields, scores spoiled ones and has the daemon's own code write
their alerts, one at a time (a lone fault) and all at once (an incident). The goal is under 20 ms each.

Usage: OMP_NUM_THREADS=1 python benches/explaining.py [--fields 14 40] [--alerts 100]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from monitor.app.alerting import Scored
from monitor.app.compose import load_pipeline
from monitor.app.pipeline import Pipeline
from monitor.cli import execute
from monitor.core.arrays import I64
from monitor.core.clock import SystemClock
from monitor.ingest.reading import read_files
from monitor.plugins import load_config

BENIGN = 4000
GOAL_MS = 20.0
KINDS = ("numeric", "categorical", "numeric", "text")
CONFIG = """server: {{listen: none}}
state_dir: {out}/state
device: cpu
streams:
  bench:
    source: {{file_tail: {{include: ['{out}/app.log']}}}}
    parser: json_lines
    features: {features}
    model: {{epochs: 5}}
    sinks: []
"""


def value(kind: str, random: np.random.Generator) -> object:
    """One value of a field: numbers follow a heavy tail, texts a few templates."""
    if kind == "categorical":
        return "abcdef"[random.integers(6)]
    if kind == "text":
        return f"user {random.integers(10_000)} asked for page {'abc'[random.integers(3)]}"
    return round(float(random.lognormal(3, 1)), 2)


def lines(count: int, fields: dict[str, str], seed: int, *, spoiled: bool) -> str:
    """Records as JSON Lines; in a spoiled one the first field is absurd."""
    random = np.random.default_rng(seed)
    records = [{name: value(kind, random) for name, kind in fields.items()} for _ in range(count)]
    wrong = {next(iter(fields)): 1e9} if spoiled else {}
    return "".join(json.dumps(record | wrong) + "\n" for record in records)


def trained(out: Path, fields: dict[str, str], alerts: int) -> Pipeline:
    """The daemon's data path with a model of so many fields; the spoiled records are in ``app.log``."""
    (out / "benign.jsonl").write_text(lines(BENIGN, fields, 1, spoiled=False))
    (out / "app.log").write_text(lines(alerts, fields, 2, spoiled=True))
    config = out / "aemonitor.yaml"
    config.write_text(CONFIG.format(out=out, features=json.dumps(fields)))
    if code := execute(["retrain", "-c", str(config), "--input", str(out / "benign.jsonl")]):
        raise SystemExit(code)
    return load_pipeline(load_config(config), "bench", SystemClock())


def milliseconds(pipeline: Pipeline, scored: Scored, rows: I64) -> float:
    """Of each of these alerts."""
    start = time.process_time()
    pipeline.explain(scored, rows)
    return (time.process_time() - start) * 1e3 / len(rows)


def measure(fields: int, alerts: int) -> str:
    """One line of the table."""
    named = {f"field_{number:02d}": KINDS[number % len(KINDS)] for number in range(fields)}
    with tempfile.TemporaryDirectory() as out:
        pipeline = trained(Path(out), named, alerts)
        scored = pipeline.score(next(iter(read_files([Path(out) / "app.log"]))))
        rows = scored.alerting
        if not len(rows):
            raise SystemExit("none of the spoiled records raised an alert")
        pipeline.explain(scored, rows[:1])  # the first call allocates
        singly = [milliseconds(pipeline, scored, rows[place : place + 1]) for place in range(len(rows))]
        together = milliseconds(pipeline, scored, rows)
    columns = pipeline.features.layout.width
    middle, slow = np.quantile(singly, [0.5, 0.99])
    return f"{fields:7}{columns:9}{len(rows):8}{middle:9.2f}{slow:8.2f}{together:10.2f}{GOAL_MS:7.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, nargs="+", default=[14, 40])
    parser.add_argument("--alerts", type=int, default=100)
    given = parser.parse_args()
    torch.set_num_threads(1)
    table = [measure(fields, given.alerts) for fields in given.fields]
    print("milliseconds of one core an alert")
    print(" fields  columns  alerts   median    99 %  together   goal", *table, sep="\n")


if __name__ == "__main__":
    main()
