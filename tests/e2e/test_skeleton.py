"""Reference system R3 through the product's commands, beside thirty lines of numpy that know nothing of the product."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from monitor.core.arrays import F64, I64
from monitor.model import bundle
from tests.conftest import REPOSITORY
from tests.e2e.support import aemonitor
from tests.torch_networks import of_torch

EXAMPLE = REPOSITORY / "config" / "examples" / "skeleton.yaml"
CHANNELS = range(1, 13)
"""The columns of the CSV that are sensors: between the time and the label."""

pytestmark = pytest.mark.timeout(300)


# -- the reference: read, scale, reproduce, sum, normalise; in float64 ------------------------------------------------


def reference_errors(network: list[tuple[F64, F64]], benign: F64, rows: F64) -> F64:
    """Summed absolute differences between each row and its reproduction, [n]."""
    centre = np.median(benign, axis=0)
    low, high = np.quantile(benign, (0.001, 0.999), axis=0)
    x = (rows - centre) / np.maximum(high - centre, centre - low)  # [n, 12]
    x = y = np.clip(x, -4, 4)  # the option `clip`: nothing that was learned lies so far out
    for layer, (weight, bias) in enumerate(network, start=1):
        y = y @ weight.T + bias
        if layer < len(network):
            y = np.tanh(y)
    errors: F64 = np.abs(x - y).sum(axis=1)
    return errors


def readings(path: Path) -> F64:
    """The sensors of a file, [n, 12]."""
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=CHANNELS)


# -- the product ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """What the commands left in a directory."""

    benign: Path
    plant: Path
    contents: bundle.BundleContents

    def network(self) -> list[tuple[F64, F64]]:
        pairs = ((layer.weight.detach(), layer.bias.detach()) for layer in of_torch(self.contents.module).linears())
        return [(weight.numpy().astype(np.float64), bias.numpy().astype(np.float64)) for weight, bias in pairs]

    def scores(self, path: Path) -> F64:
        """The score of every record, as `aemonitor score` prints it, [n]."""
        printed = aemonitor("score", "-c", "skeleton.yaml", str(path), "--format", "csv").stdout.decode()
        return np.array([float(row["score"]) for row in csv.DictReader(io.StringIO(printed))])


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """The example as a newcomer runs it, on each device."""
    root = tmp_path_factory.mktemp("skeleton")
    with contextlib.chdir(root):
        Path("skeleton.yaml").write_text(EXAMPLE.read_text().replace("device: auto ", f"device: {request.param} "))
        aemonitor("data", "sensors", "--rows", "1500", "--anomalies", "0", "-o", "benign.csv")
        aemonitor("data", "sensors", "--rows", "1500", "--anomalies", "6", "--seed", "2", "-o", "plant.csv")
        aemonitor("retrain", "-c", "skeleton.yaml", "--input", "benign.csv")
        contents = bundle.load(root / "state" / "models" / "plant", "plant").contents
        yield Trained(root / "benign.csv", root / "plant.csv", contents)


def test_the_layers_are_the_powers_of_two_between_bottleneck_and_input(trained: Trained) -> None:
    assert trained.contents.module.widths == (12, 8, 4, 3, 4, 8, 12)
    assert [block.stop - block.start for block in trained.contents.layout.blocks] == [1] * 12
    assert trained.contents.calibration.count == 1500


def test_smallest_and_largest_error_of_the_learned_records_agree_with_the_reference(trained: Trained) -> None:
    benign = readings(trained.benign)

    errors = reference_errors(trained.network(), benign, benign)

    calibration = trained.contents.calibration
    assert calibration.low == pytest.approx(errors.min(), abs=1e-5)
    assert calibration.high == pytest.approx(errors.max(), abs=1e-5)


def test_every_score_agrees_with_the_reference(trained: Trained) -> None:
    benign, plant = readings(trained.benign), readings(trained.plant)
    errors = reference_errors(trained.network(), benign, benign)
    low, high = errors.min(), errors.max()
    expected = (reference_errors(trained.network(), benign, plant) - low) / (high - low)

    learned, scores = trained.scores(trained.benign), trained.scores(trained.plant)

    assert np.abs(learned - (errors - low) / (high - low)).max() < 1e-5
    assert np.abs(scores - expected).max() < 1e-5


def test_planted_faults_score_above_everything_learned(trained: Trained) -> None:
    labels: I64 = np.loadtxt(trained.plant, delimiter=",", skiprows=1, usecols=13).astype(np.int64)

    scores = trained.scores(trained.plant)

    assert np.mean(scores[labels == 1] > 1) > 0.4
    assert np.median(scores[labels == 1]) > 2 * np.median(scores[labels == 0])
