"""A bounded memory of keys: some numbers for each key seen last, read and written a whole batch at a time.

Who is remembered depends on the order of the records alone, not on how they are cut into batches.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import F64, I64, Bools
from monitor.core.errors import StateError
from monitor.core.groups import Groups, grouped
from monitor.core.protocols import KeyedChanges
from monitor.core.records import empty_rows

STATE_VERSION = 1

FIRST_ROOM = 16
"""Keys that a new memory has room for; it doubles as they come."""

GONE = -1
"""Stands for the slot of a key that is not remembered."""

UNUSED = np.iinfo(np.int64).max
"""Stands for when the key of a slot was last seen that has none."""


@dataclass(frozen=True)
class Visit:
    """The keys of a batch and what was remembered of them, [g] each.

    A key that was forgotten and came back within the batch is there once for each stay.
    """

    groups: Groups
    known: Bools  # remembered from before
    before: F64  # [g, width], blank where not known
    slots: I64  # where it is remembered after the batch; GONE: not at all


class KeyedMemory:
    """Some numbers for each of the ``max_keys`` keys seen last; ``blank`` are those of a key that was never seen.

    A batch is a ``visit``, which tells what was remembered, and a ``leave`` with the numbers to remember from now on.
    """

    def __init__(self, max_keys: int, blank: Sequence[float]) -> None:
        self._max_keys = max_keys
        self._blank = np.array(blank)
        self._clear()

    def _clear(self) -> None:
        self._slots: dict[str | None, int] = {}
        self._free: list[int] = []
        self._records = 0  # all that ever came: the clock that ``_last`` is read from
        # By slot:
        self._keys: list[str | None] = []
        self._values: F64 = np.empty((0, len(self._blank)))
        self._last: I64 = np.empty(0, dtype=np.int64)  # when its key was seen last
        # Since the changes were asked for; all bounded as the keys are:
        self._seen: Bools = np.empty(0, dtype=np.bool_)  # its key was seen
        self._told: Bools = np.empty(0, dtype=np.bool_)  # somebody was told of its key before
        self._forgotten: set[str | None] = set()  # keys that somebody was told of

    def visit(self, groups: Groups) -> Visit:
        """What is remembered of the keys of a batch, which from now on are those seen last."""
        slots = self._slots_of(groups.keys)
        known = slots != GONE
        strangers = np.flatnonzero(~known).tolist()
        if len(self._slots) + len(strangers) > self._max_keys:
            return self._visit_one_by_one(groups)
        before = self._recalled(slots)
        for group in strangers:
            slots[group] = self._enter(groups.keys[group])
        self._stamp(slots, groups)
        return Visit(groups, known, before, slots)

    def recall(self, keys: list[str | None]) -> F64:
        """What is remembered of some keys, [k, width], blank where nothing is; it is no visit."""
        return self._recalled(self._slots_of(keys))

    def leave(self, visit: Visit, values: F64) -> None:
        """Remember ``values`` [g, width], finite, of the keys of a visit; those forgotten in it are passed over."""
        here = visit.slots != GONE
        self._values[visit.slots[here]] = values[here]

    def changes(self) -> KeyedChanges:
        """See ``KeyedEncoder.keyed_changes``."""
        if not self._forgotten and not self._seen.any():  # nearly always, where keys come seldom
            return KeyedChanges({}, [])
        slots = self._by_age(np.flatnonzero(self._seen))
        changes = KeyedChanges(dict(zip(*self._contents(slots), strict=True)), list(self._forgotten))
        self._told[slots] = True
        self._seen[slots] = False
        self._forgotten.clear()
        return changes

    def state(self) -> dict[str, Any]:
        """See ``KeyedEncoder.keyed_state``."""
        keys, values = self._contents(self._by_age(np.flatnonzero(self._last != UNUSED)))
        return {"version": STATE_VERSION, "keys": keys, "values": values}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave out; with a smaller memory, the keys seen last.

        Raises:
            StateError: it is no such thing.
        """
        keys, values = _checked(state, len(self._blank))
        self._clear()
        dropped = max(0, len(keys) - self._max_keys)
        slots = [self._enter(key) for key in keys[dropped:]]
        self._values[slots] = values[dropped:]
        self._last[slots] = np.arange(len(slots))
        self._told[slots] = True
        self._records = len(slots)
        self._forgotten.update(keys[:dropped])

    def _visit_one_by_one(self, groups: Groups) -> Visit:
        """The same where the memory may overflow: who is forgotten depends on every single record."""
        order = np.argsort(groups.rows)
        # Of those seen longest ago, a record can bring back or push out one: no more of them than records matter.
        queue = OrderedDict.fromkeys(self._oldest(len(order)))
        keys: list[str | None] = []  # of each stay
        begun: list[int] = []  # the slot that each stay began with
        staying: dict[str | None, int] = {}
        stays: list[int] = []  # of each record
        for group in groups.ids[order].tolist():
            key = groups.keys[group]
            if key not in staying:
                staying[key] = len(keys)
                keys.append(key)
                begun.append(self._slots.get(key, GONE))
            stays.append(staying[key])
            if key not in self._slots:
                if len(self._slots) == self._max_keys:
                    oldest, _ = queue.popitem(last=False)
                    self._forget(oldest)
                    staying.pop(oldest, None)
                self._enter(key)
            queue[key] = None
            queue.move_to_end(key)
        by_stay = grouped(groups.rows[order], np.array(stays, dtype=np.int64), keys)
        slots = np.full(len(keys), GONE)
        slots[list(staying.values())] = self._slots_of(list(staying))
        before = self._recalled(np.array(begun))
        self._stamp(slots, by_stay)
        return Visit(by_stay, np.array(begun) != GONE, before, slots)

    def _stamp(self, slots: I64, groups: Groups) -> None:
        """Note when the keys in ``slots`` [g] were seen last."""
        here = slots != GONE
        last = groups.rows[groups.ends]
        self._last[slots[here]] = self._records + last[here]
        self._seen[slots[here]] = True
        self._records += int(last.max(initial=-1)) + 1

    def _enter(self, key: str | None) -> int:
        """Give a new key a slot; its numbers are whatever stood there."""
        if not self._free:
            self._grow()
        slot = self._slots[key] = self._free.pop()
        self._keys[slot] = key
        self._told[slot] = key in self._forgotten
        self._forgotten.discard(key)
        return slot

    def _forget(self, key: str | None) -> None:
        slot = self._slots.pop(key)
        self._free.append(slot)
        self._last[slot] = UNUSED
        self._seen[slot] = False
        if self._told[slot]:
            self._forgotten.add(key)

    def _grow(self) -> None:
        size = len(self._keys)
        more = min(max(2 * size, FIRST_ROOM), self._max_keys) - size
        self._free = list(range(size + more - 1, size - 1, -1))
        self._keys += [None] * more
        self._values = np.concatenate([self._values, np.empty((more, len(self._blank)))])
        self._last = np.concatenate([self._last, np.full(more, UNUSED)])
        self._seen = np.concatenate([self._seen, np.zeros(more, dtype=np.bool_)])
        self._told = np.concatenate([self._told, np.zeros(more, dtype=np.bool_)])

    def _by_age(self, slots: I64) -> I64:
        """Slots in the order in which their keys were seen last."""
        return slots[np.argsort(self._last[slots])]

    def _oldest(self, count: int) -> list[str | None]:
        """The ``count`` keys, or all, that were seen longest ago, in that order."""
        count = min(count, len(self._slots))
        slots = np.argpartition(self._last, count - 1)[:count] if count else empty_rows()
        return self._contents(self._by_age(slots))[0]

    def _slots_of(self, keys: list[str | None]) -> I64:
        return np.fromiter(map(self._slots.get, keys, repeat(GONE)), np.int64, len(keys))

    def _recalled(self, slots: I64) -> F64:
        """What is remembered in ``slots`` [g], [g, width]."""
        values = np.tile(self._blank, (len(slots), 1))
        known = slots != GONE
        values[known] = self._values[slots[known]]
        return values

    def _contents(self, slots: I64) -> tuple[list[str | None], list[list[float]]]:
        return [self._keys[slot] for slot in slots.tolist()], self._values[slots].tolist()


@dataclass(frozen=True)
class Remembering:
    """What every ``KeyedEncoder`` has in common: one memory, which is no part of what it learned."""

    memory: KeyedMemory

    def keyed_state(self) -> Mapping[str, Any]:
        return self.memory.state()

    def keyed_changes(self) -> KeyedChanges:
        return self.memory.changes()

    def load_keyed_state(self, state: Mapping[str, Any]) -> None:
        self.memory.load(state)


MAX_KEYS = Option(
    default=100_000,
    ge=1,
    le=10_000_000,
    description="So many keys are remembered, those seen last; about 200 bytes each.",
)
"""The option that bounds a memory."""


def _checked(state: Mapping[str, Any], width: int) -> tuple[list[str | None], F64]:
    """The keys and their numbers [keys, width]. Raises StateError if they are not what they should be."""
    keys, values = state.get("keys"), state.get("values")
    if state.get("version") != STATE_VERSION or not isinstance(keys, list) or not isinstance(values, list):
        raise StateError(f"remembered keys: version {state.get('version')!r} is not {STATE_VERSION}, or damaged")
    if not all(key is None or isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
        raise StateError("remembered keys: a key is no text, or is there twice")
    if len(keys) != len(values) or not all(_are_numbers(row, width) for row in values):
        raise StateError(f"remembered keys: not {width} finite numbers for each of {len(keys):,} keys")
    return keys, np.array(values, dtype=np.float64).reshape(len(keys), width)


def _are_numbers(row: Any, width: int) -> bool:
    if not isinstance(row, list) or len(row) != width:
        return False
    return all(isinstance(number, int | float) and abs(number) <= sys.float_info.max for number in row)
