"""The scorer that a model was trained for."""

from __future__ import annotations

import torch

from monitor.core.features import Layout
from monitor.model.bundle import BundleContents
from monitor.scoring.blend import Blend, BlendScorer
from monitor.scoring.l1 import L1Scorer


def scorer_of(contents: BundleContents, layout: Layout, device: torch.device | None = None) -> L1Scorer:
    """A scorer of a model's method.

    Raises:
        BundleError: the model's evidence is incomplete, or made for another layout.
    """
    if contents.score is None:
        return L1Scorer(contents.module, layout, contents.calibration, device)
    blend = Blend.restore(contents.evidence)
    return BlendScorer(contents.module, layout, contents.calibration, blend, contents.score, device)
