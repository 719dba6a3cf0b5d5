"""A random walk of file actions and crashes against the plainest model there is: each line, exactly once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support_files import Follower, rename, write

OLDEST = 6
"""Rotated files kept, as by logrotate's ``rotate``."""


@dataclass
class Content:
    """What stands in one file: whole lines, and the beginning of one."""

    lines: list[bytes] = field(default_factory=list[bytes])
    partial: bytes = b""


class Walk(RuleBasedStateMachine):
    """``must`` come out exactly once; ``may``: destroyed before they were surely read, so at most once."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="walk-"))
        self.log = self.directory / "app.log"
        self.live: Content | None = None
        self.rotated: list[Content] = []  # the newest first
        self.must: set[bytes] = set()
        self.may: set[bytes] = set()
        self.count = 0
        self.up = True
        self.anchored = False  # the reader has committed something of this log, so that it misses what comes after

    @initialize(everything=st.booleans(), limit=st.sampled_from([1, 2, 1000]))
    def begin(self, everything: bool, limit: int) -> None:
        pattern = f"{self.log}*" if everything else self.log
        self.tail = Follower(pattern, max_open_files=limit, rotate_grace_seconds=2)

    # -- the writer --------------------------------------------------------------------------------------------

    def text(self, kind: str) -> bytes:
        self.count += 1
        return f"{kind} {self.count:05d}".encode()

    @rule(count=st.integers(1, 30))
    def write_lines(self, count: int) -> None:
        live = self.live = self.live or Content()
        lines = [self.text("line") for _ in range(count)]
        write(self.log, b"".join(line + b"\n" for line in lines))
        lines[0] = live.partial + lines[0]
        live.partial = b""
        live.lines += lines
        self.must.update(lines)

    @rule()
    def write_part(self) -> None:
        live = self.live = self.live or Content()
        text = self.text("part")
        write(self.log, text)
        live.partial += text

    @precondition(lambda self: self.live is not None and self.anchored)
    @rule()
    def rotate(self) -> None:
        assert self.live is not None
        for number in range(len(self.rotated), 0, -1):
            rename(self.name(number), self.name(number + 1))
        rename(self.log, self.name(1))
        if self.live.partial:
            self.must.add(self.live.partial)  # complete as it stands, for nobody writes there any more
        self.rotated.insert(0, self.live)
        self.live = None
        if len(self.rotated) > OLDEST:
            self.destroy(self.rotated.pop())
            self.name(OLDEST + 1).unlink()

    @precondition(lambda self: self.live is not None)
    @rule()
    def truncate(self) -> None:
        assert self.live is not None
        self.destroy(self.live)
        with self.log.open("r+b") as stream:
            stream.truncate()
        self.live = Content()

    @precondition(lambda self: self.live is not None)
    @rule()
    def delete(self) -> None:
        assert self.live is not None
        self.destroy(self.live)
        self.log.unlink()
        self.live = None
        self.anchored = False

    def name(self, number: int) -> Path:
        return self.log.with_name(f"app.log.{number}")

    def destroy(self, content: Content) -> None:
        """What is not committed by now may be lost, or may still come."""
        gone = {*content.lines, content.partial} - set(self.tail.lines) - {b""}
        self.must -= gone
        self.may |= gone

    # -- the reader --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.up)
    @rule(budget=st.sampled_from([0, 10, 100, 100_000]), seconds=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
    def read(self, budget: int, seconds: float) -> None:
        self.tail.clock.advance(seconds)
        for chunk in self.tail.source.read(budget):
            self.tail.framed.push(chunk)

    @precondition(lambda self: self.up)
    @rule()
    def commit(self) -> None:
        self.tail.commit()

    @precondition(lambda self: self.up)
    @rule()
    def step(self) -> None:
        self.tail.step()
        self.anchored = self.anchored or self.live is not None

    @precondition(lambda self: self.up)
    @rule()
    def go_down(self) -> None:
        self.tail.stop()
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def come_up(self) -> None:
        self.tail.start()
        self.up = True

    @precondition(lambda self: self.up)
    @rule()
    def crash(self) -> None:
        self.tail.crash()

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def nothing_comes_twice_or_from_nowhere(self) -> None:
        if hasattr(self, "tail"):
            twice = [line for line, count in Counter(self.tail.lines).items() if count > 1]
            assert not twice, f"twice: {twice}"

    def teardown(self) -> None:
        try:
            if hasattr(self, "tail"):
                self.finish()
        finally:
            shutil.rmtree(self.directory)

    def finish(self) -> None:
        if not self.up:
            self.tail.start()
        for _ in range(2 * (OLDEST + 2)):  # with one descriptor they come to their end one by one
            self.tail.settle()
        self.tail.stop()
        delivered = set(self.tail.lines)
        assert len(delivered) == len(self.tail.lines)
        assert not self.must - delivered, f"lost: {sorted(self.must - delivered)}"
        foreign = delivered - self.must - self.may
        assert not foreign, f"from nowhere: {sorted(foreign)}"


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
