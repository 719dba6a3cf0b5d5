"""The rows of a batch sorted by key, so that the past of every key is worked out for all of them at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.core.records import RecordBatch

Numbers = TypeVar("Numbers", F64, I64)

LONGEST = 256
"""Longer texts (in characters) are remembered by their hash: a hostile megabyte must not be kept."""


@dataclass(frozen=True)
class Groups:
    """Row numbers, group by group; within a group they rise. No group is empty.

    ``keys`` names each of the g groups; two groups have the same key only where it was forgotten in between.
    """

    rows: I64  # [m]
    starts: I64  # [g], where each group begins in ``rows``
    keys: list[str | None]

    @cached_property
    def lengths(self) -> I64:
        """Rows of each group, [g], > 0."""
        return np.diff(self.starts, append=len(self.rows))

    @cached_property
    def ends(self) -> I64:
        """Where the last row of each group stands, [g]."""
        return self.starts + self.lengths - 1

    @cached_property
    def ids(self) -> I64:
        """The group of each row, [m]."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    @cached_property
    def ranks(self) -> I64:
        """How many rows of its group stand before each, [m]."""
        return np.arange(len(self.rows)) - self.starts[self.ids]

    def among(self, mask: Bools) -> Groups:
        """Only the rows where ``mask``, [n] by row number, is True."""
        kept = mask[self.rows]
        ids = self.ids[kept]
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        return Groups(self.rows[kept], starts, [self.keys[group] for group in ids[starts].tolist()])

    def previous(self, values: Numbers, before: Numbers) -> Numbers:
        """What stands before each of ``values`` [m] in its group; ``before`` [g] before the first of each."""
        previous = np.empty_like(values)
        previous[1:] = values[:-1]
        previous[self.starts] = before
        return previous


def grouped(rows: I64, codes: I64, names: list[str | None]) -> Groups:
    """Rows [m], rising, by their codes [m], which index ``names``; the groups come in the order of the codes."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return Groups(rows[order], starts, [names[code] for code in ordered[starts].tolist()])


def by_key(batch: RecordBatch) -> Groups:
    """All rows by key; without a key the stream as a whole is one, and so are the records whose key is missing.

    Of a sample of stretches, by stretch.
    """
    rows = np.arange(len(batch))
    if batch.stretches is not None:
        numbers, places = np.unique(batch.stretches, return_inverse=True)
        return grouped(rows, places, list(map(str, numbers.tolist())))
    if batch.keys is None:
        return Groups(rows, rows[:1], [None] * min(len(rows), 1))
    encoded = batch.keys.dictionary_encode(null_encoding="encode")
    codes: I64 = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = [None if name is None else remembered(name) for name in encoded.dictionary.to_pylist()]
    return grouped(rows, codes, names)


def known_by_key(batch: RecordBatch, values: F64) -> Groups:
    """The rows whose value [n] is not NaN, by key."""
    groups = batch.once(by_key)
    absent = np.isnan(values)
    return groups.among(~absent) if absent.any() else groups


def elapsed(before: F64, now: F64) -> F64:
    """Seconds between, [m], never negative; NaN where either is. Absurd times may overflow to infinity."""
    with np.errstate(over="ignore"):
        return np.maximum(now - before, 0.0)


def remembered(text: str) -> str:
    """The text itself, or for a long one a hash that stands for it: what may be kept of hostile data.

    A NUL begins what stands for another thing, so a text that begins so is hashed, too.
    """
    if len(text) <= LONGEST and not text.startswith("\0"):
        return text
    return "\0" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
