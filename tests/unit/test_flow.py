"""How much may be read: all, a share, or nothing; and that everybody is told when it is nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from monitor.core.accounting import Counts, Outcome
from monitor.core.clock import ManualClock
from monitor.core.errors import UnavailableError
from monitor.core.records import Origin, RawBatch
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.runtime.flow import BLIP_SECONDS, UNREADY_SECONDS, Allowance, Flow, PausingLedger, thinned
from monitor.telemetry import Telemetry
from monitor.web import Health
from tests.framed import framed


class Rig:
    """A flow over a queue of 100 bytes that is read 20 at a time."""

    def __init__(self, keep_one_in: int = 1) -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock)
        self.queue = ByteQueue(100)
        self.flow = Flow(self.queue, self.clock, self.health, turn_bytes=20, keep_one_in=keep_one_in)
        self.telemetry = Telemetry(self.clock)

    def fill(self, size: int) -> None:
        zeros = np.zeros(1, dtype=np.int64)
        raw = RawBatch(Origin("f", 0, "f"), b"x" * size, zeros, zeros, zeros, 0, b"", zeros.astype(bool))
        self.queue.put(Queued("web", raw))

    def tell(self, after_seconds: float = 0.0) -> float:
        """Let time pass; how many seconds are counted as paused."""
        self.clock.advance(after_seconds)
        self.flow.tell([self.telemetry.stream("web")])
        found = re.search(r"aemonitor_paused_seconds_total{[^}]*} (\S+)", self.telemetry.scrape()[0].decode())
        assert found
        return float(found[1])


def test_a_whole_turn_is_read_or_nothing() -> None:
    rig = Rig()
    assert rig.flow.allowance() == Allowance(20)

    rig.fill(80)
    assert rig.flow.allowance() == Allowance(20)
    rig.fill(1)

    assert rig.flow.allowance() == Allowance(0)


def test_records_are_passed_over_only_while_the_queue_is_more_than_half_full() -> None:
    rig = Rig(keep_one_in=7)
    rig.fill(50)
    assert rig.flow.allowance() == Allowance(20, keep_one_in=1)

    rig.fill(1)
    assert rig.flow.allowance() == Allowance(20, keep_one_in=7)
    rig.queue.take(1, 0)

    assert rig.flow.allowance() == Allowance(20, keep_one_in=1)


def test_nothing_is_read_while_it_is_held() -> None:
    rig = Rig()

    rig.flow.hold("the disk is full")
    assert rig.flow.allowance() == Allowance(0)
    rig.flow.release()

    assert rig.flow.allowance() == Allowance(20)


def test_a_pause_is_counted_from_its_beginning_to_its_end() -> None:
    rig = Rig()
    rig.flow.hold("the disk is full")
    rig.tell()
    assert rig.tell(after_seconds=5) == 5

    rig.flow.release()

    assert rig.tell(after_seconds=1) == 6
    assert rig.tell(after_seconds=10) == 6


def test_a_queue_that_is_full_for_a_moment_is_no_pause() -> None:
    rig = Rig()
    rig.fill(100)

    assert rig.tell() == rig.tell(BLIP_SECONDS / 2) == 0
    rig.tell(BLIP_SECONDS)
    assert rig.tell(3) == 3


def test_a_long_pause_is_no_readiness_until_it_ends() -> None:
    rig = Rig()
    rig.fill(100)
    rig.tell()
    rig.tell(UNREADY_SECONDS - 1)
    assert rig.health.missing() == []

    rig.tell(1)
    assert rig.health.missing() == ["nothing has been read for 60 s: records come faster than they are scored"]
    rig.queue.take(1, 0)
    rig.tell()

    assert rig.health.missing() == []


def test_a_clock_that_is_set_changes_nothing() -> None:
    rig = Rig()
    rig.flow.hold("the disk is full")
    rig.tell()

    for seconds in (86_400, -2 * 86_400):
        rig.clock.jump(seconds)
        assert rig.tell(1) < 3

    assert rig.health.missing() == []


class FlakyLedger:
    """Refuses the first few commits."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("the disk is full")

    def memories(self, stream: str) -> dict[str, object]:
        return {}


def test_reading_is_held_while_commits_fail() -> None:
    rig = Rig()
    ledger = PausingLedger(FlakyLedger(refusals=1), rig.flow)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcomes = [Outcome("web", (), Counts())]

    with pytest.raises(UnavailableError, match="the disk is full"):
        ledger.commit(outcomes)
    assert rig.flow.allowance() == Allowance(0)
    ledger.commit(outcomes)

    assert rig.flow.allowance() == Allowance(20)
    assert ledger.memories("web") == {}


# -- sampling --------------------------------------------------------------------------------------------------


def batch(count: int) -> RawBatch:
    """Lines as the framer gives them, one byte of each replaced."""
    return replace(framed(*(f"line {number:06d} \ufffd" for number in range(count))), replaced_bytes=count)


def test_about_one_record_in_so_many_is_kept_whole_and_in_order() -> None:
    raw = batch(7_000)

    kept = thinned(raw, 7)

    assert 900 < len(kept) < 1_100
    assert len(kept) + kept.sampled_out == 7_000
    for row in range(0, len(kept), 100):
        assert kept.line(row) == raw.line(int(np.searchsorted(raw.offsets, kept.offsets[row])))
    assert (np.diff(kept.offsets) > 0).all()
    assert (kept.next_offset, kept.tail, kept.origin) == (raw.next_offset, raw.tail, raw.origin)
    assert (kept.input_bytes, kept.replaced_bytes) == (raw.input_bytes, raw.replaced_bytes)


def test_the_same_records_are_kept_however_they_were_cut_into_batches() -> None:
    whole = thinned(batch(1_000), 5).offsets.tolist()
    again = thinned(batch(1_000), 5).offsets.tolist()
    assert whole == again

    half = thinned(batch(500), 5).offsets.tolist()

    assert half == [offset for offset in whole if offset < batch(500).next_offset]


def test_of_the_smallest_batch_one_record_is_kept() -> None:
    kept = thinned(batch(1), 1_000_000)

    assert (len(kept), kept.sampled_out) == (1, 0)


def test_everything_is_kept_where_nothing_may_be_passed_over() -> None:
    raw = batch(3)

    assert thinned(raw, 1) is raw
