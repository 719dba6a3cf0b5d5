"""What reading from Kafka costs a daemon, against the same records in a file in the same run.

Records per CPU second of `aemonitor run --once` on one core, all threads of the client library included, the processor
time of starting (measured on an empty file and an empty topic) left out on both sides. Rounds take turns; the one that
was disturbed least counts. The broker runs on the other cores and is not counted.

Usage: PYTHONPATH=. python benches/kafka_ratio.py [--records 500000] [--partitions 8] [--rounds 3] [--only json,access]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import workloads
from throughput import OUT, Contest, Usage

from tests.kafka_broker import Broker, broker

LEAST_RATIO = 0.7
"""What is promised."""


@dataclass(frozen=True, slots=True)
class Row:
    """One workload: records per CPU second from a file and from Kafka, and the wall time of the best round of each."""

    workload: str
    records: int
    method: str
    file_rate: float
    kafka_rate: float
    ratio: float
    file_wall_seconds: float
    kafka_wall_seconds: float


class Subscribed(Contest):
    """The same stream from a topic."""

    def from_kafka(self, running: Broker, topic: str, group: str) -> Usage:
        """Read the topic to its end, as a group that has read nothing of it, from a fresh ledger."""
        kafka = f"{{kafka: {{brokers: ['{running.address}'], topics: [{topic}], group: {group}}}}}"
        self.source = kafka
        try:
            return self.aemonitor(self.data)
        finally:
            self.source = None


def fill(running: Broker, topic: str, partitions: int, data: Path | None) -> str:
    """A topic with the lines of a file, or none."""
    running.make_topic(topic, partitions)
    if data is not None:
        with data.open("rb") as lines:
            running.fill(topic, (line.rstrip(b"\n") for line in lines), partitions=partitions)
    return topic


def measure(running: Broker, name: str, records: int, partitions: int, rounds: int, method: str) -> Row:
    """Both in turns."""
    contest = Subscribed(name, records, method)
    empty = OUT / "empty.log"
    empty.write_bytes(b"")
    nothing = fill(running, f"{name}-{method}-nothing", partitions, None)
    topic = fill(running, f"{name}-{method}", partitions, contest.data)
    starts = [(contest.aemonitor(empty), contest.from_kafka(running, nothing, f"empty-{n}")) for n in range(rounds)]
    found = [(contest.aemonitor(contest.data), contest.from_kafka(running, topic, f"full-{n}")) for n in range(rounds)]
    spent = [
        min(usages[at].cpu_seconds for usages in found) - min(usages[at].cpu_seconds for usages in starts)
        for at in range(2)
    ]
    walls = [min(usages[at].wall_seconds for usages in found) for at in range(2)]
    file_rate, kafka_rate = (records / seconds for seconds in spent)
    return Row(name, records, method, file_rate, kafka_rate, kafka_rate / file_rate, *walls)


def main() -> None:
    """Measure, print, keep the figures as JSON; exit 1 below what is promised."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=500_000)
    options.add_argument("--partitions", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--method", default="blend", choices=("l1", "blend"), help="how records are scored")
    options.add_argument("--only", default=",".join(workloads.WORKLOADS))
    given = options.parse_args()
    OUT.mkdir(exist_ok=True)
    print("| workload | method | file, records/CPU s | kafka, records/CPU s | ratio | file wall s | kafka wall s |")
    print("|---|---|---|---|---|---|---|")
    rows: list[Row] = []
    for name in given.only.split(","):
        with tempfile.TemporaryDirectory() as directory, broker(Path(directory)) as running:
            row = measure(running, name, given.records, given.partitions, given.rounds, given.method)
        rows.append(row)
        print(
            f"| {row.workload} | {row.method} | {row.file_rate:,.0f} | {row.kafka_rate:,.0f} | {row.ratio:.2f} "
            f"| {row.file_wall_seconds:.1f} | {row.kafka_wall_seconds:.1f} |",
            flush=True,
        )
    (OUT / "kafka_ratio.json").write_text(json.dumps([asdict(row) for row in rows], indent=2))
    if any(row.ratio < LEAST_RATIO for row in rows):
        raise SystemExit(f"a ratio is below {LEAST_RATIO}")


if __name__ == "__main__":
    main()
