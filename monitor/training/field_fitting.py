"""The scores by the worst field learned: everything from held-out records, by the errors of the trained network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, Bools
from monitor.model.calibration import NOISE
from monitor.model.inference import Inference
from monitor.scoring.field_errors import FieldErrors
from monitor.scoring.field_tails import FieldTails
from monitor.scoring.masked import SHARE, MaskedTails
from monitor.training.cross_ranking import cross_ranked
from monitor.training.tail_fitting import fit_tails
from monitor.training.verdict_fitting import fit_surprises


@dataclass(frozen=True, slots=True)
class LearnedScore:
    """What a score learned, as tensors, and the rarity of each held-out record as told by others, [n]."""

    state: dict[str, Tensor]
    rarity: F64


def fit_field(inference: Inference, held_out: F32) -> LearnedScore:
    """Learn the score ``field`` from encoded benign records [n, total], in the order of time; training saw none."""
    seen = _parts(inference, held_out, inference.reconstruct(held_out))

    def ranked(known: Bools, new: Bools) -> F64:
        return _rarity(_fitted(seen[known]), seen[new])

    return LearnedScore(_fitted(seen).state(), cross_ranked(len(held_out), ranked))


def fit_masked(inference: Inference, held_out: F32) -> LearnedScore:
    """Learn the score ``masked`` from the same; the network learned with fields hidden from it."""
    errors = inference.errors(held_out)
    seen = _parts(inference, held_out, inference.reconstruct(held_out))
    hidden = _parts(inference, held_out, inference.hidden(held_out))

    def fitted(known: Bools) -> MaskedTails:
        usual = float(np.quantile(errors[known], 1 - SHARE))
        gate = usual + NOISE * max(1.0, usual)  # else another processor might look twice at records of this very error
        return MaskedTails(_fitted(seen[known]), _fitted(hidden[known]), gate)

    def ranked(known: Bools, new: Bools) -> F64:
        tails = fitted(known)
        once, twice = _rarity(tails.seen, seen[new]), _rarity(tails.hidden, hidden[new])
        return np.where(tails.doubted(errors[new]), np.maximum(once, twice), once)

    return LearnedScore(fitted(np.ones(len(held_out), dtype=np.bool_)).state(), cross_ranked(len(held_out), ranked))


def _parts(inference: Inference, values: F32, made: F32) -> F64:
    """Errors and, behind them, novelties of each field, [n, 2, features]."""
    return FieldErrors(inference.layout).judged(values, made, lambda *parts: torch.stack(parts, 1))


def _fitted(parts: F64) -> FieldTails:
    return fit_field_tails(parts[:, 0], parts[:, 1])


def fit_field_tails(errors: F64, novelty: F64) -> FieldTails:
    """Learn from errors and novelties [n, features] of held-out benign records, n > 0."""
    return FieldTails(fit_tails(errors), fit_surprises(torch.from_numpy(novelty).float()))


def _rarity(tails: FieldTails, parts: F64) -> F64:
    errors, novelty = torch.from_numpy(parts).float().unbind(1)
    bans: F64 = tails.rarity(errors, novelty).double().numpy()
    return bans
