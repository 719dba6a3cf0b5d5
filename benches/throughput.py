"""Records per CPU second of the whole path, against mtail and rsyslog on the same files in the same run.

The whole path is: tail from disk, frame, parse, encode, score, decide, commit to the ledger. Each
program runs as a process of its own on one core, in turns. The processor time of starting (measured on an empty file)
is left out on both sides and shown beside: a daemon starts once. Of several rounds the one counts that was disturbed
least, for each program. rsyslog copies lines from file to file and looks into none of them: how fast it can be done.

Usage: python benches/throughput.py [--records N] [--rounds N] [--method l1|blend] [--only json,access,csv,text]
           [--keep | --guard]

``--keep`` adds the ratios to benches/history.json, ``--guard`` exits with 1 if one is far below what was kept, three
times in a row: what other programs of the machine take is gone the next time, what we lost is not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import history
import workloads
from program import aemonitor

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "bench-out"
TRAINING_RECORDS = 20_000
TRIES = 3
CORE = max(os.sched_getaffinity(0))
"""All programs are pinned to this core."""

SENSOR_FEATURES = "\n".join(f"      s{i:02d}: numeric" for i in range(workloads.SENSORS))
STREAMS = {
    "json": f"""parser: json_lines
    time: {{field: time}}
    key: device
    features:
      mode: categorical
      site: categorical
{SENSOR_FEATURES}""",
    "access": """parser: access_log
    time: {field: time}
    key: remote_addr
    features:
      method: categorical
      path: path
      status: categorical
      bytes: numeric
      referer: categorical
      agent: categorical""",
    "csv": f"""parser: {{csv_rows: {{columns: [{", ".join(f"s{i:02d}" for i in range(workloads.SENSORS))}]}}}}
    features:
{SENSOR_FEATURES}""",
    "text": """parser: syslog
    time: {field: time}
    key: host
    features:
      host: categorical
      program: categorical
      message: text""",
}

RSYSLOG = """module(load="imfile")
global(workDirectory="{work}" maxMessageSize="64k")
template(name="as_is" type="string" string="%rawmsg%\\n")
input(type="imfile" file="{data}" tag="bench" freshStartTail="off")
action(type="omfile" file="{copy}" template="as_is" ioBufferSize="256k" asyncWriting="off" flushOnTXEnd="off")
"""


UNWRITTEN = 1 << 20
"""Bytes that rsyslog holds back until there are more, or it ends."""

LONGEST_SECONDS = 120.0

LEAST_WRITTEN = 0.98
"""Of the bytes that it was given: of a time stamp that is padded with blanks it keeps one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a finished process cost."""

    cpu_seconds: float
    wall_seconds: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: of the least disturbed rounds; rates are per CPU second, start left out."""

    workload: str
    records: int
    line_bytes: float
    records_per_cpu_second: float
    mb_per_cpu_second: float
    cpu_seconds_per_million: float
    start_cpu_seconds: float
    rss_mb: float
    mtail_records_per_cpu_second: float
    ratio: float
    rsyslog_records_per_cpu_second: float


def run(command: list[str], environment: dict[str, str]) -> Usage:
    """Run to the end on one core; the operating system's own accounting of the finished process."""
    import time

    begun = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", str(CORE), *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {complaint.decode()[-2000:]}")
    return Usage(usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024)


def run_until(command: list[str], output: Path, size: int) -> Usage:
    """Run on one core until a file is nearly as large, and then tell it to end, which writes the rest."""
    import time

    begun = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", str(CORE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1.0)
    while output.exists() and output.stat().st_size < size - UNWRITTEN and time.monotonic() - begun < LONGEST_SECONDS:
        time.sleep(0.1)
    process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if size and output.stat().st_size < LEAST_WRITTEN * size:
        raise SystemExit(f"{' '.join(command)} wrote {output.stat().st_size:,} bytes of {size:,}")
    return Usage(usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024)


class Contest:
    """One workload: aemonitor with a trained model, and mtail with one regular expression."""

    def __init__(self, name: str, records: int, method: str) -> None:
        self.name, self.method = name, method
        self.source: str | None = None  # in place of the file
        self.directory = OUT / name
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.data = workloads.write(name, OUT / f"{name}-{records}.log", records)
        self.training = workloads.write(name, OUT / f"{name}-{TRAINING_RECORDS}.log", TRAINING_RECORDS)
        self.programs = self.directory / "mtail"
        self.programs.mkdir()
        shutil.copy(HERE / "mtail" / f"{name}.mtail", self.programs)
        self._aemonitor("retrain", self.training, "--input", str(self.training))

    def _aemonitor(self, command: str, data: Path, *options: str) -> Usage:
        config = self.directory / "aemonitor.yaml"
        source = self.source or f"{{file_tail: {{include: ['{data}']}}}}"
        config.write_text(
            f"server: {{listen: none}}\nstate_dir: {self.directory / 'state'}\ndevice: cpu\n"
            f"streams:\n  bench:\n    source: {source}\n    {STREAMS[self.name]}\n"
            f"    score: {{method: {self.method}}}\n"
            # An alert costs far more than a record; a limit out of reach measures the path every record takes.
            "    alert: {threshold: 1000000.0}\n"
        )
        return run(aemonitor(command, "--config", config, *options), {"OMP_NUM_THREADS": "1"})

    def aemonitor(self, data: Path) -> Usage:
        """Read the file to its end, from a fresh ledger."""
        for stale in (self.directory / "state").glob("ledger.sqlite3*"):
            stale.unlink()
        return self._aemonitor("run", data, "--once", "--log-level", "warning")

    def mtail(self, data: Path) -> Usage:
        """One regular expression a line over the whole file."""
        return run(["mtail", "-one_shot", "-logs", str(data), "-progs", str(self.programs)], {"GOMAXPROCS": "1"})

    def rsyslog(self, data: Path) -> Usage:
        """Copy every line to another file, as it is."""
        work = self.directory / "rsyslog"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        config, copy = work / "rsyslog.conf", work / "copy.log"
        config.write_text(RSYSLOG.format(work=work, data=data, copy=copy))
        return run_until(["rsyslogd", "-n", "-f", str(config), "-i", str(work / "pid")], copy, data.stat().st_size)


def measure(name: str, records: int, rounds: int, method: str) -> Row:
    """Run all in turns."""
    contest = Contest(name, records, method)
    empty = OUT / "empty.log"
    empty.write_bytes(b"")
    runners = (contest.aemonitor, contest.mtail, contest.rsyslog)
    starts, found = [[[run_on(data) for run_on in runners] for _ in range(rounds)] for data in (empty, contest.data)]
    least = [[min(usages[at].cpu_seconds for usages in each) for at in range(len(runners))] for each in (starts, found)]
    spent = [whole - start for start, whole in zip(*least, strict=True)]
    ours, mtails, rsyslogs = (records / seconds for seconds in spent)
    line_bytes = contest.data.stat().st_size / records
    return Row(
        workload=name,
        records=records,
        line_bytes=line_bytes,
        records_per_cpu_second=ours,
        mb_per_cpu_second=ours * line_bytes / 1e6,
        cpu_seconds_per_million=1e6 / ours,
        start_cpu_seconds=least[0][0],
        rss_mb=max(usages[0].rss_mb for usages in found),
        mtail_records_per_cpu_second=mtails,
        ratio=ours / mtails,
        rsyslog_records_per_cpu_second=rsyslogs,
    )


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        (
            "| workload | bytes a line | records/CPU s | MB/CPU s | CPU s per million | RSS MB | start CPU s "
            "| mtail records/CPU s | ratio to mtail | rsyslog lines/CPU s |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.workload} | {r.line_bytes:.0f} | {r.records_per_cpu_second:,.0f} | {r.mb_per_cpu_second:.0f} "
        f"| {r.cpu_seconds_per_million:.2f} | {r.rss_mb:.0f} | {r.start_cpu_seconds:.1f} "
        f"| {r.mtail_records_per_cpu_second:,.0f} | {r.ratio:.2f} | {r.rsyslog_records_per_cpu_second:,.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, keep the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--method", default="l1", choices=("l1", "blend"), help="how records are scored")
    options.add_argument("--only", default=",".join(workloads.WORKLOADS))
    options.add_argument("--keep", action="store_true", help="add the ratios to the history")
    options.add_argument("--guard", action="store_true", help="fail if a ratio stays far below those kept")
    given = options.parse_args()
    if shutil.which("mtail") is None:
        raise SystemExit("mtail is not installed; on Debian: apt-get install mtail")
    OUT.mkdir(exist_ok=True)
    rows: list[Row] = []
    for name in given.only.split(","):
        rows.append(measure(name, given.records, given.rounds, given.method))
        print(table(rows[-1:]), flush=True)
        for _ in range(TRIES - 1):
            if not (given.guard and history.changes({name: rows[-1].ratio})[0].lost):
                break
            print("much lower than before: measured again", flush=True)
            rows[-1] = max(
                rows[-1], measure(name, given.records, given.rounds, given.method), key=lambda row: row.ratio
            )
    (OUT / "throughput.json").write_text(json.dumps([asdict(row) for row in rows], indent=2))
    print(f"\n{table(rows)}\n")
    ratios = {row.workload: row.ratio for row in rows}
    changes = history.changes(ratios)
    print(f"ratio to mtail, beside the median of the last {history.RUNS} that were kept:")
    print("\n".join(change.text() for change in changes))
    if given.keep:
        history.keep(ratios, {row.workload: row.records_per_cpu_second for row in rows})
    if given.guard and any(change.lost for change in changes):
        raise SystemExit(f"a ratio is lower by more than {history.LARGEST_LOSS:.0%}")


if __name__ == "__main__":
    main()
