"""The scorer that a model was trained for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.core.errors import BundleError
from monitor.core.features import Layout
from monitor.core.printable import printable
from monitor.model.bundle import BundleContents
from monitor.model.calibration import ScoreRange
from monitor.scoring.blend import Blend, BlendScorer
from monitor.scoring.canary import check_scores
from monitor.scoring.field import FieldScorer
from monitor.scoring.field_tails import FieldTails
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.masked import MaskedScorer, MaskedTails
from monitor.scoring.shapes import check_evidence

if TYPE_CHECKING:
    import torch

Maker = Callable[[BundleContents, Layout, ScoreRange, "torch.device | None"], L1Scorer]


def scorer_of(contents: BundleContents, layout: Layout, device: torch.device | None = None) -> L1Scorer:
    """A scorer of a model's method, of the kind that the model was loaded for; a device is one of torch.

    Raises:
        BundleError: the score's method is not known, what it learned is not what it needs, or made for another layout,
            or the canary has other scores than at publication.
    """
    score = contents.score
    if score is None:
        return L1Scorer(contents.module, layout, contents.calibration, device)
    if score.method not in MAKERS:
        raise BundleError(
            f"the bundle is scored by {printable(score.method)!r}, which this version of aemonitor does not know; "
            "upgrade, or make a new model with `aemonitor retrain`"
        )
    check_evidence(score.method, contents.evidence, layout)
    scorer = MAKERS[score.method](contents, layout, score, device)
    check_scores(contents.canary, scorer)
    return scorer


def _field(contents: BundleContents, layout: Layout, score: ScoreRange, device: torch.device | None) -> L1Scorer:
    tails, masking = FieldTails.restore(contents.evidence), contents.config.masking > 0
    return FieldScorer(contents.module, layout, contents.calibration, tails, score, device, masking=masking)


def _masked(contents: BundleContents, layout: Layout, score: ScoreRange, device: torch.device | None) -> L1Scorer:
    tails = MaskedTails.restore(contents.evidence)
    return MaskedScorer(contents.module, layout, contents.calibration, tails, score, device)


def _blend(contents: BundleContents, layout: Layout, score: ScoreRange, device: torch.device | None) -> L1Scorer:
    blend = Blend.restore(contents.evidence)
    return BlendScorer(contents.module, layout, contents.calibration, blend, score, device)


MAKERS: dict[str, Maker] = {"field": _field, "masked": _masked, "blend": _blend}
