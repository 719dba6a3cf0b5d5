"""The default score learned: panel and code book from training records, everything else from held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, Bools
from monitor.core.features import Layout
from monitor.scoring.blend import Blend, novelty_owners
from monitor.scoring.evidence import Errors, Evidence
from monitor.training.cross_ranking import cross_ranked
from monitor.training.evidence_fitting import draft_evidence, settled
from monitor.training.verdict_fitting import fit_verdict

LEAST = 30
"""Fewer held-out records than this say nothing of the tails."""

PIECE = 4096
"""Records whose errors are computed at a time."""


@dataclass(frozen=True, slots=True)
class FittedBlend:
    """The score, and the rarity of each held-out record as told by others, [n]: of that the limit is made."""

    blend: Blend
    rarity: F64


def fit_blend(
    train: F32,
    held_out: F32,
    layout: Layout,
    *,
    members: int,
    masking: float,
    seed: int,
    on_step: Callable[[int, int, float], None],
) -> FittedBlend:
    """Learn from encoded benign records.

    Args:
        train: [n, total], n > 0.
        held_out: [m, total], m >= ``LEAST``, in the order of time; none of them in ``train``.
        layout: the columns, at least one network column.
        members: autoencoders of the panel.
        masking: share of features hidden in training.
        seed: of everything drawn.
        on_step: called with the number of the step, of all steps, and the loss.

    Raises:
        DataError: training diverged.
    """
    draft = draft_evidence(_network(train, layout), layout, members, masking, seed, on_step)
    fresh = torch.from_numpy(_network(held_out, layout))
    novelty = torch.from_numpy(np.ascontiguousarray(held_out[:, layout.width :])) @ torch.from_numpy(
        novelty_owners(layout)
    )
    novelty = novelty[:, : len(layout.blocks)]
    with torch.inference_mode():
        rarity = _ranked_by_others(draft, fresh, novelty)
        evidence = settled(draft, fresh)
        blend = Blend(evidence, fit_verdict(_errors(evidence, fresh), novelty))
    return FittedBlend(blend, rarity)


def _network(values: F32, layout: Layout) -> F32:
    return np.ascontiguousarray(values[:, : layout.width])


def _ranked_by_others(draft: Evidence, fresh: Tensor, novelty: Tensor) -> F64:
    """The rarity of each record [n] as told by the stretches of time it is not in."""

    def ranked(known: Bools, new: Bools) -> F64:
        old, asked = torch.from_numpy(known), torch.from_numpy(new)
        evidence = settled(draft, fresh[old])
        verdict = fit_verdict(_errors(evidence, fresh[old]), novelty[old])
        bans: F64 = verdict.rarity(_errors(evidence, fresh[asked]), novelty[asked]).double().numpy()
        return bans

    return cross_ranked(len(fresh), ranked)


def _errors(evidence: Evidence, x: Tensor) -> Errors:
    parts = [evidence.errors(piece) for piece in torch.split(x, PIECE)]
    return Errors(torch.cat([part.whole for part in parts]), torch.cat([part.fields for part in parts]))
