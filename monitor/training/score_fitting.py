"""The score that a stream asks for, learned: which method learns from what."""

from __future__ import annotations

from collections.abc import Callable

from monitor.core.arrays import F32
from monitor.core.config import ScoreConfig
from monitor.model.inference import Inference
from monitor.training.blend_fitting import LEAST, fit_blend
from monitor.training.field_fitting import LearnedScore, fit_field, fit_masked


def learn_score(
    score: ScoreConfig,
    inference: Inference,
    early: F32,
    held_out: F32,
    seed: int,
    on_step: Callable[[int, int, float], None],
) -> LearnedScore | None:
    """What the method learns from encoded benign records in the order of time.

    Args:
        score: the method and its options.
        inference: the trained network.
        early: records the score may learn anything from, [n, total], n > 0.
        held_out: [m, total]; nothing was learned from them.
        seed: of everything drawn.
        on_step: called with the number of the step, of all steps, and the loss.

    Returns:
        None where the score is the plain L1: asked for, too little is held out, or there are nothing but constants.

    Raises:
        DataError: training diverged.
    """
    if score.method == "l1" or not inference.layout.width or len(held_out) < LEAST:
        return None
    if score.method == "field":
        return fit_field(inference, held_out)
    if score.method == "masked":
        return fit_masked(inference, held_out)
    blend = fit_blend(
        early,
        held_out,
        inference.layout,
        members=score.members,
        masking=score.masking,
        seed=seed,
        on_step=on_step,
    )
    return LearnedScore(blend.blend.state(), blend.rarity)
