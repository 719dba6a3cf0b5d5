"""What benign data showed, as a set of hashes, and how surprising it is to meet what is not in it.

The surprise comes from leaving out: were a benign record not there, all that occurs in it alone would be new. So the
share of benign records with k or more such things is the chance that the next benign record brings k new ones, whether
they come one by one or together. An open vocabulary (names, free text) thereby says little, a closed one much.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, I64, Bools
from monitor.core.novelty import unseen
from monitor.core.spans import mix
from monitor.core.strings import U64

FAINT = 0.3
"""If even many new things weigh fewer bans than this, they are nothing to remember the others for."""

MOST_NEW = 8
"""More new things in one record than this weigh as much as this many."""

_SLOT = np.uint64(0x9E3779B97F4A7C15)  # odd; its product spreads the lower bits to the upper ones
_SPARSE = 8  # slots for each hash: one in 16 known hashes is displaced by another and found by the slow way
_MOST_SLOTS = 1 << 20


@dataclass(frozen=True)
class Vocabulary:
    """``known`` are the distinct hashes, sorted; k new ones in a record weigh ``strengths[k - 1]`` bans, rising."""

    known: U64  # [v]
    strengths: tuple[float, ...]

    @classmethod
    def learn(cls, items: U64, rows: I64, *, records: int, most: int, one_each: bool = False) -> Vocabulary | None:
        """Learn from the hashes ``items`` [m] found in benign records ``rows`` [m], which ascend.

        Args:
            items: the hashes.
            rows: where they were found.
            records: how many benign records there are.
            most: so many different hashes are remembered.
            one_each: a record has no more than one.

        Returns:
            None when there are more than ``most`` different ones, or when new ones say nothing: then every hash counts
            as known, because what was forgotten cannot be told from what is new.
        """
        order = np.argsort(items, kind="stable")
        ordered, ordered_rows = items[order], rows[order]
        first = np.flatnonzero(np.concatenate((np.ones(min(1, len(items)), np.bool_), ordered[1:] != ordered[:-1])))
        last = np.append(first, len(items))[1:] - 1
        alone = ordered_rows[first] == ordered_rows[last]  # [v] occurs in one record only
        new = np.bincount(ordered_rows[first[alone]], minlength=1)
        strengths = tuple(unseen(records, int((new >= k).sum())) for k in range(1, 2 if one_each else MOST_NEW + 1))
        if len(first) > most or strengths[-1] < FAINT:
            return None
        return cls(ordered[first], strengths)

    def contains(self, items: U64) -> Bools:
        """Which hashes are known, [m]: one look into a table for nearly all of them."""
        if not len(self.known):
            return np.zeros(len(items), dtype=np.bool_)
        there = self._slots[_slot(items, len(self._slots))]
        found: Bools = there == items
        unsure = np.flatnonzero(((there != 0) & ~found) | (items == 0))
        place = np.searchsorted(self.known, items[unsure])
        found[unsure] = self.known.take(place, mode="clip") == items[unsure]
        return found

    def surprise(self, items: U64, rows: I64, n: int) -> F64:
        """The strength of what is new in each of ``n`` rows, [n], given all their hashes ``items`` at ``rows`` [m]."""
        new = np.flatnonzero(~self.contains(items))
        if not len(new):
            return np.zeros(n)
        _, once = np.unique(mix(items[new] + rows[new].view(np.uint64) * _SLOT), return_index=True)  # each once a row
        counts = np.bincount(rows[new][once], minlength=n)
        return np.array((0.0, *self.strengths)).take(counts, mode="clip")

    def also(self, items: U64) -> Vocabulary:
        """The same with further hashes [m] among the known ones; what is new weighs what it did."""
        return Vocabulary(np.union1d(self.known, items), self.strengths)

    def state(self) -> dict[str, Any]:
        packed = self.known.astype("<u8").tobytes()
        return {"known": base64.b64encode(packed).decode("ascii"), "strengths": list(self.strengths)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Vocabulary:
        known = np.frombuffer(base64.b64decode(state["known"], validate=True), dtype="<u8")
        return cls(known.astype(np.uint64), tuple(map(float, state["strengths"])))

    @cached_property
    def _slots(self) -> U64:
        """Each hash where its upper bits put it; 0 is an empty slot (the hash 0 itself is left to the slow way)."""
        size = min(1 << (_SPARSE * len(self.known) - 1).bit_length(), _MOST_SLOTS)
        slots = np.zeros(size, dtype=np.uint64)
        slots[_slot(self.known, size)] = self.known
        return slots


def _slot(items: U64, size: int) -> I64:
    """The place of each hash in a table of ``size`` slots, a power of two of at least 2."""
    product = items * _SLOT
    product >>= np.uint64(65 - size.bit_length())
    return product.view(np.int64)


def stored(vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    """The state of a vocabulary, None for one that was not learned."""
    return vocabulary.state() if vocabulary else None


def restored(state: Mapping[str, Any] | None) -> Vocabulary | None:
    """The inverse of ``stored``."""
    return Vocabulary.restore(state) if state else None


def cascade(surprises: Sequence[F64], novelty: F32) -> None:
    """Write what each surprise adds to those before it, so that the columns of a row add up to the largest."""
    largest = np.zeros(len(novelty))
    for column, surprise in enumerate(surprises):
        novelty[:, column] = np.maximum(surprise - largest, 0.0)
        np.maximum(largest, surprise, out=largest)
