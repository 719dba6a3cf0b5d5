"""Random walks of file actions and crashes against the plainest model there is: each line, exactly once.

The invariants of the file source, by the names they have in its specification:

* I1, I2 (progress never moves back, a byte is read once in an epoch): ``Follower.commit`` and ``Lines.push`` assert
  them at every commit and every chunk.
* I3 (every record read is in one place): a line that comes twice, or from nowhere, shows at once.
* I4 (nothing is forgotten), I5 (nothing is closed silently), I6 (open files are bounded): checked after every action.
* I7 (all that exists comes, whatever crashed): checked at the end of each walk. I8: nothing is watched here.

A walk is the same each time it is walked: time stamps are those of its own clock, which stands still while files
change, and no inode is used twice, whatever the file system and its other users do.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from monitor.core.accounting import TAIL_BYTES
from monitor.core.clock import ManualClock
from monitor.sources._identity import HEAD_BYTES, is_unread
from tests.support_files import PACKERS, Follower, compress, copy, rename, truncate, write

OLDEST = 6
"""Rotated files kept, as by logrotate's ``rotate``."""


@dataclass
class Content:
    """What stands in one file: whole lines, and the beginning of one. ``ending``: how it is compressed."""

    lines: list[bytes] = field(default_factory=list[bytes])
    partial: bytes = b""
    ending: str = ""
    begun: bool = False  # the reader has seen something of it, so that it notices when it is gone
    unseen: bool = False  # what was emptied before it was begun, and no look has met the copy yet


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
        self.anchored = False  # something of this log is committed, so that the reader misses what comes after
        self.clock = ManualClock()
        self.pins: dict[int, int] = {}  # inode -> a descriptor that keeps its number from being used again
        self.backed_up: set[bytes] = set()  # beginnings of lines that a backup has, too, where they may yet go on
        self.stamps: dict[int, int] = {}  # inode -> the time stamp we gave it

    @initialize(everything=st.booleans(), limit=st.sampled_from([1, 2, 900]))
    def begin(self, everything: bool, limit: int) -> None:
        self.everything, self.limit = everything, limit
        pattern = f"{self.log}*" if everything else self.log
        self.tail = Follower(
            pattern, self.directory / "link" / "*.txt", max_open_files=limit, rotate_grace_seconds=2,
            copy_hold_seconds=2, clock=self.clock,
        )  # fmt: skip

    @invariant()  # after every action
    def stamp(self) -> None:
        """Whatever has changed has changed now."""
        with os.scandir(self.directory) as entries:  # a walk does this many times
            for entry in entries:
                self.stamp_one(entry.path, entry.stat())
        self.stamp_one(str(self.directory), self.directory.stat())

    def stamp_one(self, path: str, status: os.stat_result) -> None:
        if status.st_ino not in self.pins:
            self.pins[status.st_ino] = os.open(path, os.O_RDONLY)
        if self.stamps.get(status.st_ino) != status.st_mtime_ns:
            now = self.stamps[status.st_ino] = round(self.clock.now() * 1e9)
            os.utime(path, ns=(now, now))

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

    # -- rotation ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.live is not None)
    @rule()
    def rotate(self) -> None:
        assert self.live is not None
        if not self.anchored:  # no precondition: what the reader knows depends on which inodes are used again
            return
        self.shift()
        rename(self.log, self.name(1, ""))
        self.keep(self.live)
        self.live = None

    @precondition(lambda self: self.live is not None)
    @rule(between=st.integers(0, 2), read=st.booleans(), seen=st.booleans())
    def copytruncate(self, between: int, read: bool, seen: bool) -> None:
        assert self.live is not None
        if not self.anchored:
            return
        copied, self.live = self.live, Content()
        self.shift()
        copy(self.log, self.name(1, ""))
        if seen and self.up:
            self.read(0, 1.0)
        if between:
            self.write_in_vain(copied, between, read=read)
        truncate(self.log)
        if self.everything or copied.begun:
            copied.unseen = self.up and not (copied.begun or seen)
            self.keep(copied)
        else:
            self.destroy(copied)
            self.insert(copied)

    def write_in_vain(self, copied: Content, count: int, *, read: bool) -> None:
        """Lines that no file holds after the truncation; and then the line that the copy ends in may be no line."""
        lines = [self.text("between") for _ in range(count)]
        size = self.log.stat().st_size
        write(self.log, b"".join(line + b"\n" for line in lines))
        self.may.update([copied.partial + lines[0], *lines[1:], copied.partial])
        copied.partial = b""
        # By what it is known where it ends: the first kilobyte, or a place of a commit or at 1,280 bytes.
        if read and self.up and not HEAD_BYTES < size < HEAD_BYTES + TAIL_BYTES:
            self.read(100_000, 0.0)

    @rule(ending=st.sampled_from(list(PACKERS)))
    def compress_one(self, ending: str) -> None:
        if self.limit <= 2 and self.backed_up:
            return  # a closed log that is compressed before its backup was compared with it: the backup is read, too
        plain = [(number, part) for number, part in enumerate(self.rotated, 1) if not part.ending]
        for number, part in plain[:1]:
            if self.name(number).stat().st_nlink > 1:  # as gzip, bzip2, xz and zstd refuse it
                return
            if part.unseen or self.name(number).stat().st_ino in self.unopened():
                self.destroy(part)
            compress(self.name(number), ending)
            part.ending = ending

    def unopened(self) -> set[int]:
        """Inodes of which the reader knows only that they are there: it had no descriptor left to look into them."""
        return {state.origin.inode for state in self.tail.states.values() if self.limit <= 2 and is_unread(state)}

    def shift(self) -> None:
        for number in range(len(self.rotated), 0, -1):
            rename(self.name(number), self.name(number + 1, self.rotated[number - 1].ending))

    def keep(self, content: Content) -> None:
        if content.partial:
            # Complete as it stands, for nobody writes there any more; but one in a backup, too, is read there.
            (self.may if content.partial in self.backed_up else self.must).add(content.partial)
        self.insert(content)

    def insert(self, content: Content) -> None:
        self.rotated.insert(0, content)
        if len(self.rotated) > OLDEST:
            self.destroy(self.rotated[-1])
            self.name(OLDEST + 1).unlink()
            self.rotated.pop()

    # -- damage ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.live is not None)
    @rule()
    def truncate(self) -> None:
        assert self.live is not None
        self.destroy(self.live)
        truncate(self.log)
        self.live = Content()

    @precondition(lambda self: self.live is not None)
    @rule()
    def delete(self) -> None:
        assert self.live is not None
        self.destroy(self.live)
        self.log.unlink()
        self.live = None
        self.anchored = False

    def name(self, number: int, ending: str | None = None) -> Path:
        """The path of a rotated part; how it is compressed is known of those there are."""
        if ending is None:
            ending = self.rotated[number - 1].ending if number <= len(self.rotated) else ""
        return self.log.with_name(f"app.log.{number}{ending}")

    def destroy(self, content: Content) -> None:
        """What is not committed by now may be lost, or may still come."""
        gone = {*content.lines, content.partial} - set(self.tail.lines) - {b""}
        self.must -= gone
        self.may |= gone

    # -- other names -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.up)
    @rule()
    def swap_a_link(self) -> None:
        """A mounted volume with another content: ``link`` leads to a directory, the reader to its file."""
        generation = self.directory / f"generation{self.count}"
        generation.mkdir()
        line = self.text("linked")
        write(generation / "a.txt", line + b"\n")
        self.stamp_one(str(generation / "a.txt"), (generation / "a.txt").stat())
        # With few descriptors it may have to wait to be opened until it is gone from where we look.
        (self.must if self.limit > 2 else self.may).add(line)
        turned = self.directory / "turned"
        turned.symlink_to(generation)
        turned.replace(self.directory / "link")
        assert (self.directory / "link" / "a.txt").samefile(generation / "a.txt")
        self.step()

    @precondition(lambda self: self.live is not None and self.everything)
    @rule()
    def link(self) -> None:
        """Another name for the live file that matches, too."""
        other = self.log.with_name("app.log.hard")
        other.unlink(missing_ok=True)
        other.hardlink_to(self.log)
        assert other.samefile(self.log)

    @precondition(lambda self: self.live is not None and self.everything and self.up)
    @rule()
    def back_up(self) -> None:
        """Somebody copies the live file."""
        self.step()
        self.count += 1
        assert self.live is not None
        if not {*self.live.lines[-1:]} <= {*self.tail.lines}:
            return  # a copy of what is not read yet may be met first, and each be read as its own
        self.backed_up.add(self.live.partial)
        copy(self.log, self.log.with_name(f"app.log.backup{self.count}"))
        for _ in range(4):
            self.step()

    @precondition(lambda self: self.live is not None)
    @rule(mode=st.sampled_from([0o000, 0o644]))
    def change_mode(self, mode: int) -> None:
        """Without the right to read (unless we are root, who always has it) the file waits."""
        self.log.chmod(0o644)  # so that the model can write
        if self.up and mode == 0:
            self.log.chmod(0)
            self.read(100_000, 1.0)
            self.log.chmod(0o644)

    # -- the reader --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.up)
    @rule(budget=st.sampled_from([0, 10, 100, 100_000]), seconds=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
    def read(self, budget: int, seconds: float) -> None:
        self.stamp()
        self.tail.clock.advance(seconds)
        for chunk in self.tail.source.read(budget):
            self.tail.framed.push(chunk)
        if seconds >= self.tail.config.scan_seconds:
            self.look()
        if self.live is not None and self.limit > 2 and seconds >= self.tail.config.scan_seconds:
            self.live.begun = self.live.begun or bool(self.live.lines or self.live.partial)

    @precondition(lambda self: self.up)
    @rule()
    def commit(self) -> None:
        self.tail.commit()

    @precondition(lambda self: self.up)
    @rule()
    def step(self) -> None:
        self.stamp()
        self.tail.step()
        self.look()
        known = {state.origin.inode for state in self.tail.states.values()}
        self.anchored = self.anchored or (self.live is not None and self.log.stat().st_ino in known)
        if self.live is not None and self.live.lines and self.live.lines[-1] in self.tail.lines:
            self.live.begun = True

    def look(self) -> None:
        """The reader has looked for files."""
        for part in self.rotated:
            part.unseen = False

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

    @invariant()
    def nothing_is_forgotten_or_given_up_and_no_more_is_open_than_may_be(self) -> None:
        if hasattr(self, "tail"):
            assert not self.tail.source.forgettable()
            assert {reason for _, _, reason in self.tail.events.abandoned} <= {"truncated"}
            assert self.tail.events.opened <= self.limit

    def teardown(self) -> None:
        try:
            if hasattr(self, "tail"):
                self.finish()
        finally:
            for descriptor in self.pins.values():
                os.close(descriptor)
            shutil.rmtree(self.directory, ignore_errors=True)  # what was deleted while it was open, FUSE deletes itself

    def finish(self) -> None:
        if not self.up:
            self.tail.start()
        for _ in range(2 * (OLDEST + 2)):  # with one descriptor they come to their end one by one
            self.tail.settle()
        self.tail.stop()
        delivered = set(self.tail.lines)
        self.nothing_comes_twice_or_from_nowhere()
        assert not self.must - delivered, f"lost: {sorted(self.must - delivered)}"
        foreign = delivered - self.must - self.may
        assert not foreign, f"from nowhere: {sorted(foreign)}"


def walk(sequences: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Walk,
        settings=settings(max_examples=sequences, stateful_step_count=40, deadline=None, suppress_health_check=checks),
    )


@pytest.mark.timeout(900)  # 15 s on an idle core
def test_five_hundred_walks_lose_and_repeat_nothing() -> None:
    walk(500)


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_fifty_thousand_walks_lose_and_repeat_nothing() -> None:
    for _ in range(50):  # what hypothesis remembers of a run grows with it
        walk(1_000)
