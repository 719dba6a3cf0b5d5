"""Reference system R1 through the product's commands: a table of mixed types, its worst row, and what is refused."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from monitor.core.arrays import F64
from monitor.core.features import Layout
from monitor.model import bundle
from monitor.scoring.l1 import squared_errors
from tests.conftest import REPOSITORY
from tests.e2e.support import aemonitor
from tests.torch_networks import of_torch

EXAMPLE = REPOSITORY / "config" / "examples" / "employee.yaml"
CITIES, JOBS = ["anaheim", "boulder", "concord"], ["mgmt", "supp", "tech"]

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Trained:
    """What the commands left in a directory, and what `retrain` printed."""

    rows: list[dict[str, str]]
    contents: bundle.BundleContents
    messages: str

    def encoded(self) -> F64:
        """The nine columns as the article describes them, [240, 9]."""
        return np.array(
            [
                [-1 if row["sex"] == "M" else 1, int(row["age"]) / 100]
                + [row["city"] == city for city in CITIES]
                + [int(row["income"]) / 100_000]
                + [row["job"] == job for job in JOBS]
                for row in self.rows
            ],
            dtype=np.float64,
        )

    def reproduced(self) -> F64:
        """What the network makes of them, in float64, [240, 9]."""
        y = self.encoded()
        layers = of_torch(self.contents.module).linears()
        for number, layer in enumerate(layers, start=1):
            y = y @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
            y = np.tanh(y) if number < len(layers) else y
        return y


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """The example as a newcomer runs it: 240 rows, 1000 epochs. The only such training of the suite."""
    root = tmp_path_factory.mktemp("employee")
    with contextlib.chdir(root):
        aemonitor("data", "employee", "-o", "employees.csv")
        done = aemonitor("retrain", "-c", str(EXAMPLE), "--input", "employees.csv")
        with Path("employees.csv").open() as file:
            rows = list(csv.DictReader(file))
        contents = bundle.load(root / "state" / "models" / "employee", "employee").contents
        yield Trained(rows, contents, done.stderr.decode())


def test_the_network_is_the_published_one(trained: Trained) -> None:
    module, config = trained.contents.module, trained.contents.config

    assert len(trained.rows) == 240
    assert module.widths == (9, 4, 2, 4, 9)
    assert (module.activation, module.output_activation, config.init) == ("tanh", "none", "glorot_uniform")
    assert (config.optimizer, config.learning_rate, config.batch_size, config.loss) == ("adam", 0.005, 10, "mse")
    assert trained.contents.data.train == trained.contents.calibration.count == 240


def test_the_loss_is_told_every_hundred_epochs_and_falls(trained: Trained) -> None:
    told = re.findall(r"([\d,]+)/1,000: loss ([\d.e-]+)", trained.messages)

    assert [epoch.replace(",", "") for epoch, _ in told] == [str(epoch) for epoch in range(100, 1001, 100)]
    assert float(told[-1][1]) < 0.7 * float(told[0][1])


def test_the_worst_row_is_shown_as_it_is_and_as_it_is_reproduced(trained: Trained) -> None:
    squares = ((trained.encoded() - trained.reproduced()) ** 2).sum(axis=1)
    worst = int(squares.argmax())

    done = aemonitor("score", "-c", str(EXAMPLE), "employees.csv", "--top", "1", "--by", "squared", "--format", "jsonl")

    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["line"] == worst + 2  # the header is line 1
    assert row["squared_error"] == pytest.approx(squares[worst], abs=1e-5)
    assert row["mean_squared_error"] == pytest.approx(squares[worst] / 9, abs=1e-5)
    actual = {name: str(value["actual"]) for name, value in row["fields"].items()}
    assert {**actual, "age": actual["age"].removesuffix(".0"), "income": actual["income"].removesuffix(".0")} == (
        trained.rows[worst]
    )
    reconstructed = {name: value["reconstructed"] for name, value in row["fields"].items()}
    y = trained.reproduced()[worst]
    assert reconstructed["age"] == pytest.approx(100 * y[1], abs=0.51)  # whole, as all ages are
    assert reconstructed["income"] == pytest.approx(100_000 * y[5], abs=0.51)
    assert reconstructed["sex"] == ("M" if y[0] < 0 else "F")
    assert reconstructed["city"] == CITIES[int(y[2:5].argmax())]
    assert reconstructed["job"] == JOBS[int(y[6:9].argmax())]


def test_the_best_rows_the_hidden_state_and_the_cleaned_records_can_be_had(trained: Trained) -> None:
    score = ("score", "-c", str(EXAMPLE), "employees.csv")

    best = json.loads(aemonitor(*score, "--lowest", "1", "--by", "squared", "--format", "jsonl").stdout)
    latent = list(csv.DictReader(aemonitor(*score, "--latent", "--format", "csv").stdout.decode().splitlines()))
    clean = list(csv.DictReader(aemonitor(*score, "--reconstruct", "--format", "csv").stdout.decode().splitlines()))

    squares = ((trained.encoded() - trained.reproduced()) ** 2).sum(axis=1)
    assert best["squared_error"] == pytest.approx(squares.min(), abs=1e-5)
    hidden = np.array([[float(row["latent_1"]), float(row["latent_2"])] for row in latent])
    assert hidden.shape == (240, 2)
    assert (np.abs(hidden) <= 1).all()
    assert [row["city"] for row in clean if row["city"]] == [
        CITIES[place] for place in trained.reproduced()[:, 2:5].argmax(axis=1)
    ]


def test_relu_after_the_last_layer_is_refused_because_it_never_reaches_the_minus_one_of_sex(trained: Trained) -> None:
    Path("relu.yaml").write_text(EXAMPLE.read_text().replace("output_activation: none", "output_activation: relu"))

    done = aemonitor("retrain", "-c", "relu.yaml", "--input", "employees.csv", code=65)

    assert re.search(
        r"model\.output_activation: relu reaches 0 to inf, but 1 of 9 encoded columns lie outside "
        r"\(feature 'sex': -1 to 1\); use output_activation: none",
        done.stderr.decode(),
    )


def test_the_error_of_the_worked_example() -> None:
    layout = Layout.of([("sex", 1, 0), ("age", 1, 0), ("income", 1, 0)])
    actual = np.array([[-1.0, 0.32, 0.55]], dtype=np.float32)
    reproduced = np.array([[-0.90, 0.40, 0.60]], dtype=np.float32)

    assert squared_errors(layout, actual, reproduced) == pytest.approx(0.0100 + 0.0064 + 0.0025, abs=1e-7)
