"""The memory of keys: who is remembered, what, and which of it changed, however the records are cut into batches."""

from __future__ import annotations

import itertools
import json
import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import StateError
from monitor.core.groups import by_key
from monitor.core.keyed_memory import KeyedMemory
from tests.records import part, records

Key = str | None


def remember(memory: KeyedMemory, keys: Sequence[Key], start: float = 0.0) -> list[float]:
    """Remember of each key the number of its last record; gives what was remembered before each, -1 for nothing."""
    batch = records(keys=keys)
    visit = memory.visit(by_key(batch))
    numbers = start + visit.groups.rows.astype(np.float64)
    before = np.empty(len(batch))
    before[visit.groups.rows] = visit.groups.previous(numbers, visit.before[:, 0])
    memory.leave(visit, numbers[visit.groups.ends, None])
    return before.tolist()


def memory_of(max_keys: int, *keys: Key) -> KeyedMemory:
    memory = KeyedMemory(max_keys, blank=[-1.0])
    remember(memory, keys)
    return memory


class Simple:
    """The same, one record after the other."""

    def __init__(self, max_keys: int) -> None:
        self.max_keys = max_keys
        self.held: OrderedDict[Key, float] = OrderedDict()

    def remember(self, keys: Sequence[Key], start: float) -> list[float]:
        return [self._one(key, start + row) for row, key in enumerate(keys)]

    def _one(self, key: Key, number: float) -> float:
        before = self.held.pop(key, -1.0)
        self.held[key] = number
        if len(self.held) > self.max_keys:
            self.held.popitem(last=False)
        return before


@settings(max_examples=200, deadline=None)
@given(data=st.data(), max_keys=st.integers(1, 6))
def test_it_is_that_of_a_simple_memory_however_records_are_cut(data: st.DataObject, max_keys: int) -> None:
    keys = data.draw(st.lists(st.sampled_from([None, *"abcdefgh"]), max_size=40))
    cuts = sorted({0, len(keys), *data.draw(st.lists(st.integers(0, len(keys)), max_size=5))})
    memory, simple, told = KeyedMemory(max_keys, blank=[-1.0]), Simple(max_keys), dict[Key, list[float]]()

    for start, stop in itertools.pairwise(cuts):
        assert remember(memory, keys[start:stop], start) == simple.remember(keys[start:stop], start)
        if data.draw(st.booleans(), label="asked"):
            changes = memory.changes()
            assert set(changes.forgotten) <= told.keys() - simple.held.keys()
            told = {key: told[key] for key in told if key not in {*changes.forgotten, *changes.updated}}
            told |= changes.updated
            assert list(told.items()) == [(key, [number]) for key, number in simple.held.items()]

    assert memory.state()["keys"] == list(simple.held)
    assert memory.state()["values"] == [[number] for number in simple.held.values()]


def test_endless_new_keys_do_not_fill_the_memory() -> None:
    memory = KeyedMemory(10, blank=[-1.0])
    for start in range(0, 1_000, 100):
        remember(memory, [str(start + i) for i in range(100)])

    changes = memory.changes()

    assert memory.state()["keys"] == list(changes.updated) == [str(i) for i in range(990, 1_000)]
    assert changes.forgotten == []


def test_changes_are_told_once() -> None:
    memory = memory_of(2, "a", "b")
    memory.changes()
    remember(memory, ["b", "c"], start=5.0)

    changes = memory.changes()

    assert list(changes.updated.items()) == [("b", [5.0]), ("c", [6.0])]
    assert changes.forgotten == ["a"]
    assert memory.changes() == ({}, [])


def test_what_nobody_was_told_of_is_not_told_to_be_forgotten() -> None:
    memory = memory_of(1, "a", "b", "a", "c")

    assert memory.changes().forgotten == []


def test_a_key_that_comes_back_is_updated_and_not_forgotten() -> None:
    memory = memory_of(1, "a")
    memory.changes()
    remember(memory, ["b"])
    remember(memory, ["a"], start=8.0)

    assert memory.changes() == ({"a": [8.0]}, [])


def test_what_is_loaded_is_no_change_and_in_its_order() -> None:
    memory = KeyedMemory(3, blank=[-1.0])

    memory.load({"version": 1, "keys": ["a", None, "c"], "values": [[1.0], [2.0], [3.0]]})

    assert memory.changes() == ({}, [])
    assert remember(memory, ["d", None, "a"]) == [-1.0, 2.0, -1.0]  # of the four, a was seen longest ago


def test_a_smaller_memory_takes_over_the_keys_seen_last_and_tells_of_the_others() -> None:
    memory = KeyedMemory(2, blank=[-1.0])

    memory.load({"version": 1, "keys": ["a", "b", "c"], "values": [[1.0], [2.0], [3.0]]})

    assert memory.state()["keys"] == ["b", "c"]
    assert memory.changes() == ({}, ["a"])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "remembered keys: version None is not 1, or damaged"),
        ({"version": 2, "keys": [], "values": []}, "version 2 is not 1, or damaged"),
        ({"version": 1, "keys": ["a"]}, "version 1 is not 1, or damaged"),
        ({"version": 1, "keys": [3], "values": [[1.0]]}, "a key is no text, or is there twice"),
        ({"version": 1, "keys": ["a", "a"], "values": [[1.0], [2.0]]}, "a key is no text, or is there twice"),
        ({"version": 1, "keys": ["a"], "values": []}, "not 1 finite numbers for each of 1 keys"),
        ({"version": 1, "keys": ["a"], "values": [[1.0, 2.0]]}, "not 1 finite numbers for each of 1 keys"),
        ({"version": 1, "keys": ["a"], "values": [[math.nan]]}, "not 1 finite numbers for each of 1 keys"),
        ({"version": 1, "keys": ["a"], "values": [[10**400]]}, "not 1 finite numbers for each of 1 keys"),
        ({"version": 1, "keys": ["a"], "values": [["1"]]}, "not 1 finite numbers for each of 1 keys"),
        ({"version": 1, "keys": ["a"], "values": [1.0]}, "not 1 finite numbers for each of 1 keys"),
    ],
)
def test_a_damaged_memory_is_refused_and_changes_nothing(state: dict[str, object], message: str) -> None:
    memory = memory_of(5, "a", "b")
    before = json.dumps(memory.state())

    with pytest.raises(StateError, match=message):
        memory.load(state)

    assert json.dumps(memory.state()) == before


def test_keys_are_coded_once_for_all_features_of_a_batch() -> None:
    batch = records(keys=["b", "a", "b"])

    groups = batch.once(by_key)

    assert batch.once(by_key) is groups
    assert part(batch, 0, 2).once(by_key).rows.tolist() == [0, 1]
    assert (groups.keys, groups.rows.tolist()) == (["b", "a"], [0, 2, 1])
