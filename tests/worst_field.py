"""Test support: records of which three features follow one hidden number, and models that judge their fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F32
from monitor.core.config import ScoreConfig
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import Autoencoder
from monitor.model.bundle import BundleContents, canary_of
from monitor.model.calibration import calibrate_network
from monitor.model.inference import Inference
from monitor.training.field_fitting import LearnedScore, fit_field, fit_masked
from monitor.training.fitting import fit
from monitor.training.limits import rarity_range
from tests.records import records
from tests.support_models import CPU, contents

PLACE = Layout.of([("whole", 1, 1), ("mirror", 1, 1), ("level", 2, 1), ("free", 1, 1), ("constant", 0, 1)])
WHOLE, MIRROR, LEVEL, FREE, CONSTANT = range(5)

MASKING = ModelConfig(masking=0.2, epochs=40, hidden=[16, 3, 16], batch_size=64)

FITTERS: dict[str, Callable[[Inference, F32], LearnedScore]] = {"field": fit_field, "masked": fit_masked}


def encoded(count: int, seed: int) -> F32:
    """Benign records [count, total]."""
    random = np.random.default_rng(seed)
    hidden, noise = random.uniform(-1, 1, count), random.normal(0, 0.03, (count, 5))
    values = np.zeros((count, PLACE.total), dtype=np.float32)
    values[:, :5] = np.stack([hidden, -hidden, hidden / 2, hidden**2, random.uniform(-1, 1, count)], 1) + noise
    return values


@cache
def trained() -> Autoencoder:
    """A network that learned them, with fields hidden from it."""
    values = encoded(1500, 1)[:, : PLACE.width]
    return fit(values[:1200], values[1200:], MASKING, CPU, lambda _epoch: None, PLACE).module


def model(
    method: str, held_out: F32, module: Autoencoder | None = None, place: Layout = PLACE, rate: float = 0.05
) -> BundleContents:
    """What a training would publish, but for the scores of its canary."""
    module = module or trained()
    inference = Inference(module, place)
    learned = FITTERS[method](inference, held_out)
    score = ScoreConfig.model_validate({"method": method, "average": 1})
    found, limit = rarity_range(
        learned.rarity, records(x=[0.0] * len(held_out)), score, AlertConfig(false_alarm_rate=rate)
    )
    return contents(
        module=module,
        layout=place,
        config=MASKING,
        calibration=calibrate_network(inference, held_out),
        canary=canary_of(inference, held_out),
        score=found,
        evidence=learned.state,
        limit=limit,
    )
