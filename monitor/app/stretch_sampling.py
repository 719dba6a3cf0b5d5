"""Offers whole stretches of what was scored to the stream's reservoir, for features that remember what came before.

A record that is not wanted costs two hashes, of its place and its key, and a look at the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.app.alerting import Scored
from monitor.app.sampling import by_file, can_be, is_time_to_look, times_of
from monitor.core.arrays import F64, I64
from monitor.core.clock import Clock
from monitor.core.records import RawBatch
from monitor.core.rows import joined_lines, keep, lines_of, take
from monitor.core.strings import U64
from monitor.deciding.episodes import Episodes
from monitor.ingest.reading import Ingest
from monitor.reservoir.columns import InTurn, Sampled
from monitor.reservoir.reservoir import Reservoir
from monitor.reservoir.turns import spans_of


class StretchSampler:
    """Between a stream's pipeline and its reservoir; what is offered has times and keys where the stream has them.

    ``ingest`` parses single records for all that a training may want. ``episodes`` tells which keys alert just now:
    their records are kept, as those above the limit are, since features remembered them, and marked as left out.
    """

    def __init__(self, reservoir: Reservoir, ingest: Ingest, episodes: Episodes, clock: Clock) -> None:
        self._reservoir = reservoir
        self._ingest = ingest
        self._episodes = episodes
        self._clock = clock
        self._sitting = reservoir.sit()  # what the one before this let wait is lost
        self._waiting: list[_Waiting] = []
        self._batches = 0  # since the last look

    def offer(self, scored: Scored) -> None:
        """Add the records of a batch whose turn it is; after its alerts were counted."""
        if scored.records.raw.sampled_out:
            self._sitting = self._reservoir.sit()  # nobody knows whose records are missing
            return
        now, records = self._clock.now(), scored.records
        times = times_of(records, now)
        rows = np.flatnonzero(records.ok & can_be(times, now))
        self._batches += 1
        if len(rows):
            self._choose(scored, rows, times[rows])
        if self._waiting and is_time_to_look(self._reservoir, self._batches, self._waiting):
            waiting, self._waiting, self._batches = self._waiting, [], 0
            for parts in by_file(waiting):
                self._reservoir.add(self._sampled(parts))

    def _choose(self, scored: Scored, rows: I64, times: F64) -> None:
        """Let those of some rows [m] wait whose turn it is."""
        records, above = scored.records, (scored.scores.scores > scored.limits)[rows]
        hashes = self._reservoir.hashes(records.raw)[rows]
        keys = self._reservoir.key_hashes(records)[rows]
        ranks, wanted = self._reservoir.take_turns(times, keys, hashes, ~above)
        if not wanted.any():
            return
        rows = rows[wanted]
        left_out = above[wanted] | self._episodes.open(take(records, rows))
        turns = InTurn(ranks[wanted], left_out, np.full(len(rows), self._sitting))
        lines, scores = lines_of(records.raw, rows), scored.scores.scores[rows]
        self._waiting.append(_Waiting(lines, hashes[wanted], scores, times[wanted], turns))

    def _sampled(self, parts: Sequence[_Waiting]) -> Sampled:
        """Records of one file, parsed together."""
        raw = joined_lines([each.raw for each in parts])
        records, times = self._ingest.parse(raw), np.concatenate([each.times for each in parts])
        ok = records.ok
        return Sampled(
            raw=raw,
            rows=np.flatnonzero(ok),
            records=keep(records, ok),
            times=times[ok],
            spans=spans_of(times[ok]),
            hashes=np.concatenate([each.hashes for each in parts])[ok],
            scores=np.concatenate([each.scores for each in parts])[ok],
            turns=InTurn.joined([each.turns for each in parts]).of(ok),
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Some records of a batch, alone, whose turn it is; their ``hashes`` and ``scores`` and when they happened, [m]."""

    raw: RawBatch
    hashes: U64
    scores: F64
    times: F64
    turns: InTurn
