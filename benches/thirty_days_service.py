"""The real commands on a machine whose clock shows what the day wants, and what they leave behind."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from thirty_days_traffic import attack

from monitor.app.benign import benign, chosen
from monitor.core.records import FieldType
from monitor.plugins import load_config

STREAM = "web"
TRY_LATER = 75

PROGRAM = """
import sys, time
real, ahead = time.time, float(sys.argv.pop(1)) - time.time()
time.time = lambda: real() + ahead
from monitor.cli import main
main()
"""
"""The program as `python -m monitor` starts it, after the wall clock was set."""

DRAFTED, WANTED = "threshold: 1.8, false_alarm_rate: 0.01", "budget: 5/day"
"""`init` drafts a budget from four days on, and looks at 50,000 records: of a busy stream that is less."""


@dataclass
class Told:
    """What a day brought: ``false`` episodes, and by attack how many of its episodes were told."""

    records: int
    alerts: int
    told: int = 0
    false: int = 0
    found: dict[str, int] = field(default_factory=dict[str, int])


class Service:
    """A configuration as ``init`` drafts it for ``log``, and its state; both under ``root``.

    The reservoir keeps at most ``sample`` records.
    """

    def __init__(self, root: Path, log: Path, sample: int) -> None:
        root.mkdir(parents=True)
        self.config, self._state, self._seen = root / "aemonitor.yaml", root / "state", 0
        options = ("--state-dir", str(self._state), "--listen", "none", "-o", str(self.config))
        _run(0.0, "init", "--stream", STREAM, str(log), *options)
        drafted = self.config.read_text()
        kept = f"    reservoir: {{max_records: {sample}}}\n    sinks: [journal]"
        self.config.write_text(drafted.replace(DRAFTED, WANTED).replace("    sinks: [journal]", kept))

    def retrain(self, now: float, *options: str) -> tuple[str, dict[str, Any]]:
        """What came of a retraining, in words, and its report if it came so far."""
        done = _run(now, "retrain", "-c", str(self.config), "--json", *options, may=(0, TRY_LATER))
        reports = cast("list[dict[str, Any]]", json.loads(done.stdout or "[]"))
        if not reports:
            return f"refused: {done.stderr.strip().splitlines()[-1]}", {}
        refused = reports[0]["refused"]
        return f"refused: {refused}" if refused else "published", reports[0]

    def score_news(self, now: float) -> Told:
        """Run the daemon over what is new in the log."""
        done = _run(now, "run", "-c", str(self.config), "--once", "--log-level", "error")
        words = done.stderr.strip().splitlines()[-1].replace(",", "").split()  # N records scored ..., M alerts
        told = Told(records=int(words[0]), alerts=int(words[-2]))
        self._count(told)
        return told

    def _count(self, told: Told) -> None:
        """Episodes by what they are of; one is told again if it becomes critical."""
        path = self._state / "alerts.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        firing = [alert for alert in map(json.loads, lines[self._seen :]) if alert["state"] == "firing"]
        self._seen, told.told = len(lines), len(firing)
        kinds: dict[str, set[str]] = {}
        for alert in firing:
            record = json.loads(alert["raw"])
            kind = attack(record["client"], record["path"]) or ""
            kinds.setdefault(kind, set()).add(alert["episode"]["id"])
        told.false = len(kinds.pop("", set()))
        told.found = {kind: len(ids) for kind, ids in kinds.items()}

    def alerting(self, now: float, path: Path) -> tuple[int, int]:
        """How many records of a file alert with the model in use, and how many there are."""
        done = _run(now, "score", "-c", str(self.config), str(path), "--format", "jsonl")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return sum(row["alert"] for row in rows), len(rows)

    def learned(self) -> dict[str, tuple[int, int]]:
        """How many records of each attack the sample has, and how many of them the next retraining would learn."""

        def quiet(*_: object) -> None:
            pass

        config = load_config(self.config)
        counts: dict[str, tuple[int, int]] = {}
        stream = config.streams[STREAM]
        sample = chosen(config, STREAM, stream, (), quiet, reservoir=True)
        for batch in benign(config, STREAM, stream, (), sample, quiet):
            columns = (batch.column(name, FieldType.TEXT).to_pylist() for name in ("client", "path"))
            for client, path, ok in zip(*columns, batch.ok.tolist(), strict=True):
                kind = attack(client, path)
                if kind:
                    kept, learned = counts.get(kind, (0, 0))
                    counts[kind] = (kept + 1, learned + ok)
        return counts


def _run(now: float, *arguments: str, may: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run a command at a time of our choice; ``may`` are the codes it may exit with."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(now), *arguments], check=False, capture_output=True, text=True
    )
    if done.returncode not in may:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done
