"""Short averages of scores: the mean of a key's last few, so that one noisy record among quiet ones raises no alert.

What lasts for several records stays visible and the noise of single records shrinks, which pays where consecutive
records resemble each other: sensors, servers. Where each record stands for itself it would blur what is sought.
"""

from __future__ import annotations

import math

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, I64
from monitor.core.errors import StateError
from monitor.core.groups import by_key
from monitor.core.keyed_memory import KeyedMemory, Remembering
from monitor.core.records import RecordBatch

AUTO_LENGTH = 5
"""So many scores are averaged where consecutive ones resemble each other."""

RESEMBLING = 0.5
"""From this rank correlation on they do."""

MOST_KEYS = 100_000
"""Keys whose scores are remembered, those seen last."""

FEWEST_PAIRS = 50
"""With fewer consecutive records a correlation says too little."""


class Averaging(Remembering):
    """Averages the scores of a stream's keys; what it remembers of them belongs to the checkpoint."""

    def __init__(self, length: int, max_keys: int = MOST_KEYS) -> None:
        super().__init__(KeyedMemory(max_keys, [0.0] * length))
        self.length = length

    @property
    def made_by(self) -> str:
        """What the numbers that are remembered mean."""
        return f"the last {self.length} scores"

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot."""
        if memory.made_by != self.made_by:
            return f"averages are over {self.made_by} now"
        try:
            self.load_keyed_state(memory.state())
        except StateError as error:
            return str(error)
        return None

    def apply(self, batch: RecordBatch, scores: F64) -> F64:
        """The scores [n] of a batch, averaged; those of rows that are not ok stay as they are and count for nothing."""
        if self.length == 1 or not len(batch):
            return scores
        visit = self.memory.visit(batch.once(by_key).among(batch.ok))
        rows, averaged = visit.groups.rows, scores.copy()
        averaged[rows], after = moving_means(scores[rows], visit.groups.starts, visit.before)
        self.memory.leave(visit, after)
        return averaged


def moving_means(scores: F64, starts: I64, before: F64) -> tuple[F64, F64]:
    """The mean of each score and the scores before it, at most ``length``, of its own key.

    The same additions in the same order wherever a batch ends, so the same bits.

    Args:
        scores: [m], key by key, each key's in order.
        starts: where the scores of each key begin, [g]; every key has at least one.
        before: what is remembered of each key, [g, length]: how many scores, at most length - 1, then these, the
            newest last, zeros in front. All zeros for a key that is new.

    Returns:
        means: [m].
        after: what to remember of each key, [g, length].
    """
    past = before.shape[1] - 1  # scores remembered
    lengths = np.diff(starts, append=len(scores))
    known = before[:, 0].astype(np.int64)
    # All scores in one row, each key's behind those remembered of it.
    shifts = past * np.arange(len(starts))
    places = np.arange(len(scores)) + np.repeat(shifts + past, lengths)
    row = np.empty(len(scores) + past * len(starts))
    row[places] = scores
    row[(starts + shifts)[:, None] + np.arange(past)] = before[:, 1:]
    sums = np.zeros(len(scores))
    for lag in range(past, -1, -1):  # the oldest first
        sums += row[places - lag]
    counts = np.arange(len(scores)) + np.repeat(known - starts, lengths) + 1
    after = np.empty_like(before)
    after[:, 0] = np.minimum(known + lengths, past)
    after[:, 1:] = row[(starts + lengths + shifts)[:, None] + np.arange(past)]
    return sums / np.minimum(counts, past + 1), after


def all_moving_means(scores: F64, keys: I64 | None, length: int) -> F64:
    """The same, [n], for records from the first on, such as those of a calibration; ``keys`` are codes, [n]."""
    order, starts = _by_key(len(scores), keys)
    means = np.empty(len(scores))
    means[order] = moving_means(scores[order], starts, np.zeros((len(starts), length)))[0]
    return means


def length_for(scores: F64, keys: I64 | None = None) -> int:
    """How many scores to average: a few where consecutive benign ones of a key resemble each other, otherwise 1.

    Args:
        scores: [n], in the order of time.
        keys: codes of their keys, [n]; None when all are of one.
    """
    return AUTO_LENGTH if resemblance(scores, keys) > RESEMBLING else 1


def resemblance(scores: F64, keys: I64 | None = None) -> float:
    """The rank correlation of consecutive scores of a key, -1 to 1; 0 where there are too few, or all are equal.

    Ranks are taken among all scores and compared with the mean rank of the key: that the scores of one key are always
    higher than those of another is no resemblance in time.
    """
    order, starts = _by_key(len(scores), keys)
    lengths = np.diff(starts, append=len(scores))
    ranks = _ranks(scores)[order]
    if len(scores) - len(starts) < FEWEST_PAIRS:
        return 0.0
    apart = ranks - np.repeat(np.add.reduceat(ranks, starts) / lengths, lengths)
    second = np.delete(np.arange(len(scores)), starts)
    former, latter = apart[second - 1], apart[second]
    spread = math.sqrt(float(np.square(former).sum() * np.square(latter).sum()))
    return float((former * latter).sum()) / spread if spread > 0 else 0.0


def _by_key(count: int, keys: I64 | None) -> tuple[I64, I64]:
    """The rows of records sorted by key, each key's in order, and where each key begins among them."""
    if keys is None:
        return np.arange(count), np.arange(min(count, 1))
    order = np.argsort(keys, kind="stable")
    return order, np.flatnonzero(np.diff(keys[order], prepend=keys[order][:1] - 1))


def _ranks(values: F64) -> F64:
    """The rank of each value, equal ones sharing theirs, [n]."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: F64 = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
