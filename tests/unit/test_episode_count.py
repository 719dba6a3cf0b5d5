"""Episodes are counted as they are told, however alerts are cut into batches and wherever the program is stopped."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.accounting import Memory
from monitor.core.clock import ManualClock
from monitor.deciding.episode_count import EpisodeCount
from monitor.deciding.episodes import Episodes
from tests.records import records

NOW = 20.0
ALERTS = st.lists(st.tuples(st.integers(0, 40) | st.just(math.nan), st.sampled_from(["a", "b", None])), max_size=40)


@settings(deadline=None)
@given(alerts=ALERTS, size=st.integers(1, 7), gap=st.integers(0, 9))
def test_as_many_begin_as_a_person_is_told_of(alerts: list[tuple[float, str | None]], size: int, gap: int) -> None:
    count, begun = EpisodeCount(gap, ManualClock(NOW)), 0
    for start in range(0, len(alerts), size):
        times, keys = zip(*alerts[start : start + size], strict=True)
        begun += count.begun(records(times=list(times), keys=list(keys)))
        state = count.keyed_state()
        count = EpisodeCount(gap, ManualClock(NOW))
        assert count.take_over(Memory(count.made_by, lambda state=state: state)) is None  # type: ignore[misc]

    known = [NOW if math.isnan(time) else time for time, _ in alerts]
    told = Episodes(gap).add(known, [key for _, key in alerts], [1.0] * len(alerts))
    assert begun == sum(episode.count == 1 for episode in told)


def test_without_event_times_the_time_of_reading_counts() -> None:
    clock = ManualClock(NOW)
    count = EpisodeCount(5.0, clock)

    begun = [count.begun(records(x=[1.0, 2.0]))]
    clock.advance(5.0)
    begun.append(count.begun(records(x=[1.0])))
    clock.advance(5.1)
    begun.append(count.begun(records(x=[1.0])))

    assert begun == [1, 0, 1]


def test_damaged_state_is_not_gone_on_with() -> None:
    count = EpisodeCount(5.0, ManualClock())

    reason = count.take_over(Memory(count.made_by, lambda: {"version": 1, "keys": ["a"], "values": [[1.0, 2.0]]}))

    assert reason == "remembered keys: not 1 finite numbers for each of 1 keys"
