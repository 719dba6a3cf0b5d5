"""What calibration has to know of the scores of very many records, in bounded memory, and put together from pieces.

No limit is ever asked about that more than a tenth of all benign records exceed (``budget.MOST_SHARE``). Above a limit
only records count that exceed it, as alerts and as those that an episode began with. So of all others it is enough to
know how many they are, and the lowest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64, Column
from monitor.core.arrow import pa, pc

ROOM = 1 << 20
"""Records kept: a tenth of ten millions; 16 bytes each and their keys."""


@dataclass(frozen=True, slots=True)
class ScoreTail:
    """Of ``count`` > 0 records the ``lowest`` score and the records with the highest ones, [k], in no promised order.

    ``times`` [k] are finite; ``keys`` [k] are strings, null where missing. Both are None where a stream has none.
    """

    count: int
    lowest: float
    scores: F64
    times: F64 | None = None
    keys: Column | None = None

    @classmethod
    def of(cls, scores: F64, times: F64 | None = None, keys: Column | None = None) -> ScoreTail:
        """Of some records, [n], n > 0: all of them."""
        return cls(len(scores), float(scores.min()), scores, times, keys)

    def above(self, limit: float) -> int:
        """Records above a limit that is no lower than the scores."""
        return int((self.scores > limit).sum())

    def highest(self, room: int) -> ScoreTail:
        """The same with ``room`` > 0 records at most; of equal scores those that came first, or else by their keys."""
        if len(self.scores) <= room:
            return self
        cut = np.partition(self.scores, -room)[-room]
        above, equal = np.flatnonzero(self.scores > cut), np.flatnonzero(self.scores == cut)
        return self._only(np.concatenate([above, equal[self._order(equal)[: room - len(above)]]]))

    def _order(self, rows: I64) -> I64:
        """The rows as they came, by place in ``rows``; records that this leaves open are the same to whoever asks."""
        columns = {
            "times": None if self.times is None else pa.array(self.times[rows]),
            "keys": None if self.keys is None else self.keys.take(pa.array(rows)),
        }
        known = {name: column for name, column in columns.items() if column is not None}
        if not known:
            return np.arange(len(rows))
        keys = [(name, "ascending") for name in known]
        order: I64 = pc.sort_indices(pa.table(known), sort_keys=keys).to_numpy().astype(np.int64)
        return order

    def _only(self, rows: I64) -> ScoreTail:
        return ScoreTail(
            self.count,
            self.lowest,
            self.scores[rows],
            None if self.times is None else self.times[rows],
            None if self.keys is None else self.keys.take(pa.array(rows)),
        )


def merged(tails: Sequence[ScoreTail], room: int = ROOM) -> ScoreTail:
    """Several of one stream as one, as if of all their records at once, whatever the order and the pieces.

    There is one at least; each has all its records or ``room`` of them.
    """
    times = [tail.times for tail in tails if tail.times is not None]
    keys = [tail.keys for tail in tails if tail.keys is not None]
    return ScoreTail(
        sum(tail.count for tail in tails),
        min(tail.lowest for tail in tails),
        np.concatenate([tail.scores for tail in tails]),
        np.concatenate(times) if times else None,
        pa.concat_arrays(keys) if keys else None,
    ).highest(room)


def key_codes(keys: Column) -> I64:
    """A number for the key of each record, [n]; those without one share theirs."""
    codes: I64 = keys.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
