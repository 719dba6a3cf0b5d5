"""Finds the stretches in a sample of them: which records of a key follow each other, with none left out between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monitor.core.arrays import F64, I64, Bools
from monitor.core.arrow import pa
from monitor.core.warm_up import WarmUp
from monitor.reservoir.columns import KEY, RANK, SITTING, SPAN, TIME, numbers
from monitor.reservoir.sample import NO_BOUND
from monitor.reservoir.turns import FULL, SPAN_HOURS, Tally, begins

INEXACT = 1e-9
"""Of a round: ranks and times are not more exact than that."""


def stretches(table: pa.Table, bounds: Mapping[int, int], tallies: Mapping[int, Tally]) -> I64:
    """The number of the stretch of each record, [n].

    Args:
        table: the sample, in the order of time.
        bounds: of its spans, those that have one.
        tallies: of its spans, all of them.
    """
    keys = table.column(KEY).combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
    sittings, order = numbers(table, SITTING), np.argsort(keys, kind="stable")
    former, latter = order[:-1], order[1:]
    follows = np.zeros(len(order), dtype=np.bool_)
    follows[1:] = (keys[former] == keys[latter]) & (sittings[former] == sittings[latter])
    follows[1:] &= _nothing_between(table, order, bounds, tallies)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.cumsum(~follows)
    return found


def _nothing_between(table: pa.Table, order: I64, bounds: Mapping[int, int], tallies: Mapping[int, Tally]) -> Bools:
    """Whether every record of the key between each and the next, [n - 1] in the given order, would have been kept.

    The first must be on its turn until the next, or to the end of its span; and the next since then, or since its own
    span began; and of the spans between these nothing may have been left out.
    """
    spans, times = numbers(table, SPAN)[order], numbers(table, TIME)[order]
    known = np.unique(spans)
    at = np.searchsorted(known, spans)
    limits = np.array([bounds.get(span, NO_BOUND) / NO_BOUND for span in known.tolist()])
    rounds = np.array([tallies[span].round_seconds for span in known.tolist()])
    whole = np.array([span not in bounds for span in known.tolist()], dtype=np.bool_)
    turns = numbers(table, RANK)[order] / FULL  # of a round, since the turn began
    until = np.minimum(times[1:], begins(spans[:-1] + SPAN_HOURS))
    since = np.maximum(times[:-1], begins(spans[1:]))
    first, last = at[:-1], at[1:]
    stayed = turns[:-1] + (until - times[:-1]) / rounds[first] <= limits[first] + INEXACT
    was_there = turns[1:] - (times[1:] - since) / rounds[last] >= -INEXACT
    lacking = np.concatenate([[0], np.cumsum(~whole)])  # spans before each that have a bound
    between = lacking[last] - lacking[np.minimum(first + 1, last)]
    nothing: Bools = (stayed | whole[first]) & (was_there | whole[last]) & (between == 0)
    return nothing


def warming(stretches: I64, times: F64, needed: Sequence[WarmUp]) -> Bools:
    """Which records [n] have too little of their stretch before them for what is remembered to be as ``needed``.

    Args:
        stretches: the number of the stretch of each record, [n].
        times: when they happened, rising within a stretch, [n].
        needed: of every feature that remembers.
    """
    order = np.argsort(stretches, kind="stable")
    begun, times = _begun(stretches[order]), times[order]
    rows = np.arange(len(order))
    cold = np.zeros(len(order), dtype=np.bool_)
    for need in needed:
        cold |= (rows - begun < need.records) | _too_soon(begun, begun, times, need)
    return _in_place(cold, order)


def recovering(stretches: I64, times: F64, left_out: Bools, needed: Sequence[WarmUp]) -> Bools:
    """Which records [n] come so close behind some that are ``left_out``, [n], that these are remembered too well.

    What else is given is as in ``warming``.
    """
    order = np.argsort(stretches, kind="stable")
    begun, times, out = _begun(stretches[order]), times[order], left_out[order]
    rows, since = np.arange(len(order)), _latest(out)
    together = np.where(out, rows - np.maximum(_latest(~out), begun - 1), 0)[since]
    near = np.zeros(len(order), dtype=np.bool_)
    for need in needed:
        recovery = need.records if need.recovery is None else need.recovery
        again = np.minimum(need.records, np.maximum(recovery, together))
        near |= (rows - since <= again) | _too_soon(since, begun, times, need)
    return _in_place(near & (since >= begun) & ~out, order)


def _too_soon(since: I64, begun: I64, times: F64, need: WarmUp) -> Bools:
    """Which records, [n] stretch by stretch, lack the time, or the pause, that is needed ``since`` a row of each."""
    soon: Bools = times - times[since] < need.seconds
    if need.pause is None:
        return soon
    pauses = np.diff(times, prepend=times[:1]) > need.pause
    pauses[begun] = False
    paused = np.cumsum(pauses, dtype=np.int64)
    soon |= paused == paused[since]
    return soon


def _begun(stretches: I64) -> I64:
    """The row with which the stretch of each begins, [n]; they lie one behind the other."""
    return _latest(np.diff(stretches, prepend=stretches[:1] - 1) != 0)


def _latest(rows: Bools) -> I64:
    """The latest of the ``rows`` up to each row, [n]; -1 before the first."""
    latest: I64 = np.maximum.accumulate(np.where(rows, np.arange(len(rows)), -1))
    return latest


def _in_place(ordered: Bools, order: I64) -> Bools:
    found = np.empty(len(order), dtype=np.bool_)
    found[order] = ordered
    return found
