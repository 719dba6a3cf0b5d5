"""A model on trial: given parsed records it scores them, whatever it encodes and averages on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from monitor.app.compose import averaging_of, check_fit, load_bundle, promise_of, restore_features, threshold_of
from monitor.app.planting import Judge, Stretch
from monitor.core.arrays import F32, F64
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import BundleError, TryLaterError
from monitor.core.features import FeatureMatrix
from monitor.core.limit import Limit
from monitor.core.records import RecordBatch
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import BundleContents
from monitor.scoring.choice import scorer_of
from monitor.scoring.l1 import L1Scorer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with all that it takes to score; its features remember no key."""

    contents: BundleContents
    features: FeatureSpace
    scorer: L1Scorer
    threshold: float
    promise: Limit | None

    @classmethod
    def of(cls, contents: BundleContents, stream: StreamConfig, device: torch.device) -> Contender:
        """A model, published or not, as the stream's configuration would use it."""
        features = restore_features(contents)
        scorer = scorer_of(contents, features.layout, device)
        return cls(contents, features, scorer, threshold_of(stream, contents), promise_of(stream, contents))

    def knowing(self, records: RecordBatch) -> Contender:
        """The same model, to which no value of these records is new."""
        return replace(self, features=self.features.widened(records))

    @property
    def judge(self) -> Judge:
        """The model as far as planted faults concern it."""
        return Judge.of(self.features, self.scorer)

    def encode(self, records: RecordBatch) -> F32:
        """Records in the order of time, [n, total]; nothing is remembered of those before them, nor kept."""
        fresh = self.features.keyed_state()
        values = self.features.encode(records).values
        self.features.load_keyed_state(fresh)
        return values

    def scores(self, records: RecordBatch, values: F32) -> F64:
        """The scores of encoded records, averaged as in the daemon, [n]."""
        scored = self.scorer.score(FeatureMatrix(values, self.features.layout))
        return averaging_of(self.contents).apply(records, scored.scores)

    def stretch(self, records: RecordBatch, values: F32) -> Stretch:
        """Encoded records for faults to be planted in."""
        stretch = Stretch(self.features, len(records))
        stretch.offer(records, values, np.arange(len(records)))
        return stretch


def champion(config: Config, name: str, device: torch.device) -> Contender | None:
    """The published model, if there is one that the configured features can still be scored with."""
    try:
        bundle = load_bundle(config, name, None)
        found = Contender.of(bundle.contents, config.streams[name], device)
        check_fit(name, config.streams[name], bundle, found.features)
    except (BundleError, TryLaterError):
        return None
    return found
