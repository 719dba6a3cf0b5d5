"""Which rows have another value than before, in a column of any type: NaN equals itself, missing is a value too."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import Bools, Column
from monitor.core.arrow import pa, pc


def differing(before: Column, after: Column) -> Bools:
    """Rows [n] in which two columns of one type and length have different values.

    >>> differing(pa.array([1.0, None, float("nan")]), pa.array([2.0, None, float("nan")])).tolist()
    [True, False, False]
    """
    if pa.types.is_list(before.type):
        return _lists_differ(before, after)
    missing = _bools(before.is_null()), _bools(after.is_null())
    unequal = _bools(pc.fill_null(pc.not_equal(before, after), False))
    if pa.types.is_floating(before.type):  # NaN is not equal to itself, and yet unchanged
        unequal &= ~(_bools(pc.fill_null(pc.is_nan(before), False)) & _bools(pc.fill_null(pc.is_nan(after), False)))
    different: Bools = (missing[0] != missing[1]) | unequal
    return different


def _lists_differ(before: Column, after: Column) -> Bools:
    lengths = [pc.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False) for column in (before, after)]
    different: Bools = lengths[0] != lengths[1]
    rows = np.flatnonzero(~different & (lengths[0] > 0))
    old, new = (column.take(pa.array(rows)).flatten() for column in (before, after))
    different[np.repeat(rows, lengths[0][rows])[differing(old, new)]] = True
    return different


def _bools(column: Column) -> Bools:
    found: Bools = column.to_numpy(zero_copy_only=False)
    return found
