"""Small models and data for tests of the network, its calibration, its bundle and its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F32
from monitor.core.config import ScoreConfig
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import Autoencoder, autoencoder_for, initialise
from monitor.model.bundle import BundleContents, canary_of
from monitor.model.calibration import calibrate_network
from monitor.model.history import Epoch, History
from monitor.model.inference import Inference
from monitor.model.manifest import MANIFEST, WEIGHTS, DataSummary, digest
from monitor.training.recipe import Judging

CPU = torch.device("cpu")

L1 = Judging(ScoreConfig(method="l1"), AlertConfig())
"""Judge by the plain error."""

torch.set_num_threads(1)  # networks this small are slower with two, much slower on a busy machine


def network(width: int, config: ModelConfig | None = None, seed: int = 1) -> Autoencoder:
    """An initialised network that was never trained; its biases are not zero, as after training."""
    config = config or ModelConfig()
    generator = torch.Generator().manual_seed(seed)
    module = autoencoder_for(width, config)
    initialise(module, config, generator)
    for layer in module.linears():
        torch.nn.init.normal_(layer.bias, std=0.1, generator=generator)
    return module.eval()


def layout(width: int, novelty: int = 1) -> Layout:
    """Features of three columns each (the last one has what is left), ``novelty`` novelty columns a feature."""
    sizes = [3] * (width // 3) + [width % 3] * (width % 3 > 0)
    return Layout.of([(f"f{index}", size, novelty) for index, size in enumerate(sizes)])


def rows(count: int, place: Layout, seed: int = 0) -> F32:
    """Random encoded rows [count, total] between -1 and 2, novelty columns mostly 0."""
    random = np.random.default_rng(seed)
    values = random.uniform(-1, 2, (count, place.total)).astype(np.float32)
    values[:, place.width :] *= values[:, place.width :] > 1.8
    return np.ascontiguousarray(np.where(np.arange(place.total) >= place.width, np.abs(values), values))


def contents(stream: str = "web", width: int = 7, seed: int = 1, **changes: Any) -> BundleContents:
    """What a training would hand to publication."""
    place = layout(width)
    module = network(width, seed=seed)
    inference = Inference(module, place)
    values = rows(120, place, seed)
    made = BundleContents(
        stream=stream,
        module=module,
        config=ModelConfig(),
        layout=place,
        features=[{"name": "f0", "vocabulary": ["GET", "ü", "\x1b"]}],
        calibration=calibrate_network(inference, values),
        threshold=1.0,
        canary=canary_of(inference, values),
        data=DataSummary(train=700, early_stop=100, calibration=120, first_time=1.5e9, last_time=1.6e9),
        history=History((Epoch(1, 0.5, 0.6), Epoch(2, 0.25, 0.5)), best_epoch=2),
    )
    return replace(made, **changes)


def renamed(bundle: Path) -> Path:
    """The bundle under the name that its (forged) manifest asks for, as a thorough forger would leave it."""
    version = bundle.name.partition("-")[0] + "-" + digest((bundle / MANIFEST).read_bytes())[:12]
    return bundle.rename(bundle.parent / version)


def forge(bundle: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the manifest and make its hash fit again."""
    manifest = msgspec.json.decode((bundle / MANIFEST).read_bytes())
    change(manifest)
    (bundle / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return renamed(bundle)


def forge_weights(bundle: Path, data: bytes) -> Path:
    """Replace the weights and make every hash fit again."""
    (bundle / WEIGHTS).write_bytes(data)
    return forge(bundle, lambda m: m["files"][WEIGHTS].update(sha256=digest(data), bytes=len(data)))
