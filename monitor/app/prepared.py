"""What is worked out of a batch before anything that was remembered has a say: here, or ahead of time elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.core.features import FeatureMatrix
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.rows import without_lines
from monitor.scoring.scores import ScoreBatch


@dataclass(frozen=True, slots=True)
class Prepared:
    """The records of a batch and, where no feature remembers keys, their columns and scores too.

    ``seconds`` are how long each stage took.
    """

    records: RecordBatch
    matrix: FeatureMatrix | None
    scores: ScoreBatch | None
    seconds: Mapping[str, float]

    def without_lines(self) -> Prepared:
        """The same to be sent to whoever has the lines."""
        return replace(self, records=replace(self.records, raw=without_lines()))

    def packed(self) -> Prepared:
        """The same without what whoever asked for it has, or does not need any more: to be sent."""
        sent = self.without_lines()
        return sent if self.matrix is None else replace(sent, records=replace(sent.records, columns={}))

    def unpacked(self, raw: RawBatch) -> Prepared:
        """The same with the lines it was made of."""
        return replace(self, records=replace(self.records, raw=raw))


class Stages:
    """How long each stage of the data path took, in seconds, added to what it took before."""

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = dict(before or {})
        self._since = time.perf_counter()

    def passed(self, stage: str) -> None:
        """This stage ends now; the next one begins."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now
