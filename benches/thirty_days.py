"""A month of a service that changes and is attacked twice, with a retraining each night and without one.

Each simulated day the log grows by that day's records, `aemonitor run --once` scores them, alerts and fills the
reservoir, and `aemonitor retrain` learns from nothing but that; the clock that both see is the simulated one. Beside it
the first model goes on alone. The first model learns the four days before day 1.

Usage: python benches/thirty_days.py [--records 1000000] [--days 30] [--sample 50000]
"""

from __future__ import annotations

import argparse
import platform
import shutil
import time
from pathlib import Path
from typing import Any

from thirty_days_service import Service, Told
from thirty_days_traffic import ATTACKS, attack, midnight, rows_of, traffic

import monitor
from monitor.reporting.row_text import as_jsonl

ROOT = Path("bench-out/thirty-days")
BEFORE = range(-3, 1)
"""The days that the first model learns."""

SCORED_AFTER, RETRAINED_AFTER = 1800.0, 7200.0
"""Seconds after midnight; between both longer than an episode's gap, and nothing fires while a model is published."""

HEAD = "| day | records | alerts | told | false episodes | alone: false episodes | attack found | alone | retraining |"


class Month:
    """Two services that read the same log, one of which is retrained."""

    def __init__(self, records: int, days: int, sample: int) -> None:
        shutil.rmtree(ROOT, ignore_errors=True)
        ROOT.mkdir(parents=True)
        self._records, self._days, self._log = records, days, (ROOT / "web.jsonl").absolute()
        for day in BEFORE:
            self._write(day)
        self.retrained, self.alone = (
            Service((ROOT / name).absolute(), self._log, sample) for name in ("retrained", "alone")
        )
        for service in (self.retrained, self.alone):
            print(f"first model: {service.retrain(midnight(0), '--input', str(self._log))[0]}")
            service.score_news(midnight(0) + SCORED_AFTER)

    def day(self, day: int) -> None:
        """One day and the night after it, as a row of the table."""
        self._write(day)
        told, alone = (each.score_news(midnight(day) + SCORED_AFTER) for each in (self.retrained, self.alone))
        learned = self.retrained.learned() if day >= min(ATTACKS) else {}
        outcome, report = self.retrained.retrain(midnight(day) + RETRAINED_AFTER)
        print(_row(day, told, alone, f"{outcome}{_details(report)}{_attacks(learned)}"), flush=True)
        for attacked in [each for each in ATTACKS if each <= day and day in {each, self._days}]:
            self._replay(day, attacked)

    def _replay(self, day: int, attacked: int) -> None:
        """Say how much of an attack alerts with the models in use after a day."""
        path = ROOT / f"{ATTACKS[attacked]}.jsonl"
        for name, service in (("retrained", self.retrained), ("alone", self.alone)):
            alerting, count = service.alerting(midnight(day) + RETRAINED_AFTER, path)
            print(
                f"* after day {day}, {name}: {alerting} of {count} records of the {ATTACKS[attacked]} alert", flush=True
            )

    def _write(self, day: int) -> None:
        table = traffic(day, rows_of(day, self._records, self._days))
        with self._log.open("a") as log:
            log.write(as_jsonl(table))
        if day in ATTACKS:
            ours = [
                attack(*each) for each in zip(*(table[name].to_pylist() for name in ("client", "path")), strict=True)
            ]
            (ROOT / f"{ATTACKS[day]}.jsonl").write_text(as_jsonl(table.filter([each is not None for each in ours])))


def _row(day: int, told: Told, alone: Told, retraining: str) -> str:
    cells = [day, f"{told.records:,}", told.alerts, told.told, told.false, alone.false]
    found = (", ".join(f"{kind} ({count})" for kind, count in each.found.items()) or "-" for each in (told, alone))
    return f"| {' | '.join(map(str, [*cells, *found, retraining]))} |"


def _details(report: dict[str, Any]) -> str:
    if not report:
        return ""
    return f", {report['records_read']:,} records, limit {report['threshold']:.2f}"


def _attacks(learned: dict[str, tuple[int, int]]) -> str:
    """Of each attack how many records were in the sample, and how many of them were not left out."""
    return "".join(f"; {kind}: {kept} kept, {used} learned" for kind, (kept, used) in learned.items())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--sample", type=int, default=50_000, help="most records of the reservoir")
    asked = options.parse_args()
    print(f"aemonitor {monitor.__version__}, Python {platform.python_version()}, {platform.machine()}")
    begun = time.monotonic()
    month = Month(asked.records, asked.days, asked.sample)
    print(HEAD)
    print("|" + "---|" * HEAD.count(" | ") + "---|")
    for day in range(1, asked.days + 1):
        month.day(day)
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
