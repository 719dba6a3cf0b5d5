"""What benign records taught of counts: which events there are, how many of each, and what to say of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monitor.core.arrays import F32, F64, I64
from monitor.core.names import plural
from monitor.core.protocols import Finding
from monitor.encoders._counts_codes import Counted
from monitor.encoders._counts_reading import Sight
from monitor.encoders._counts_scales import CountScales
from monitor.encoders._flags import Flags
from monitor.encoders._vocabulary import Vocabulary, cascade, restored, stored
from monitor.encoders._wording import MISSING, ORDINARY

UNSEEN_EVENT, BEYOND, UNSEEN_PAIR = "unseen event", "beyond", "unseen succession"

LISTED = 3
"""So many events are named where one is new."""


@dataclass(frozen=True)
class Learned:
    """``names`` are those of the events and pairs with a count of their own, in the order of ``counted``.

    A vocabulary is None where it says nothing. ``within`` says where events are counted, such as `` within 60 s``.
    """

    counted: Counted
    names: tuple[str, ...]  # [e + p]
    scales: CountScales
    events: Vocabulary | None
    pairs: Vocabulary | None
    flags: Flags
    clip: float
    within: str

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return (*self.names, "<all>", "<distinct>", "<others>", *(f"<{name}>" for name in self.flags.columns))

    @cached_property
    def novelty(self) -> tuple[str, ...]:
        return (*self._surprises, *self.flags.novelty)

    def encode(self, sight: Sight, columns: F32, novelty: F32) -> None:
        """Encode n records into zeroed columns [n, len(columns)] and [n, len(novelty)]."""
        present = np.flatnonzero(~sight.masks[MISSING])
        measures = self.counted.measures(sight.tallies[present])
        width = len(self.names) + 3
        columns[present, :width] = self.scales.apply(measures, self.clip)
        beyond = np.zeros(len(columns))
        beyond[present] = self.scales.surprise(measures)
        cascade(self._strengths(sight, beyond), novelty[:, : len(self._surprises)])
        masks = [sight.masks[name] for name in self.flags.names]
        self.flags.write(masks, columns[:, width:], novelty[:, len(self._surprises) :])

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        """What to say of one encoded row; the arguments are those of ``FittedEncoder.explain``."""
        own, states = len(self._surprises), len(self.names) + 3
        surprise = self._surprise(novelty[:own])
        if surprise == UNSEEN_EVENT:
            return Finding(None, self._known(), self._unseen("an event"))
        counts, expected = self.scales.inverse(columns[:states]), self.scales.inverse(reconstruction[:states])
        expected = np.clip(expected, self.scales.low, self.scales.high)
        place = self._worst(counts, columns[:states] - reconstruction[:states], surprise)
        told = self._told(place, int(counts[place]), over=abs(float(columns[place])) >= self.clip) + self.within
        reason = (
            self.flags.novelty_reason(novelty[own:])
            or (self._unseen("two events in a row as") if surprise == UNSEEN_PAIR else None)
            or (f"{told}, benign {self._range(place)}" if surprise == BEYOND else None)
            or self.flags.reason(columns[states:], reconstruction[states:])
            or (f"{told}, {ORDINARY}" if counts[place] != expected[place] else ORDINARY)
        )
        state = self.flags.expected(reconstruction[states:])
        return Finding(
            expected=state or self._told(place, int(expected[place])) + self.within,
            benign_range=self._range(place) + self.flags.range_suffix(),
            reason=reason,
        )

    def state(self) -> dict[str, Any]:
        return {
            "counted": self.counted.state(),
            "names": list(self.names),
            "scales": self.scales.state(),
            "events": stored(self.events),
            "pairs": stored(self.pairs),
            "flags": self.flags.state(),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], *, clip: float, within: str) -> Learned:
        return cls(
            counted=Counted.restore(state["counted"]),
            names=tuple(state["names"]),
            scales=CountScales.restore(state["scales"]),
            events=restored(state["events"]),
            pairs=restored(state["pairs"]),
            flags=Flags.restore(state["flags"]),
            clip=clip,
            within=within,
        )

    @cached_property
    def _surprises(self) -> tuple[str, ...]:
        """The novelty of events, the most telling first: what is new is also beyond, and follows something."""
        there = {UNSEEN_EVENT: self.events is not None, BEYOND: True, UNSEEN_PAIR: self.pairs is not None}
        return tuple(name for name, is_there in there.items() if is_there)

    def _strengths(self, sight: Sight, beyond: F64) -> list[F64]:
        n, strengths = len(beyond), list[F64]()
        if self.events is not None:
            strengths.append(self.events.surprise(*sight.events, n))
        strengths.append(beyond)
        if self.pairs is not None:
            strengths.append(self.pairs.surprise(*sight.pairs.found, n))
        return strengths

    def _surprise(self, strengths: F32) -> str | None:
        """What weighs most among the novelties of events; None if there is none."""
        return self._surprises[int(strengths.argmax())] if strengths.max() > 0.0 else None

    def _worst(self, counts: I64, off: F32, surprise: str | None) -> int:
        """Which count to tell of: the one farthest outside, of an event before that of two or of all; or the oddest.

        ``off`` are the columns less their reconstruction.
        """
        if surprise != BEYOND:
            return int(np.abs(np.nan_to_num(off, posinf=0.0, neginf=0.0)).argmax())
        excess = self.scales.excess(counts)
        groups = np.split(excess, (len(self.counted.events), len(self.names)))
        chosen = next(i for i, group in enumerate(groups) if group.any())
        return int(groups[chosen].argmax()) + sum(map(len, groups[:chosen]))

    def _unseen(self, what: str) -> str:
        return f"{what} never seen in {self.flags.records:,} benign records"

    def _known(self) -> str:
        """The first few of the events that benign data had."""
        events = self.names[: len(self.counted.events)]
        more = len(events) - LISTED
        others = f" and {more} more" if more > 0 else ""
        return f"{', '.join(events[:LISTED]) or 'rare events'}{others}"

    def _range(self, place: int) -> str:
        low, high = int(self.scales.low[place]), int(self.scales.high[place])
        return f"always {low:,}" if low == high else f"{low:,} to {high:,}"

    def _told(self, place: int, count: int, *, over: bool = False) -> str:
        """A count and what it is of: ``"disk full" 14 times``, ``3 distinct events``."""
        beyond = "over " if over and count else ""
        if place < len(self.names):
            return f"{self.names[place]} {beyond}{plural(count, 'time')}" if count else f"{self.names[place]} never"
        kind = ("", "distinct ", "other ")[place - len(self.names)]
        return f"{beyond}{plural(count, f'{kind}event')}"
