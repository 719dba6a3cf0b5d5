"""A GPU that fails: the batch is computed again on the CPU, with the CPU's own result, and the stream goes on there.

Torch's device `meta` stands for one that fails: it takes tensors and kernels, and raises when a result is wanted.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monitor.core.clock import ManualClock
from monitor.core.features import FeatureMatrix
from monitor.model.calibration import calibrate_network
from monitor.model.inference import Inference
from monitor.model.lost_device import Guard
from monitor.scoring.l1 import L1Scorer
from monitor.telemetry import Telemetry
from tests.support_models import layout, network, rows

FAILS = torch.device("meta")
PLACE = layout(6)


@pytest.mark.parametrize("count", [1, 3000])
def test_records_have_the_errors_of_the_cpu_when_the_device_fails(count: int) -> None:
    module, values = network(PLACE.width), rows(count, PLACE)
    on_cpu, failing = Inference(module, PLACE), Inference(module, PLACE, FAILS)

    assert np.array_equal(failing.errors(values), on_cpu.errors(values))
    assert np.array_equal(failing.reconstruct(values), on_cpu.reconstruct(values))
    assert np.array_equal(failing.latent(values), on_cpu.latent(values))


def test_the_scorer_says_that_its_device_is_lost_and_why() -> None:
    module, values = network(PLACE.width), rows(20, PLACE)
    calibration = calibrate_network(Inference(module, PLACE), values)
    scorer = L1Scorer(module, PLACE, calibration, FAILS)
    assert not scorer.lost_device

    scores = scorer.score(FeatureMatrix(values, PLACE)).scores

    assert np.array_equal(scores, L1Scorer(module, PLACE, calibration).score(FeatureMatrix(values, PLACE)).scores)
    assert "meta tensor" in scorer.lost_device


def test_an_error_on_the_cpu_is_raised() -> None:
    def fail() -> int:
        raise RuntimeError("a fault of ours")

    for device in (None, torch.device("cpu")):
        with pytest.raises(RuntimeError, match="a fault of ours"):
            Guard(device, lambda: None)(fail)


def test_it_is_told_once_for_each_model(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(ManualClock())
    stream = telemetry.stream("web")

    def loaded() -> None:
        stream.model(version="1", sha256="2", created=0.0, threshold=1.0, low=0.0, high=1.0)

    def lost() -> str:
        [line] = [
            text for text in telemetry.scrape()[0].decode().splitlines() if text.startswith("aemonitor_device_lost{")
        ]
        return line.split()[-1]

    loaded()
    stream.device_lost("")
    assert lost() == "0.0"
    stream.device_lost("OutOfMemoryError: CUDA out of memory")
    stream.device_lost("OutOfMemoryError: CUDA out of memory")
    assert lost() == "1.0"
    assert caplog.text.count("device_lost") == 1
    loaded()
    assert lost() == "0.0"
