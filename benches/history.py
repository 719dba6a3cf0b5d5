"""The figures of earlier runs of a benchmark, kept beside it, and what has become slower since.

Processor times differ from machine to machine and hour to hour; ratios to a peer that ran in turns with us differ
little. So ratios are compared, and only a large loss is called one.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HISTORY = Path(__file__).resolve().parent / "history.json"
RUNS = 5
LARGEST_LOSS = 0.25
"""Of a ratio; repeated runs of the same code differ by half as much on a machine that does something else, too."""


@dataclass(frozen=True, slots=True)
class Change:
    """The ratio of a workload, and what it was before, the median of some runs; None for a new workload."""

    workload: str
    before: float | None
    now: float

    @property
    def lost(self) -> bool:
        """Whether it is worse by more than ``LARGEST_LOSS``."""
        return self.before is not None and self.now < (1 - LARGEST_LOSS) * self.before

    def text(self) -> str:
        """For a person.

        >>> Change("json", 3.0, 3.3).text()
        'json      3.00 -> 3.30  +10 %'
        """
        if self.before is None:
            return f"{self.workload:9} {self.now:.2f}  (new)"
        return f"{self.workload:9} {self.before:.2f} -> {self.now:.2f}  {self.now / self.before - 1:+.0%}".replace(
            "%", " %"
        )


def kept(path: Path = HISTORY) -> list[dict[str, Any]]:
    """All runs, oldest first."""
    return json.loads(path.read_text()) if path.exists() else []


def changes(ratios: Mapping[str, float], path: Path = HISTORY) -> list[Change]:
    """Each ratio beside those of the newest runs that have it: one lucky run must not make the next one a loss."""
    before: dict[str, list[float]] = {}
    for run in kept(path):
        for name, ratio in run["ratios"].items():
            before.setdefault(name, []).append(ratio)
    usual = {name: statistics.median(found[-RUNS:]) for name, found in before.items()}
    return [Change(name, usual.get(name), ratio) for name, ratio in ratios.items()]


def keep(ratios: Mapping[str, float], rates: Mapping[str, float], path: Path = HISTORY) -> None:
    """Add a run: ratios to the peer, records per processor second, and what they were measured of and on."""
    run = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "records_per_cpu_second": {name: round(rate) for name, rate in rates.items()},
    }
    path.write_text(json.dumps([*kept(path), run], indent=2) + "\n")


def _commit() -> str:
    """The commit that is checked out, with a mark if there are changes; empty where there is no repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=HISTORY.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()
