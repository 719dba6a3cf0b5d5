"""Tells how far records have moved away from those that a model was calibrated with; it decides nothing.

Once a second a few records are looked at more closely: what that costs does not depend on how many come. Older ones
count for less and less. What is known so far belongs to the checkpoint, so that a restart goes on with it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F32, F64, Bools
from monitor.core.drifted import Drifted, Usual
from monitor.core.errors import StateError
from monitor.core.groups import Groups
from monitor.core.keyed_memory import KeyedMemory, Remembering

DRIFT = "\0drift"
"""The name, which no feature can have, of what is remembered."""

LOOK_SECONDS = 1.0
"""How often some records are looked at."""

LOOKED_AT = 256
"""Records of one look, spread over the batch."""

HORIZON = 50_000.0
"""Records looked at after which an older one counts for a third: minutes under load, a day of a record a second."""

STREAM = Groups(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), [None])
"""The stream as a whole is one key."""


class Drift(Remembering):
    """The drift of one stream against one model version; used by one thread, read by any."""

    def __init__(self, version: str, usual: Usual, monotonic: Callable[[], float] = time.monotonic) -> None:
        # The model (as a number), records, episodes, looked at, novel, and the summed error of each feature.
        self._numbers = np.zeros(5 + len(usual.errors))
        self._numbers[0] = int(version[-12:], 16)
        super().__init__(KeyedMemory(1, self._numbers.tolist()))
        self.made_by = f"drift of {len(usual.errors)} features"
        self._usual = usual
        self._monotonic = monotonic
        self._looked = -math.inf

    @property
    def now(self) -> Drifted:
        """How things stand."""
        _, records, episodes, looked, novel, *errors = self._numbers.tolist()
        shares = [number / looked if looked else math.nan for number in (novel, *errors)]
        errors_now = dict(zip(self._usual.errors, shares[1:], strict=True))
        return Drifted(int(records), int(episodes), shares[0], errors_now, self._usual)

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot. What another model saw is forgotten."""
        if memory.made_by != self.made_by:
            return "the model before had another number of features"
        try:
            self.load_keyed_state(memory.state())
        except StateError as error:
            return str(error)
        state: Mapping[str, Any] = self.keyed_state()
        if state["keys"] and state["values"][0][0] == self._numbers[0]:
            self._numbers = np.array(state["values"][0])
        return None

    def see(self, ok: Bools, values: F32, width: int, field_errors: Callable[[F32], F64], episodes: int) -> None:
        """Count a batch, and now and then look at some of its records.

        Args:
            ok: which rows are records, [n].
            values: the encoded rows, [n, total].
            width: columns before the novelty columns.
            field_errors: the error of each feature of some encoded rows [m, total], [m, features].
            episodes: how many of them begin with the batch.
        """
        numbers = self._numbers.copy()  # another thread may read those before
        numbers[1:3] += (int(ok.sum()), episodes)
        now = self._monotonic()
        if now - self._looked >= LOOK_SECONDS and ok.any():
            self._looked = now
            rows = np.flatnonzero(ok)
            sample = values[rows[:: max(1, len(rows) // LOOKED_AT)][:LOOKED_AT]]
            numbers[3:] *= math.exp(-len(sample) / HORIZON)
            numbers[3] += len(sample)
            numbers[4] += float((sample[:, width:] > 0).any(axis=1).sum())
            numbers[5:] += field_errors(sample).sum(axis=0)
            self.memory.leave(self.memory.visit(STREAM), numbers[np.newaxis])
        self._numbers = numbers


def drifted(memory: Memory, version: str, usual: Usual) -> Drifted | None:
    """What the ledger has of a model version; None where that is of another one, or damaged."""
    kept = Drift(version, usual)
    return None if kept.take_over(memory) or not kept.now.records else kept.now
