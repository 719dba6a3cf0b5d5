"""Averages of scores: of a key's last few, the same bits however records are cut, and only where they pay."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.core.groups import by_key
from monitor.core.keyed_memory import KeyedMemory
from monitor.deciding.averaging import all_moving_means, length_for, moving_means, resemblance
from tests.records import records

Record = tuple[str | None, float]


class Averager:
    """Averages of a stream, its memory in a ``KeyedMemory``."""

    def __init__(self, length: int, max_keys: int = 100) -> None:
        self.memory = KeyedMemory(max_keys, blank=[0.0] * length)

    def average(self, made: Sequence[Record]) -> F64:
        keys, scores = [key for key, _ in made], np.array([score for _, score in made])
        visit = self.memory.visit(by_key(records(keys=keys)))
        groups, means = visit.groups, np.empty(len(made))
        means[groups.rows], after = moving_means(scores[groups.rows], groups.starts, visit.before)
        self.memory.leave(visit, after)
        return means


def test_a_mean_is_of_the_last_scores_of_a_key_or_as_many_as_there_are() -> None:
    means = Averager(3).average([("a", 3.0), ("b", 8.0), ("a", 6.0), ("a", 0.0), ("a", 0.0)])

    assert means.tolist() == [3.0, 8.0, 4.5, 3.0, 2.0]


def test_no_more_is_remembered_than_an_average_needs() -> None:
    _, after = moving_means(np.array([3.0, 6.0, 0.0, 8.0]), np.array([0, 3]), np.zeros((2, 3)))

    assert after.tolist() == [[2.0, 6.0, 0.0], [1.0, 0.0, 8.0]]


def test_a_length_of_one_changes_no_bit() -> None:
    scores = np.array([0.1, 1e-300, 7.3])

    assert all_moving_means(scores, None, 1).tolist() == scores.tolist()


@settings(max_examples=150, deadline=None)
@given(
    made=st.lists(st.tuples(st.sampled_from([None, *"abcd"]), st.floats(-1e9, 1e9)), max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    length=st.integers(1, 6),
    max_keys=st.integers(1, 6),
)
def test_the_bits_are_the_same_however_records_are_cut(
    made: list[Record], cuts: list[int], length: int, max_keys: int
) -> None:
    whole, pieces = Averager(length, max_keys), Averager(length, max_keys)
    places = sorted({0, len(made), *(min(cut, len(made)) for cut in cuts)})

    parts = [pieces.average(made[start:stop]) for start, stop in itertools.pairwise(places)]

    assert np.concatenate([[], *parts]).tolist() == whole.average(made).tolist()
    assert pieces.memory.state() == whole.memory.state()


def test_a_calibration_is_averaged_as_the_stream_is() -> None:
    random = np.random.default_rng(1)
    codes, scores = random.integers(0, 5, 300), random.normal(size=300)

    means = all_moving_means(scores, codes, 4)

    made = [(str(code), score) for code, score in zip(codes.tolist(), scores.tolist(), strict=True)]
    assert means.tolist() == Averager(4).average(made).tolist()


def slow(count: int, random: np.random.Generator) -> F64:
    """Scores of which each is mostly the one before."""
    noise = random.normal(size=count)
    return np.array(list(itertools.accumulate(noise, lambda before, new: 0.9 * before + new)))


def test_scores_are_averaged_where_consecutive_ones_resemble_each_other() -> None:
    random = np.random.default_rng(2)

    assert length_for(np.exp(slow(500, random))) == 5
    assert length_for(random.lognormal(size=500)) == 1


def test_resemblance_is_sought_within_a_key() -> None:
    random = np.random.default_rng(3)
    keys = random.integers(0, 10, 5_000)
    scores = np.empty(5_000)
    for key in range(10):
        scores[keys == key] = slow(int((keys == key).sum()), random)

    assert resemblance(scores) < 0.2
    assert resemblance(scores, keys) > 0.8


def test_keys_of_different_height_do_not_resemble_themselves() -> None:
    random = np.random.default_rng(3)
    keys = np.repeat(np.arange(10), 500)
    scores = random.normal(size=5_000) + 5.0 * keys

    assert resemblance(scores) > 0.8
    assert resemblance(scores, keys) < 0.1


@pytest.mark.parametrize("scores", [np.empty(0), np.arange(50.0), np.ones(500)])
def test_too_few_or_equal_scores_resemble_nothing(scores: F64) -> None:
    assert resemblance(scores) == 0.0
    assert length_for(scores, np.zeros(len(scores), dtype=np.int64)) == 1
