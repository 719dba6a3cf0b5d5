"""Averages that fade: of all values of a key before each one, for all keys at once, the same bits however it is cut.

With weight a, value x_j counts a (1 - a)^(i - j) when the i-th value comes, and the weights are made to add up to 1, so
that the first few values have a plain mean instead of hanging on the very first. With q = 1 - a, the sum of a key is

    N_i = q N_(i-1) + a x_i = q^(i+1) (N_-1 + sum over j <= i of a q^-(j+1) x_j),

and the sum on the right is a running sum, which numpy makes strictly one addend after the other. Since q^-j would
overflow, it begins anew, with N, in every block of values of a key: counted from the first value of the key, not of the
batch. So carrying the running sum and the count gives the same additions wherever a batch ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.groups import Groups

LARGEST = 1e150
"""Values must not be larger: with what a block adds, half the exponent of a double."""

BLOCK, GROWTH = 1024, 1e100
"""A block has so many values, or fewer where q^-j would exceed this."""

LONG = 64
"""Groups of so many values are gone through one by one; shorter ones side by side, as the rows of a matrix."""


class Averages:
    """Averages with several weights a, 0.001 <= a < 1, largest first."""

    def __init__(self, *weights: float) -> None:
        fading = 1.0 - np.array(weights)[:, None]  # [a, 1]
        self._block = max(1, min(BLOCK, int(math.log(GROWTH) / -math.log(fading.min()))))
        places = np.arange(self._block)
        self._grow = (1.0 - fading) * fading ** -(places + 1.0)  # [a, block]
        self._fade = fading ** (1.0 * places)  # [a, block]
        self._turn = fading**self._block  # [a, 1]
        # The share that a number of values has of all weights; 1 at the end, within the precision of a double.
        self._mass = -np.expm1(np.arange(int(40.0 / -math.log(fading.max())) + 2) * np.log(fading))  # [a, counts]

    def before(self, values: F64, groups: Groups, counts: I64, sums: F64) -> tuple[F64, F64]:
        """The averages of what each group had before each value.

        Args:
            values: [m], group by group, within +-``LARGEST``.
            groups: g groups of m rows.
            counts: [g], how many values each had before these.
            sums: [a, g], their running sums; 0 where there was none.

        Returns:
            averages: [a, m], NaN for the first value of all.
            sums: [a, g], the running sums after these values.
        """
        faded, sums = np.empty((len(sums), len(values))), sums.copy()
        places = counts % self._block
        for group in np.flatnonzero(groups.lengths >= LONG).tolist():
            rows = slice(groups.starts[group], groups.starts[group] + groups.lengths[group])
            sums[:, group] = self._run(values[rows], int(places[group]), sums[:, group], faded[:, rows])
        alive = np.flatnonzero(groups.lengths < LONG)
        starts, left, places = groups.starts[alive], groups.lengths[alive], places[alive]
        while len(alive):
            taken = np.minimum(left, self._block - places)
            sums[:, alive[places == 0]] *= self._turn
            for some in _alike(taken):
                self._run_side_by_side(values, starts[some], taken[some], places[some], alive[some], sums, faded)
            more = left > taken
            starts, left, alive = (starts + taken)[more], (left - taken)[more], alive[more]
            places = np.zeros_like(left)
        return self._averages(faded, counts[groups.ids] + groups.ranks), sums

    def straight(self, sums: F64, counts: I64) -> F64:
        """The averages [a, g] that running sums [a, g] of ``counts`` [g] values stand for."""
        return self._averages(sums * self._factor(counts), counts)

    def sums(self, averages: F64, counts: I64) -> F64:
        """The running sums of given averages: undoes ``straight``, but for rounding."""
        return averages * self._weight(counts) / self._factor(counts)

    def _factor(self, counts: I64) -> F64:
        """N as a multiple of the running sum, [a, g]: where a block is complete, the next one has not begun."""
        places = counts % self._block
        return np.where(places > 0, self._fade[:, places], self._turn)

    def _weight(self, counts: I64) -> F64:
        return self._mass[:, np.minimum(counts, self._mass.shape[1] - 1)]

    def _averages(self, faded: F64, counts: I64) -> F64:
        with np.errstate(invalid="ignore"):
            return faded / self._weight(counts)  # 0 / 0 where nothing was before

    def _run(self, values: F64, place: int, sums: F64, faded: F64) -> F64:
        """Go on in one group, [m], from a place in its block; writes ``faded`` [a, m] and gives the new sums [a]."""
        for start, stop in _cut(len(values), self._block - place, self._block):
            sums = sums * self._turn[:, 0] if place == 0 else sums
            block = slice(place, place + stop - start)
            running = np.empty((len(sums), stop - start + 1))
            running[:, 0] = sums
            np.multiply(values[start:stop], self._grow[:, block], out=running[:, 1:])
            np.add.accumulate(running, axis=1, out=running)
            np.multiply(running[:, :-1], self._fade[:, block], out=faded[:, start:stop])
            sums, place = running[:, -1], 0
        return sums

    def _run_side_by_side(
        self, values: F64, starts: I64, lengths: I64, places: I64, groups: I64, sums: F64, faded: F64
    ) -> None:
        """Go on in some groups, [p], by ``lengths`` values each, all of one block; writes ``sums`` and ``faded``."""
        steps = np.arange(int(lengths.max()))
        inside = steps < lengths[:, None]  # [p, steps]
        rows = np.minimum(starts[:, None] + steps, len(values) - 1)
        block = np.minimum(places[:, None] + steps, self._block - 1)
        running = np.empty((len(sums), len(starts), len(steps) + 1))
        running[:, :, 0] = sums[:, groups]
        np.multiply(values[rows], self._grow[:, block], out=running[:, :, 1:])
        np.add.accumulate(running, axis=2, out=running)
        faded[:, rows[inside]] = (running[:, :, :-1] * self._fade[:, block])[:, inside]
        sums[:, groups] = running[:, np.arange(len(starts)), lengths]


def _cut(length: int, first: int, further: int) -> Iterator[tuple[int, int]]:
    """Where to cut ``length`` values: after the ``first`` ones, and then after every ``further`` ones."""
    cuts = [0, *range(first, length, further), length]
    return pairwise(cuts)


def _alike(lengths: I64) -> Iterator[I64]:
    """Indices of ``lengths`` [p], those of about the same length together: padding them at most doubles the work."""
    sizes = np.frexp(lengths)[1]
    for size in np.unique(sizes).tolist():
        yield np.flatnonzero(sizes == size)
