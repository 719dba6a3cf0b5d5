"""The file source and the ledger together under kill -9, while a writer writes and rotates."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from monitor.core.accounting import Counts
from monitor.ledger import Ledger
from tests.support_files import Follower, joined, rename, write

REPOSITORY = Path(__file__).resolve().parents[2]

LIVES = 20


class Writer:
    """Writes numbered lines, sometimes in pieces, and rotates."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.dice = random.Random(11)
        self.written = 0
        self.rotations = 0

    def burst(self) -> None:
        text = joined([f"line {number} of some length".encode() for number in self._numbers()])
        cut = self.dice.randrange(len(text))
        write(self.log, text[:cut])
        write(self.log, text[cut:])

    def _numbers(self) -> range:
        first = self.written + 1
        self.written += self.dice.randrange(1, 200)
        return range(first, self.written + 1)

    def rotate(self) -> None:
        if not self.log.exists():
            self.burst()
        for number in range(self.rotations, 0, -1):
            rename(self.name(number), self.name(number + 1))
        rename(self.log, self.name(1))
        write(self.name(1), b"")  # the time stamp of a writer that still has it open
        self.rotations += 1

    def name(self, number: int) -> Path:
        return self.log.with_name(f"{self.log.name}.{number}")


def test_no_line_is_lost_or_delivered_twice_through_twenty_kills_and_rotations(tmp_path: Path) -> None:
    state_dir, writer = tmp_path / "state", Writer(tmp_path / "app.log")
    Ledger.open(state_dir).close()
    writer.burst()
    with Ledger.open(state_dir, read_only=True) as watching:
        for _ in range(LIVES):
            command = [sys.executable, "-m", "tests.ledger_reader", str(state_dir), str(writer.log)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as reader:
                try:
                    assert reader.stdout is not None
                    assert reader.stdout.readline() == b"ready\n"
                    live(reader, writer, watching)
                finally:
                    reader.send_signal(signal.SIGKILL)
            if writer.dice.random() < 0.5:
                writer.burst()
                writer.rotate()
                writer.burst()

    rest = read_the_rest(state_dir, writer.log)

    with Ledger.open(state_dir) as ledger:
        delivered = sorted(
            int(msgspec.json.decode(body)["id"], 16) for _, body in ledger.pending("ops", limit=1_000_000)
        )
        assert sorted([*delivered, *rest]) == list(range(1, writer.written + 1))
        assert ledger.counts("web") == Counts(read=len(delivered), scored=len(delivered), alerts=len(delivered))
        assert ledger.duplicate_alerts("web") == 0
    assert writer.rotations > LIVES


def live(reader: subprocess.Popen[bytes], writer: Writer, watching: Ledger) -> None:
    """Write and rotate until the reader has got a good part of it."""
    target = watching.counts("web").read + writer.dice.randrange(1, 400)
    rotate_at = writer.dice.randrange(3)
    turn = 0
    while watching.counts("web").read < target:
        assert reader.poll() is None, "the reader died by itself"
        if writer.written < target + 200:
            writer.burst()
        if turn == rotate_at:
            writer.rotate()
        turn += 1


def read_the_rest(state_dir: Path, log: Path) -> list[int]:
    """What the last life left, read at leisure from what is committed."""
    with Ledger.open(state_dir) as ledger:
        tail = Follower(log)
        tail.states = {state.origin.file_id: state for state in ledger.resume("web")}
        tail.crash()
        for _ in range(3):
            tail.settle()
        tail.stop()
    return [int(line.split()[1]) for line in tail.lines]
