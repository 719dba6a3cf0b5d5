"""How long a stream may be silent, and what is told of it."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.core.accounting import Memory
from monitor.core.arrays import F64
from monitor.core.clock import ManualClock
from monitor.deciding.silence import Silence, Silent, longest_silence

STEADY = np.arange(2_000) * 30.0


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (STEADY, 90.0),
        (np.where(STEADY > 9_000, STEADY + 600, STEADY), 3 * 630.0),
        (STEADY[::-1], 90.0),  # files may come in any order
        (STEADY / 30, 60.0),  # nothing shorter
        (np.concatenate([STEADY, [np.nan]]), 90.0),
        (STEADY[:999], None),  # too few
        (np.where(STEADY > 30_000, STEADY + 7 * 86_400, STEADY), None),  # a week is missing between two files
        (np.zeros(2_000), None),
        (np.full(2_000, np.nan), None),
        (None, None),
    ],
)
def test_benign_records_tell_how_long_it_may_last(times: F64 | None, seconds: float | None) -> None:
    assert longest_silence(times) == seconds


def silence(clock: ManualClock) -> Silence:
    return Silence(100.0, clock)


def told(quiet: Silence) -> Silent | None:
    """What is told now."""
    due = quiet.due()
    if due:
        quiet.tell()
    return due


def restarted(before: Silence, clock: ManualClock) -> Silence:
    after = silence(clock)
    assert after.take_over(Memory(before.made_by, before.keyed_state)) is None
    return after


def test_it_is_told_once_and_so_is_its_end() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    clock.advance(100.0)
    assert told(quiet) is None
    clock.advance(0.5)

    assert told(quiet) == (1_000.0, 100.5)
    assert told(quiet) is None
    clock.advance(10.0)
    assert quiet.heard() == (1_000.0, 110.5)
    assert quiet.heard() is None


def test_a_hidden_one_is_noted_once_and_told_when_nothing_hides_it_any_more() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    clock.advance(101.0)

    assert (quiet.due(), quiet.hide(), quiet.hide()) == ((1_000.0, 101.0), True, False)
    quiet = restarted(quiet, clock)
    clock.advance(101.0)
    assert quiet.due() is not None
    assert not quiet.hide()
    assert quiet.heard() is None


def test_what_is_accepted_is_told_no_more_nor_its_end_and_the_next_one_is() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    clock.advance(101.0)
    told(quiet)

    assert quiet.lasting() == (1_000.0, 101.0)
    quiet.accept()
    quiet = restarted(quiet, clock)
    clock.advance(5_000.0)
    assert (told(quiet), quiet.lasting(), quiet.heard()) == (None, None, None)
    clock.advance(101.0)
    assert told(quiet) == (6_101.0, 101.0)


def test_a_benign_silence_makes_the_next_one_wait_three_times_as_long() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    quiet.allow(50.0)

    clock.advance(150.0)
    assert quiet.due() is None
    clock.advance(1.0)
    assert quiet.due() == (1_000.0, 151.0)
    quiet.allow(0.0)
    assert quiet.limit_seconds == 100.0


def test_a_restart_tells_nothing_again_and_forgets_no_end() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    clock.advance(101.0)
    told(quiet)

    quiet = restarted(quiet, clock)
    clock.advance(500.0)

    assert told(quiet) is None
    assert quiet.heard() == (1_000.0, 601.0)


def test_while_the_program_was_down_nobody_was_silent() -> None:
    clock = ManualClock(1_000.0)
    quiet = silence(clock)
    quiet.heard()
    clock.advance(100_000.0)

    quiet = restarted(quiet, clock)
    clock.advance(99.0)

    assert told(quiet) is None
    clock.advance(2.0)
    assert told(quiet) == (1_000.0, 101.0)


def test_damaged_state_is_not_gone_on_with() -> None:
    state = {"version": 1, "keys": [None], "values": [[1.0]]}

    assert "not 2 finite numbers" in str(silence(ManualClock()).take_over(Memory("", lambda: state)))
