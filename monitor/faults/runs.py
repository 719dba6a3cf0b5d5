"""Runs of records: a fault that lasts begins behind the last sound record of its key and goes on until the next one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.records import RecordBatch


@dataclass(frozen=True, slots=True)
class Runs:
    """For each of some rows, [m]: the last sound row before it, how many rows after that it is, and of how many.

    A row that has no sound one before it is its own anchor, at depth 0.
    """

    anchors: I64
    depths: I64
    lengths: I64


def key_codes(batch: RecordBatch) -> I64:
    """The key of each row as a whole number, [n]; without keys the stream is one, and so are records without one."""
    if batch.keys is None:
        return np.zeros(len(batch), dtype=np.int64)
    codes: I64 = batch.keys.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return codes


def runs_of(codes: I64, inside: Bools, sound: Bools) -> Runs:
    """The runs that the rows of ``inside`` form within each key.

    Args:
        codes: key of each row, [n].
        inside: rows of the fault, [n].
        sound: rows that may be an anchor, [n]; those inside never are.
    """
    order = np.argsort(codes, kind="stable")  # each key's rows together, in their order
    within, keys = inside[order], codes[order]
    places = np.arange(len(order))
    begins = np.append(True, keys[1:] != keys[:-1])[: len(order)]
    last = np.maximum.accumulate(np.where(begins | (sound[order] & ~within), places, 0))
    so_far = np.cumsum(within)
    depths: I64 = so_far - so_far[last]
    lengths = np.bincount(last, weights=within, minlength=len(order))[last].astype(np.int64)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = places
    rows = back[inside]
    return Runs(order[last[rows]], depths[rows], lengths[rows])
