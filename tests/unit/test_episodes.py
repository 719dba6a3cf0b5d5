"""Episodes: alerts of a key that follow each other closely, however they are cut into batches."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.errors import StateError
from monitor.deciding.episodes import Episode, Episodes

alerts = st.tuples(st.integers(0, 40).map(float), st.sampled_from([None, "a", "b", "c"]), st.integers(0, 5).map(float))


def add(episodes: Episodes, told: list[tuple[float, str | None, float]]) -> list[Episode]:
    times, keys, scores = zip(*told, strict=True) if told else ((), (), ())
    return episodes.add(times, keys, scores)


def test_alerts_close_in_time_are_one_episode() -> None:
    told = add(Episodes(10.0), [(100.0, "a", 2.0), (110.0, "a", 5.0), (120.5, "a", 3.0)])

    assert told == [
        Episode("a", 100.0, 100.0, 100.0, 1, 2.0),
        Episode("a", 100.0, 110.0, 110.0, 2, 5.0),
        Episode("a", 120.5, 120.5, 120.5, 1, 3.0),
    ]


def test_each_key_has_its_own() -> None:
    told = add(Episodes(10.0), [(100.0, "a", 2.0), (101.0, "b", 2.0), (102.0, None, 2.0), (103.0, "a", 2.0)])

    assert [(episode.key, episode.count) for episode in told] == [("a", 1), ("b", 1), (None, 1), ("a", 2)]


def test_an_alert_that_comes_late_joins_and_may_move_the_start() -> None:
    told = add(Episodes(10.0), [(100.0, "a", 2.0), (95.0, "a", 2.0)])

    assert (told[1].start, told[1].end, told[1].last, told[1].count) == (95.0, 100.0, 95.0, 2)


def test_a_clock_years_ahead_silences_nobody() -> None:
    told = add(Episodes(10.0), [(100.0, "a", 2.0), (4e9, "a", 2.0), (102.0, "a", 2.0)])

    assert [episode.count for episode in told] == [1, 1, 1]


def test_an_episode_ends_when_its_key_was_quiet_for_longer_than_the_gap() -> None:
    episodes = Episodes(10.0)
    (told,) = add(episodes, [(100.0, "a", 2.0)])

    assert episodes.ended(110.0) == []
    assert episodes.ended(110.1) == [told]
    assert episodes.ended(200.0) == []


def test_an_episode_ends_when_the_next_of_its_key_begins() -> None:
    episodes = Episodes(10.0)
    told = add(episodes, [(100.0, "a", 2.0), (150.0, "a", 2.0)])

    assert episodes.ended(150.0) == told[:1]


def test_beyond_the_bound_the_key_that_alerted_longest_ago_ends() -> None:
    episodes = Episodes(10.0, max_keys=2)
    told = add(episodes, [(100.0, "a", 1.0), (101.0, "b", 1.0), (102.0, "a", 1.0), (103.0, "c", 1.0)])

    assert episodes.ended(103.0) == [told[1]]
    assert [state["key"] for state in episodes.state()["open"]] == ["a", "c"]


@given(st.lists(alerts, max_size=40), st.lists(st.integers(0, 40), max_size=4), st.integers(1, 4))
def test_it_does_not_matter_how_alerts_are_cut_nor_where_it_is_stopped(
    told: list[tuple[float, str | None, float]], cuts: list[int], max_keys: int
) -> None:
    told = sorted(told, key=lambda alert: alert[0])
    whole, pieces = Episodes(3.0, max_keys), Episodes(3.0, max_keys)
    found, ended = list[Episode](), list[Episode]()

    for start, stop in itertools.pairwise(sorted({0, len(told), *(min(cut, len(told)) for cut in cuts)})):
        found += add(pieces, told[start:stop])
        ended += pieces.ended(told[stop - 1][0])
        state = json.loads(json.dumps(pieces.state()))
        pieces = Episodes(3.0, max_keys)
        pieces.load(state)

    assert found == add(whole, told)
    assert sorted(ended + pieces.ended(1e9), key=repr) == sorted(whole.ended(1e9), key=repr)


def test_a_smaller_bound_ends_what_was_loaded_beyond_it() -> None:
    episodes = Episodes(10.0)
    told = add(episodes, [(100.0, "a", 1.0), (101.0, "b", 1.0)])
    smaller = Episodes(10.0, max_keys=1)

    smaller.load(episodes.state())

    assert smaller.ended(101.0) == told[:1]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "open episodes: version None is not 1"),
        ({"version": 1}, "open episodes: Expected `array`, got `null`"),
        ({"version": 1, "open": [{"key": "a"}]}, "open episodes: Object missing required field `start`"),
        (
            {"version": 1, "open": [{"key": "a", "start": 1, "end": 1, "last": 1, "count": 1, "peak": float("nan")}]},
            "open episodes: a time or a score is not finite",
        ),
    ],
)
def test_damaged_state_is_refused(state: dict[str, object], message: str) -> None:
    with pytest.raises(StateError, match=message):
        Episodes(10.0).load(state)
