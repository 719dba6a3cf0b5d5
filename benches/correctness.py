"""The six correctness cases of Vector's test harness against the real daemon, with a million lines a case.

Vector asks 3 to 11 lines a case whether they arrived. Here every line has a number, and each case ends with a count of
the numbers that are lost, double or torn: of all records by the ledger (whose ranges are held against a copy of every
byte that was written), and of the faults, one line in fifty, by the alerts in the receiver's file. `aemonitor verify`
and the sums of /metrics have to agree.

Usage: python benches/correctness.py [--lines 1000000] [--only NAME,...]
"""

from __future__ import annotations

import argparse
import fcntl
import json
import platform
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from correctness_subject import Log, Subject, wait_for

import monitor
from monitor.core.accounting import tail_marker
from monitor.ledger import Ledger, Range

OUT = Path(__file__).resolve().parent.parent / "bench-out" / "correctness"
FAULT_EVERY = 50
BLOCK_LINES = 1_000
ROUNDS = 10
"""Rotations, truncations or reloads of a case."""
FEATURES = "{level: numeric, mode: categorical}"
NUMBER = re.compile(rb'\bseq\\?": (\d+)')

Line = Callable[[int], bytes]


def line(number: int) -> bytes:
    """A reading; one in fifty is a fault. ``seq`` tells them apart and is no feature."""
    level = 900.0 if number % FAULT_EVERY == 0 else 20.0 + number % 17
    return b'{"seq": %d, "level": %.1f, "mode": "%c"}\n' % (number, level, b"abc"[number % 3])


def wrapped(number: int) -> bytes:
    """The same as a container runtime wraps it: JSON as text within JSON."""
    inner = line(number)
    level = json.loads(inner)["level"]
    return json.dumps({"log": inner.decode().rstrip(), "level": level}).encode() + b"\n"


def block(make: Line, first: int, stop: int) -> bytes:
    """Lines ``first`` to ``stop``."""
    return b"".join(map(make, range(first, stop)))


# -- what arrived ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the numbers that were written."""

    expected: int
    lost: int
    double: int
    torn: int

    def __str__(self) -> str:
        return f"{self.expected - self.lost:,} of {self.expected:,} | {self.lost} | {self.double} | {self.torn}"

    @property
    def passed(self) -> bool:
        return not (self.lost or self.double or self.torn)


def tally(expected: Iterable[int], seen: Counter[int], torn: int) -> Tally:
    """Compare; what nobody wrote counts as torn."""
    wanted = set(expected)
    foreign = sum(count for number, count in seen.items() if number not in wanted)
    double = sum(count - 1 for number, count in seen.items() if number in wanted)
    return Tally(len(wanted), len(wanted - seen.keys()), double, torn + foreign)


def in_ledger(subject: Subject, log: Log, lines: int) -> Tally:
    """Every record by the ranges of the ledger: which bytes of which life of the log were scored."""
    seen, torn = Counter[int](), 0
    with Ledger.open(subject.root / "state", read_only=True) as ledger:
        account = ledger.account("web")
    assert not account.settled.read
    assert account.counts.read == account.counts.scored
    for each in account.ranges:
        text = _bytes_of(each, log)
        numbers = NUMBER.findall(text)
        seen.update(map(int, numbers))
        torn += text.count(b"\n") != each.counts.scored or (len(text) > 0 and not text.endswith(b"\n"))
    return tally(range(lines), seen, torn)


def _bytes_of(each: Range, log: Log) -> bytes:
    """The bytes of a range, found by the hash of the last of them; a range that begins inside a line is torn."""
    for life in log.kept:
        if tail_marker(bytes(life[each.stop - each.tail_bytes : each.stop])) == each.marker and each.stop <= len(life):
            aligned = each.start == 0 or life[each.start - 1] == ord("\n")
            return bytes(life[each.start : each.stop]) if aligned else b"torn"
    return b"nobody wrote this"


def at_receiver(receivers: Iterable[Path], make: Line, lines: int) -> Tally:
    """The faults by their alerts; the record within each has to be the line that was written."""
    seen, torn = Counter[int](), 0
    for text in (text for path in receivers for text in path.read_bytes().splitlines()):
        raw = json.loads(text)["raw"].encode()
        found = NUMBER.search(raw)
        if found and make(int(found[1])).rstrip() == raw:
            seen[int(found[1])] += 1
        else:
            torn += 1
    return tally(range(0, lines, FAULT_EVERY), seen, torn)


# -- the cases ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """One case under way: ``done`` lines are written; ``receivers`` are the files that alerts were sent to."""

    subject: Subject
    log: Log
    lines: int
    make: Line
    receivers: list[Path]
    done: int = 0

    def write(self, until: int, each_block: Callable[[], None] = lambda: None) -> None:
        """Write as fast as it goes, up to that number."""
        while self.done < until:
            stop = min(until, self.done + BLOCK_LINES)
            self.log.write(block(self.make, self.done, stop))
            self.done = stop
            each_block()

    def next_line(self) -> bytes:
        """The next line, for the case to write somewhere else."""
        self.done += 1
        return self.make(self.done - 1)

    def rounds(self) -> Iterable[int]:
        """The number of lines after which the case acts, so often."""
        return (self.lines * number // (ROUNDS + 1) for number in range(1, ROUNDS + 1))


def disk_buffer(run: Run) -> None:
    """The receiver is down, all is written, the daemon is killed and started anew, the receiver comes back."""
    (receiver,) = run.receivers
    with receiver.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # the sink's file admits one writer: now it is not the daemon
        run.subject.start()
        run.write(run.lines)
        run.subject.settle(run.lines)
        assert receiver.stat().st_size == 0
        assert run.subject.metrics("outbox_depth", "sink_failures_total")[0] > 0
        run.subject.kill()
        run.subject.start()
        assert receiver.stat().st_size == 0


def rotate_create(run: Run) -> None:
    """Renamed and created anew; the last line goes to the old file when the new one is there."""
    run.subject.start()
    for until in run.rounds():
        run.write(until)
        run.log.rename(run.next_line())
    run.write(run.lines)


def rotate_copytruncate(run: Run) -> None:
    """Copied and emptied under load, so that what is unread has to be found in the copy, which gets one more line."""
    run.subject.start()
    for until in run.rounds():
        before = run.done
        run.write(until)
        run.subject.settle(before + 1)  # a log of which nothing was read leaves no evidence to know its copy by
        run.log.copytruncate(run.next_line())
    run.write(run.lines)


def truncation(run: Run) -> None:
    """Emptied in place and filled again at once, to about the old size."""
    run.subject.start()
    for until in run.rounds():
        run.write(until)
        run.subject.settle(run.done)  # what is unread is destroyed by a truncation, whoever reads
        run.log.truncate()
    run.write(run.lines)


def sighup(run: Run) -> None:
    """Under load the configuration names another receiver, again and again; each alert goes to exactly one of them."""
    run.subject.start()
    for number, until in enumerate(run.rounds(), start=1):
        run.write(until)
        receiver = run.subject.send_to(f"alerts-{number}.jsonl")
        run.subject.reload()
        run.receivers.append(receiver)
        run.write(run.done + BLOCK_LINES)
        wait_for(partial(_has_content, receiver), f"an alert in {receiver}")
    run.write(run.lines)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def wrapped_json(run: Run) -> None:
    """The text within is decoded, becomes a feature, and comes out in the alert as it went in."""
    run.subject.start()
    run.write(run.lines)


@dataclass(frozen=True, slots=True)
class Case:
    """``action``: what is done to the daemon and its log while the lines are written."""

    title: str
    action: Callable[[Run], None]
    make: Line = line
    features: str = FEATURES


CASES = {
    "disk_buffer": Case("disk buffer persistence (receiver down, kill -9)", disk_buffer),
    "rotate_create": Case(f"rotate by create, {ROUNDS} times", rotate_create),
    "rotate_copytruncate": Case(f"rotate by copytruncate, {ROUNDS} times", rotate_copytruncate),
    "truncation": Case(f"file truncation, {ROUNDS} times", truncation),
    "sighup": Case(f"SIGHUP to another receiver, {ROUNDS} times", sighup),
    "wrapped_json": Case("JSON wrapped in JSON", wrapped_json, wrapped, "{level: numeric, log: text}"),
}


def measure(name: str, case: Case, lines: int) -> bool:
    """Run one case, print its row; whether nothing was lost, double or torn."""
    begun = time.monotonic()
    benign = b"".join(case.make(number) for number in range(3_000) if number % FAULT_EVERY)
    subject = Subject(OUT / name, case.features, benign)
    run = Run(subject, Log(subject.root / "logs" / "app.log"), lines, case.make, [subject.root / "alerts.jsonl"])
    try:
        case.action(run)
        assert run.done == lines
        subject.settle(lines)
        wait_for(lambda: subject.metrics("outbox_depth") == [0], "the alerts to be delivered")
        totals = subject.metrics("records_read_total", "records_scored_total", "records_in_flight")
        subject.stop()
        records, alerts = in_ledger(subject, run.log, lines), at_receiver(run.receivers, case.make, lines)
        proof = subject.run("verify").splitlines()[-1]
    finally:
        run.log.close()
        subject.close()
    assert totals == [lines, lines, 0], f"/metrics says {totals} of {lines} lines"
    passed = records.passed and alerts.passed
    print(f"| {case.title} | {records} | {alerts} | {'pass' if passed else 'FAIL'} |", flush=True)
    print(f"  {time.monotonic() - begun:.0f} s; verify: {proof}", flush=True)
    return passed


def main() -> None:
    """Run the cases one after the other; exit 1 when one fails."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--only", default=",".join(CASES))
    given = options.parse_args()
    print(f"aemonitor {monitor.__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    print("| case | records by the ledger | lost | double | torn | alerts at the receiver | lost | double | torn | |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    passed = [measure(name, CASES[name], given.lines) for name in given.only.split(",")]
    raise SystemExit(not all(passed))


if __name__ == "__main__":
    main()
