"""How bytes become records, with the real commands: groups of lines, and the same records whichever way they come."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from monitor.core.accounting import Counts
from monitor.ledger import Ledger
from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(300)

PARSER = r"{regex: {pattern: '^(?P<seq>\d+) (?P<level>[A-Z]+) (?P<message>.*)$'}}"
INPUT = r"input: {multiline: {start: '^\d+ [A-Z]+ ', max_lines: 20, timeout_seconds: 3600.0}}"
KNOWN, FIRST = 2000, 1_000_000
"""Events from FIRST on are alerts, every one: the model knows numbers below KNOWN only."""
FRAMES = ("take(Pool.java:71)", "run(Worker.java:12)", "lend(Pool.java:40)")


def event(number: int) -> str:
    """An event of a log; every fifth has a stack trace."""
    chance = random.Random(number)
    if number % 5:
        return f"{number} {chance.choice(['INFO', 'WARN'])} request {chance.randrange(500)} done\n"
    trace = "".join(f"\tat shop.{frame}\n" for frame in chance.choices(FRAMES, k=3))
    return f"{number} ERROR request {chance.randrange(500)} failed\njava.io.IOException: gone\n{trace}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A stream of events that has a model."""
    site = Site(tmp_path_factory.mktemp("input"))
    site.configure(PARSER, ["seq: numeric", "message: text"], extra=INPUT)
    benign = site.root / "benign.log"
    benign.write_text("".join(map(event, range(KNOWN))))
    site.retrain(benign)
    return site


@pytest.fixture
def site(model: Site) -> Iterator[Site]:
    """The same before its first start, with an empty log."""
    shutil.rmtree(model.log.parent)
    model.log.parent.mkdir()
    model.log.touch()
    forget(model)
    yield model
    model.close()


def forget(site: Site) -> None:
    for path in [*site.state.glob("*ledger*"), site.alerts_file, site.root / "daemon.log"]:
        path.unlink(missing_ok=True)


def counts(site: Site) -> Counts:
    with Ledger.open(site.state, read_only=True) as ledger:
        found = ledger.counts(site.stream)
    assert found.balanced
    return found


def append(site: Site, text: str) -> None:
    with site.log.open("a", newline="") as out:
        out.write(text)


def finish(site: Site) -> list[str]:
    """Stop the daemon, complete the event that is held back, and return every event that was an alert."""
    assert site.stop() == 0
    aemonitor("run", "-c", str(site.config), "--once")
    return sorted(alert["raw"] + "\n" for alert in site.ledger_alerts())


def test_killed_within_a_stack_trace_no_event_is_lost_torn_or_repeated(site: Site) -> None:
    events = [event(FIRST + number) for number in range(40)]
    text = "".join(events)
    middle = text.index(events[20]) + len(events[20]) * 2 // 3
    append(site, text[:middle])
    site.start()
    wait_for(lambda: site.ready() and counts(site).scored == 20, "what is complete")

    site.kill()
    append(site, text[middle:])
    site.start_and_wait()
    wait_for(lambda: counts(site).scored == 39, "all but the last event")

    assert finish(site) == events
    assert (counts(site).scored, counts(site).bytes) == (len(events), len(text))


def test_rotation_and_truncation_complete_the_last_event(site: Site) -> None:
    events = [event(FIRST + 5 * number) for number in range(6)]
    site.start_and_wait()

    append(site, events[0] + events[1])
    wait_for(lambda: counts(site).scored >= 1, "the first event")
    site.log.rename(site.log.with_suffix(".log.1"))
    append(site, events[2] + events[3])
    wait_for(lambda: counts(site).scored >= 3, "those of the rotated file")
    site.log.write_text(events[4] + events[5])
    wait_for(lambda: counts(site).scored == 5, "all but the last of the truncated file")

    assert finish(site) == events


def test_an_event_that_nothing_follows_is_complete_after_the_timeout(site: Site) -> None:
    text = site.config.read_text()
    site.config.write_text(text.replace("3600.0", "0.5"))
    try:
        site.start_and_wait()
        append(site, event(FIRST))
        wait_for(lambda: counts(site).scored == 1, "the only event")
        assert site.stop() == 0
    finally:
        site.config.write_text(text)

    assert [alert["raw"] + "\n" for alert in site.ledger_alerts()] == [event(FIRST)]


def by_file(site: Site, data: bytes) -> bytes:
    site.log.write_bytes(data)
    return aemonitor("score", "-c", str(site.config), str(site.log)).stdout


def by_gzip(site: Site, data: bytes) -> bytes:
    half = len(data) // 2
    packed = site.log.with_name("packed")
    packed.write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]))
    return aemonitor("score", "-c", str(site.config), str(packed)).stdout


def by_pipe(site: Site, data: bytes) -> bytes:
    return aemonitor("score", "-c", str(site.config), "-", stdin=data).stdout


def said(output: bytes) -> list[dict[str, Any]]:
    """What was said of each record, but for the name of its file."""
    records: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    return [{name: value for name, value in record.items() if name != "file"} for record in records]


def test_the_same_bytes_give_the_same_scores_by_file_gzip_and_pipe_and_in_the_daemon(site: Site) -> None:
    events = [event(FIRST + number).encode() for number in range(200)]
    events[50] = events[50].replace(b"\n", b"\r\n")
    events[100] += b"\xff\xfe\0 \r junk\n" + b"y" * 600_000 + b"\n"
    events[150] = b"\0" * 5000 + events[150] + b"\tat shop.deep\n" * 30
    data = b"".join(events)[:-1]
    ways: list[Callable[[Site, bytes], bytes]] = [by_file, by_gzip, by_pipe]

    first, *others = [said(way(site, data)) for way in ways]
    aemonitor("run", "-c", str(site.config), "--once")
    from_file, counted = site.ledger_alerts(), counts(site)
    forget(site)
    aemonitor("run", "-c", str(site.config), "--stdin", stdin=data)
    from_pipe = site.ledger_alerts()

    assert len(first) == 200
    assert all(other == first for other in others)
    assert [(a["source"]["offset"], a["score"], a["raw"]) for a in from_file] == [
        (a["source"]["offset"], a["score"], a["raw"]) for a in from_pipe
    ]
    assert len(from_pipe) == 200
    assert counted == counts(site)
    assert (counted.read, counted.truncated, counted.skipped_bytes, counted.bytes) == (200, 2, 5000, len(data))
    assert counted.replaced_bytes == 2


class Producer(threading.Thread):
    """Writes into a daemon's standard input until told to stop, at the end, or when nobody reads any more."""

    def __init__(self, site: Site, blocks: Iterable[bytes]) -> None:
        super().__init__(daemon=True)
        with (site.root / "daemon.log").open("ab") as log:
            self.daemon_process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run", "-c", str(site.config), "--stdin"],
                stdin=subprocess.PIPE,
                stderr=log,
            )
        site.daemon = self.daemon_process
        self.blocks = blocks
        self.broken = False

    def run(self) -> None:
        pipe = self.daemon_process.stdin
        assert pipe is not None
        try:
            for block in self.blocks:
                pipe.write(block)
            pipe.close()
        except BrokenPipeError:
            self.broken = True
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


LINES = b"".join(event(number).encode() for number in range(1, 1000) if number % 5)


@pytest.mark.parametrize("times", [250, pytest.param(12_500, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_every_line_of_a_pipe_is_counted_however_much_faster_the_writer_is(site: Site, times: int) -> None:
    producer = Producer(site, [LINES] * times + [b"1 INFO half"])
    producer.start()

    assert producer.daemon_process.wait() == 0
    producer.join()
    assert counts(site).scored == times * LINES.count(b"\n") + 1
    assert counts(site).bytes == times * len(LINES) + len(b"1 INFO half")
    assert not producer.broken


def test_a_reload_loses_nothing_that_was_taken_from_the_pipe(site: Site) -> None:
    reloaded, log = threading.Event(), site.root / "daemon.log"

    def blocks() -> Iterator[bytes]:
        yield from [LINES] * 250
        assert reloaded.wait(240)
        yield LINES

    producer = Producer(site, blocks())
    producer.start()
    wait_for(lambda: "started" in log.read_text(), "the daemon to start")

    site.config.write_text(f"limits: {{max_record_bytes: 100000}}\n{site.config.read_text()}")
    producer.daemon_process.send_signal(signal.SIGHUP)
    wait_for(lambda: "config_reloaded" in log.read_text(), "the reload")
    reloaded.set()

    assert producer.daemon_process.wait() == 0
    producer.join()
    assert counts(site).scored == 251 * LINES.count(b"\n")


def test_sigterm_scores_what_was_taken_from_the_pipe_and_the_writer_is_told(site: Site) -> None:
    producer = Producer(site, itertools.repeat(LINES))
    producer.start()
    wait_for(lambda: (site.state / "ledger.sqlite3").exists() and counts(site).scored > 0, "the first records")

    producer.daemon_process.send_signal(signal.SIGTERM)

    assert producer.daemon_process.wait(60) == 0  # the queue is scored for at most 20 seconds
    producer.join()
    assert producer.broken
    found = counts(site)
    assert found.scored * len(LINES) == pytest.approx(found.bytes * LINES.count(b"\n"), rel=0.01)
